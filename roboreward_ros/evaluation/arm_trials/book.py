# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What has happened in a comparison so far: an append-only file, so that it can go on any time.

A trial is open until a person has judged an episode of it. An episode in which something went wrong
is void: it stays in the file with the reason, and the trial runs again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from roboreward_ros.episodes.codec import Fields
from roboreward_ros.episodes.lines import LineReader, LineWriter
from roboreward_ros.errors import SessionError
from roboreward_ros.evaluation.arm_trials.plan import Trial, TrialPlan

BOOK_FORMAT = 1
NAME, KIND = "trials.jsonl", "arm trials"


@dataclass(slots=True)
class TrialRecord:
    """Attributes: episode_id: that waits for or has a judgement; voids: reasons, oldest first."""

    episode_id: str = ""
    success: bool | None = None
    judge: str = ""
    voids: list[str] = field(default_factory=list)


class TrialBook:
    """The file ``trials.jsonl`` of a comparison.

    Args:
        folder: of the comparison.
        plan: its plan.
        write: hold the file as its one writer.

    Raises:
        StoreError: another process writes it.
        FormatError: damaged or newer.
    """

    def __init__(self, folder: Path, plan: TrialPlan, *, write: bool = True) -> None:
        self.plan = plan
        self.unblinded = False
        self._records = {trial.number: TrialRecord() for trial in plan.trials}
        self._judged: list[int] = []
        self._writer = LineWriter(folder / NAME, KIND, BOOK_FORMAT) if write else None
        lines = (
            self._writer.initial
            if self._writer is not None
            else LineReader(folder / NAME, KIND, BOOK_FORMAT).poll()
        )
        for line in lines:
            self._take(Fields(line, str(folder / NAME)))

    def close(self) -> None:
        """Let go of the file; idempotent."""
        if self._writer is not None:
            self._writer.close()

    def record(self, trial: Trial) -> TrialRecord:
        """What is known of a trial."""
        return self._records[trial.number]

    @property
    def judged(self) -> int:
        """Trials with a judgement."""
        return len(self._judged)

    @property
    def complete(self) -> bool:
        """Whether every trial has one."""
        return self.judged == len(self.plan.trials)

    def due(self) -> Trial | None:
        """The first trial without a judgement; None when there is none."""
        open_trials = (t for t in self.plan.trials if self._records[t.number].success is None)
        return next(open_trials, None)

    def ran(self, trial: Trial, episode_id: str) -> None:
        """An episode of the trial is on disk and waits for its judgement."""
        self._write({"event": "ran", "trial": trial.number, "episode_id": episode_id})

    def void(self, trial: Trial, reason: str) -> None:
        """The trial's episode does not count; it runs again."""
        self._write({"event": "void", "trial": trial.number, "reason": reason})

    def judge(self, trial: Trial, success: bool, judge: str) -> None:
        """A person's word about the trial's episode."""
        if not self._records[trial.number].episode_id:
            raise SessionError("there is no episode to judge", got=f"trial {trial.number}")
        self._write({"event": "judged", "trial": trial.number, "success": success, "judge": judge})

    def undo(self) -> int:
        """Take the last judgement back; returns its trial's number.

        Raises:
            SessionError: there is none.
        """
        if not self._judged:
            raise SessionError("there is no judgement to take back")
        number = self._judged[-1]
        self._write({"event": "undone", "trial": number})
        return number

    def unblind(self) -> None:
        """The arms become known: no judgement after this one would be blind."""
        if not self.unblinded:
            self._write({"event": "unblinded", "judged": self.judged})

    def _write(self, record: dict[str, str | int | bool]) -> None:
        if self._writer is None:
            raise SessionError("the comparison was opened for reading")
        if self.unblinded:
            raise SessionError(
                "this comparison was unblinded: nobody can judge it blindly any more",
                next_step="Begin another one in a new folder.",
            )
        self._writer.append(dict(record))
        self._take(Fields(dict(record), KIND))

    def _take(self, line: Fields) -> None:
        event = line.text("event")
        if event == "unblinded":
            self.unblinded = True
            return
        number = line.integer("trial")
        record = self._records[number]
        if event == "ran":
            record.episode_id = line.text("episode_id")
        elif event == "void":
            record.voids.append(line.text("reason"))
            record.episode_id = ""
        elif event == "judged":
            record.success, record.judge = line.flag("success"), line.text("judge")
            self._judged.append(number)
        elif event == "undone":
            record.success = None
            self._judged.remove(number)

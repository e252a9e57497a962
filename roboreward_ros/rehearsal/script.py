# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a person did in a recorded session, as cues for a scripted one; or a list in YAML.

::

    cues:
      - {episode: 0, verb: label, text: f}              # once it is on disk
      - {episode: 1, step: 12, verb: label, text: s}    # ends the episode there
      - {episode: 2, step: 4, verb: hold}
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from roboreward_ros.episodes.ledger import OPERATOR, Ledger
from roboreward_ros.episodes.marks import Marks
from roboreward_ros.errors import ConfigError
from roboreward_ros.rehearsal.lists import read_list
from roboreward_ros.rehearsal.recording import RecordedEpisode, StoredRecording
from roboreward_ros.session.events import VERBS
from roboreward_ros.types import EndCause, LabelRecord, Score, StepFlag, VerbRequest

SCRIPTED = tuple(name for name in VERBS if name not in ("run_one", "confirm_reset", "quit"))
"""Verbs of a cue; the scene is confirmed, and the rehearsal ended, without one."""


@dataclass(frozen=True, slots=True)
class Cue:
    """One key of the scripted operator.

    Attributes:
        episode: number in the rehearsal, from 0.
        verb: of the session.
        text: label: the key; task: the sentence; discard: why.
        step: control step at which it is pressed; -1 once the episode is on disk.
        operator: who.

    Raises:
        ConfigError: no such verb, or a negative episode.
    """

    episode: int
    verb: str
    text: str = ""
    step: int = -1
    operator: str = "script"

    def __post_init__(self) -> None:
        if self.verb not in SCRIPTED:
            raise ConfigError("a cue's verb", got=self.verb, allowed=SCRIPTED)
        if self.episode < 0 or self.step < -1:
            raise ConfigError("a cue's moment", got=f"{self.episode}, {self.step}", allowed=">= 0")
        VerbRequest(self.verb, self.text, operator=self.operator)

    @property
    def after(self) -> bool:
        """Whether it waits until the episode is on disk."""
        return self.step < 0


def script_of(recording: StoredRecording) -> tuple[Cue, ...]:
    """The keys of a recorded run's operator, in order.

    A label of an episode that a person ended is what ended it. Takeovers are given back where the
    recording does. A task that changed is typed at the last step before.

    Raises:
        FormatError: its ledger or an episode is damaged.
    """
    places = {name: position for position, name in enumerate(recording.names)}
    records = [
        r for r in Ledger(recording.run_dir, "r", OPERATOR).records() if r.episode_id in places
    ]
    marks = Marks(recording.run_dir)
    cues: list[Cue] = []
    before: RecordedEpisode | None = None
    for name, position in places.items():
        episode = recording.episode(position)
        if before is not None and before.task != episode.task:
            cues.append(Cue(position - 1, "task", episode.task, before.n_steps - 1))
        cues += _takeovers(position, episode)
        own = [record for record in records if record.episode_id == name]
        ended = episode.end_cause is EndCause.OPERATOR
        for k, record in enumerate(own):
            at = episode.n_steps - 1 if ended and k == 0 and record.retracts < 0 else -1
            cues.append(_key(record, position, at))
        mark = marks.last(name)
        if mark is not None and marks.discarded(name):
            cues.append(Cue(position, "discard", mark.reason, operator=mark.operator or "script"))
        before = episode
    return tuple(cues)


def _key(record: LabelRecord, position: int, step: int) -> Cue:
    who = record.operator or "script"
    if record.retracts >= 0:
        return Cue(position, "undo", operator=who)
    assert isinstance(record.outcome, Score)  # the operator's ledger holds nothing else
    return Cue(position, "label", record.outcome.text, step, who)


def _takeovers(position: int, episode: RecordedEpisode) -> list[Cue]:
    mine = [bool(flag & StepFlag.TAKEOVER) for flag in episode.flags]
    cues = []
    for step, (was, now) in enumerate(zip([False, *mine], mine, strict=False)):
        if was != now:
            cues.append(Cue(position, "take_over" if now else "give_back", step=step))
    return cues


def load_script(path: Path) -> tuple[Cue, ...]:
    """Read a script; see the module's text.

    Raises:
        ConfigError: it is not there, or holds something else.
    """
    return tuple(
        _cue(row, f"{path}, cue {number}") for number, row in enumerate(read_list(path, "cues"), 1)
    )


def _cue(row: object, where: str) -> Cue:
    names = {field.name for field in fields(Cue)}
    if not isinstance(row, Mapping) or not {"episode", "verb"} <= set(row) <= names:
        raise ConfigError(
            f"{where} is none", got=str(row), allowed=f"episode, verb, any of {names}"
        )
    episode, step = row["episode"], row.get("step", -1)
    if type(episode) is not int or type(step) is not int:
        raise ConfigError(where, got=str(dict(row)), allowed="whole numbers of episode and step")
    texts = (str(row["verb"]), str(row.get("text", "")))
    return Cue(episode, *texts, step, str(row.get("operator", "script")))

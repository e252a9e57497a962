# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Rewards as a view over the ledger: one scale, people first, then the promoted source.

Rules, per episode:

* only records that nobody took back count; candidates' (shadow) records only if asked for;
* a person's newest key wins: 1..5 as pressed, s the best level, f the source's score but at most 4
  (where no source scored, the episode stays unlabelled and the operator is asked for 1-4);
  in a run whose source *is* the human, f is the lowest level: binary;
* else the newest answer of the promoted source, else of the first fallback that scored;
  an abstention is an answer, a failure is not;
* scores on another scale than the view's are counted, never converted.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from roboreward_ros.episodes.labels import FAILURE, HUMAN, SUCCESS
from roboreward_ros.episodes.ledger import OPERATOR, SCORES, Ledger
from roboreward_ros.types import (
    Abstain,
    LabelRecord,
    RewardFailure,
    RewardOutcome,
    Score,
    ScoreScale,
)

_LOWEST_BEST = {
    ScoreScale.RUBRIC: (1.0, 5.0),
    ScoreScale.UNIT: (0.0, 1.0),
    ScoreScale.SIGN: (-1.0, 1.0),
}


class LabelStatus(StrEnum):
    """Why an episode has its label, or none."""

    LABELLED = "labelled"
    ABSTAINED = "abstained"
    FAILED = "failed"  # the source could not answer; to be tried again
    ASK = "ask"  # the operator said failure and no source scored: ask for 1-4
    UNSCORED = "unscored"


@dataclass(frozen=True, slots=True)
class ViewConfig:
    """Which labels a learner sees.

    Attributes:
        source: registry name of the promoted source.
        scale: the one scale of the view.
        fallbacks: sources asked next, in order.
        include_shadow: also use records written in the shadow of another source.
    """

    source: str
    scale: ScoreScale = ScoreScale.RUBRIC
    fallbacks: tuple[str, ...] = ()
    include_shadow: bool = False


@dataclass(frozen=True, slots=True)
class Label:
    """What the view says about one episode; ``score`` is None unless LABELLED."""

    status: LabelStatus
    score: Score | None = None
    detail: str = ""


_UNSCORED = Label(LabelStatus.UNSCORED)


class RewardView:
    """Follows the ledgers of a run; ``label`` is always up to date. Safe to use from threads.

    Args:
        ledgers: all producers' ledgers; their records are told apart by producer.
        config: the rules.
    """

    def __init__(self, ledgers: Sequence[Ledger], config: ViewConfig) -> None:
        self.config = config
        self._ledgers = list(ledgers)
        self._seen = [0] * len(self._ledgers)
        self._records: dict[str, list[tuple[int, LabelRecord]]] = {}
        self._gone: set[tuple[int, int]] = set()
        self._labels: dict[str, Label] = {}
        self._changes: list[str] = []
        self._mutex = threading.Lock()

    @classmethod
    def of_run(cls, run_dir: Path | str, config: ViewConfig) -> RewardView:
        """A view for reading over every ledger of a run."""
        return cls([Ledger(run_dir, "r", name) for name in (SCORES, OPERATOR)], config)

    def label(self, episode_id: str) -> Score | None:
        """The reward of an episode; None while it is unlabelled."""
        return self.status(episode_id).score

    def status(self, episode_id: str) -> Label:
        """The reward of an episode and why it has it."""
        with self._mutex:
            self._refresh()
            return self._labels.get(episode_id, _UNSCORED)

    def changes(self, cursor: int = 0) -> tuple[int, tuple[str, ...]]:
        """Episodes whose label changed after ``cursor`` (0: all), oldest change first, once each.

        Returns:
            The cursor for the next call, and the ids.
        """
        with self._mutex:
            self._refresh()
            return len(self._changes), tuple(dict.fromkeys(self._changes[cursor:]))

    def answered(self, episode_id: str, source: str) -> bool:
        """Whether ``source`` abstained or scored on the view's scale: not to be asked again."""
        with self._mutex:
            self._refresh()
            return any(
                r.outcome.provenance.source == source
                and not r.operator
                and self._is_answer(r.outcome)
                and (self.config.include_shadow or not r.shadow)
                for _, r in self._valid(episode_id)
            )

    def _is_answer(self, outcome: RewardOutcome) -> bool:
        if isinstance(outcome, Score):
            return outcome.scale is self.config.scale
        return isinstance(outcome, Abstain)

    def unanswered(self, episode_ids: Iterable[str], source: str) -> list[str]:
        """Those of ``episode_ids`` that ``source`` still has to score, in order."""
        return [name for name in episode_ids if not self.answered(name, source)]

    def _refresh(self) -> None:
        touched: dict[str, None] = {}
        for k, ledger in enumerate(self._ledgers):
            for record in ledger.records(self._seen[k]):
                self._seen[k] = record.seq + 1
                if record.retracts >= 0:
                    self._gone.add((k, record.retracts))
                    touched[ledger.records(record.retracts)[0].episode_id] = None
                else:
                    self._records.setdefault(record.episode_id, []).append((k, record))
                    touched[record.episode_id] = None
        for episode_id in touched:
            label = self._resolve(episode_id)
            if label != self._labels.get(episode_id, _UNSCORED):
                self._labels[episode_id] = label
                self._changes.append(episode_id)

    def _valid(self, episode_id: str) -> list[tuple[int, LabelRecord]]:
        return [
            (k, record)
            for k, record in self._records.get(episode_id, [])
            if (k, record.seq) not in self._gone
        ]

    def _resolve(self, episode_id: str) -> Label:
        records = [record for _, record in self._valid(episode_id)]
        pressed = [r for r in records if r.operator and isinstance(r.outcome, Score)]
        machines = [
            r for r in records if not r.operator and (self.config.include_shadow or not r.shadow)
        ]
        label = _UNSCORED
        for source in (self.config.source, *self.config.fallbacks):
            candidate = self._of_source(
                [r for r in machines if r.outcome.provenance.source == source]
            )
            if candidate.score is not None:
                label = candidate
                break
            if label is _UNSCORED:
                label = candidate
        if not pressed:
            return label
        # Records of one ledger are in order; between ledgers the stamp decides.
        newest = max(pressed, key=lambda r: (r.stamp_ns, r.seq)).outcome
        assert isinstance(newest, Score)
        return self._of_person(newest, label.score)

    def _of_source(self, records: Sequence[LabelRecord]) -> Label:
        if not records:
            return _UNSCORED
        answers = [r for r in records if not isinstance(r.outcome, RewardFailure)]
        if not answers:
            last = records[-1].outcome
            assert isinstance(last, RewardFailure)
            return Label(LabelStatus.FAILED, detail=last.message)
        answer = answers[-1].outcome
        if isinstance(answer, Abstain):
            return Label(LabelStatus.ABSTAINED, detail=answer.detail or answer.reason)
        assert isinstance(answer, Score)
        if answer.scale is not self.config.scale:
            return Label(
                LabelStatus.UNSCORED, detail=f"scored on {answer.scale}, not on {self.config.scale}"
            )
        return Label(LabelStatus.LABELLED, answer)

    def _of_person(self, pressed: Score, scored: Score | None) -> Label:
        low, high = _LOWEST_BEST[self.config.scale]
        if pressed.text == SUCCESS:
            value = high
        elif pressed.text == FAILURE and self.config.source == HUMAN:
            value = low
        elif pressed.text == FAILURE:
            if scored is None:
                return Label(LabelStatus.ASK, detail="failure: how far did it get, 1-4?")
            value = min(scored.value, _from_level(4.0, self.config.scale))
        else:
            value = _from_level(pressed.value, self.config.scale)
        score = dataclasses.replace(pressed, value=value, scale=self.config.scale)
        return Label(LabelStatus.LABELLED, score)


def _from_level(level: float, scale: ScoreScale) -> float:
    """A person's 1..5 in the units of the view: the key's meaning is the level's share."""
    low, high = _LOWEST_BEST[scale]
    return low + (high - low) * (level - 1) / 4

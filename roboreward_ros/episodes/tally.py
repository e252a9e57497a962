# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Counts of a run's labels, kept up to date as the ledgers grow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from roboreward_ros.episodes.promoted import read_promoted
from roboreward_ros.episodes.views import Label, LabelStatus, RewardView
from roboreward_ros.types import Score, ScoreScale

_SUCCESS_FROM = {ScoreScale.RUBRIC: 5.0, ScoreScale.UNIT: 0.5, ScoreScale.SIGN: 0.5}


@dataclass(frozen=True, slots=True)
class Counts:
    """What the run's labels come to.

    Attributes:
        source: the run's present reward source, "" before there is one.
        labelled: episodes with a label.
        abstained: episodes whose source declined.
        errors: episodes whose source failed.
        claimed_successes: labels that say success: rubric 5, or half of the range.
    """

    source: str = ""
    labelled: int = 0
    abstained: int = 0
    errors: int = 0
    claimed_successes: int = 0


def claims_success(score: Score) -> bool:
    """Whether a label says that the task was done."""
    return score.value >= _SUCCESS_FROM[score.scale]


class Tally:
    """Follows one run; for one thread."""

    def __init__(self, run_dir: Path | str) -> None:
        self._run_dir = Path(run_dir)
        self._view: RewardView | None = None
        self._cursor = 0
        self._labels: dict[str, Label] = {}

    def counts(self, episode_ids: Sequence[str]) -> Counts:
        """Counts over ``episode_ids``.

        Raises:
            FormatError: a ledger is damaged.
        """
        view = self._follow()
        if view is None:
            return Counts()
        labels = [self._labels[e] for e in episode_ids if e in self._labels]
        by_status = Counter(label.status for label in labels)
        return Counts(
            source=view.config.source,
            labelled=by_status[LabelStatus.LABELLED],
            abstained=by_status[LabelStatus.ABSTAINED],
            errors=by_status[LabelStatus.FAILED],
            claimed_successes=sum(
                label.score is not None and claims_success(label.score) for label in labels
            ),
        )

    def label(self, episode_id: str) -> Label:
        """The present label of an episode."""
        self._follow()
        return self._labels.get(episode_id, Label(LabelStatus.UNSCORED))

    def answered(self, episode_id: str) -> bool:
        """Whether a source or a person has said anything about an episode."""
        label = self.label(episode_id)
        return label.status is not LabelStatus.UNSCORED or bool(label.detail)

    def _follow(self) -> RewardView | None:
        config = read_promoted(self._run_dir)
        if config is None:
            return None
        if self._view is None or self._view.config != config:
            self._view = RewardView.of_run(self._run_dir, config)
            self._cursor = 0
            self._labels.clear()
        self._cursor, changed = self._view.changes(self._cursor)
        for episode_id in changed:
            self._labels[episode_id] = self._view.status(episode_id)
        return self._view

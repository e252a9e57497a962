# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A run's training episodes as rows: what happened, what it was rewarded with, what was true."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from roboreward_ros.episodes.pictures import PICTURES
from roboreward_ros.episodes.promoted import read_promoted
from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.episodes.views import Label, LabelStatus, RewardView
from roboreward_ros.protocols import EpisodeReader
from roboreward_ros.types import EndCause, Score, ScoreScale

UNSCORED = Label(LabelStatus.UNSCORED)


@dataclass(frozen=True, slots=True)
class EpisodeRow:
    """One training episode.

    Attributes:
        index: number in the run.
        episode_id: its name.
        n_steps: control steps.
        end_cause: why it ended.
        policy_version: steering actor that ran it.
        label: what the run's view of its ledgers says.
        reward: the score on the 1-5 scale; None while unlabelled.
        success: by the twin's truth at the end; None on a real arm.
        truth_score: the twin's rubric score at the end; None on a real arm.
        created_ns: stamp of its first observation, ns since the epoch.
    """

    index: int
    episode_id: str
    n_steps: int
    end_cause: EndCause
    policy_version: int
    label: LabelStatus
    reward: float | None
    success: bool | None
    truth_score: int | None
    created_ns: int


def to_rubric(score: Score) -> float:
    """A score on the 1-5 scale, whatever its own."""
    if score.scale is ScoreScale.RUBRIC:
        return score.value
    unit = score.value if score.scale is ScoreScale.UNIT else (score.value + 1) / 2
    return 1 + 4 * unit


def row_of(episode: EpisodeReader, label: Label) -> EpisodeRow:
    """The row of one committed episode with its label."""
    summary = episode.summary
    truth = episode.truth()
    return EpisodeRow(
        index=summary.meta.index,
        episode_id=summary.meta.episode_id,
        n_steps=summary.n_steps,
        end_cause=summary.end_cause,
        policy_version=summary.policy_version,
        label=label.status,
        reward=to_rubric(label.score) if label.score is not None else None,
        success=truth[-1].success if truth else None,
        truth_score=truth[-1].score if truth else None,
        created_ns=summary.meta.created_ns,
    )


class RunView:
    """Follows the episodes of a run; each is read from disk once, its label every time.

    Args:
        run_dir: the run; its own note says which reward source counts.
        leave_out: episodes without a row: those that cannot be read.
    """

    def __init__(self, run_dir: Path, leave_out: Sequence[str] = ()) -> None:
        self.run_dir = run_dir
        self._leave_out = frozenset(leave_out)
        self._store = EpisodeStore(run_dir)
        self._view: RewardView | None = None
        self._cursor = 0
        self._rows: dict[str, EpisodeRow] = {}

    @property
    def source(self) -> str:
        """The reward source that the run goes by; "" before there is one."""
        return self._view.config.source if self._view is not None else ""

    def count(self) -> int:
        """Committed episodes; does not read them."""
        return len(self._store.ids())

    def rows(self) -> list[EpisodeRow]:
        """Rows of all committed episodes so far, by index."""
        config = read_promoted(self.run_dir)
        if config is not None and (self._view is None or self._view.config != config):
            self._view = RewardView.of_run(self.run_dir, config)
            self._cursor = 0
        for episode_id in self._store.ids():
            if episode_id not in self._rows and episode_id not in self._leave_out:
                label = self._view.status(episode_id) if self._view is not None else UNSCORED
                self._rows[episode_id] = row_of(self._store.open(episode_id), label)
        if self._view is not None:
            self._cursor, changed = self._view.changes(self._cursor)
            for episode_id in set(changed) & set(self._rows):
                label = self._view.status(episode_id)
                reward = to_rubric(label.score) if label.score is not None else None
                row = self._rows[episode_id]
                self._rows[episode_id] = replace(row, label=label.status, reward=reward)
        return sorted(self._rows.values(), key=lambda row: row.index)

    def episode(self, episode_id: str) -> EpisodeReader:
        """Reader of a committed episode."""
        return self._store.open(episode_id)

    def has_pictures(self, episode_id: str) -> bool:
        """Whether an episode has its pictures; False where a disk budget took them."""
        return (self._store.root / episode_id / PICTURES).is_dir()


def reward_mae(rows: Sequence[EpisodeRow]) -> float | None:
    """Mean |reward - the twin's rubric score| over labelled episodes; None without any."""
    errors = [
        abs(row.reward - row.truth_score)
        for row in rows
        if row.reward is not None and row.truth_score is not None
    ]
    return sum(errors) / len(errors) if errors else None

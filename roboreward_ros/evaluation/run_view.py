# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A run's training episodes as rows: what happened, what it was rewarded with, what was true."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from roboreward_ros.protocols import EpisodeReader
from roboreward_ros.types import Abstain, EndCause, RewardOutcome, Score, ScoreScale


class Label(StrEnum):
    """What asking for a reward came to."""

    SCORED = "scored"
    ABSTAINED = "abstained"
    FAILED = "failed"  # the source failed, or never answered


@dataclass(frozen=True, slots=True)
class EpisodeRow:
    """One training episode.

    Attributes:
        index: number in the run.
        episode_id: its name.
        n_steps: control steps.
        end_cause: why it ended.
        policy_version: steering actor that ran it.
        label: what its reward came to.
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
    label: Label
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


def row_of(episode: EpisodeReader, outcome: RewardOutcome | None) -> EpisodeRow:
    """The row of one episode.

    Args:
        episode: committed.
        outcome: what the run's view of the ledger says; None for nothing yet.
    """
    summary = episode.summary
    truth = episode.truth()
    scored = isinstance(outcome, Score)
    unlabelled = Label.ABSTAINED if isinstance(outcome, Abstain) else Label.FAILED
    return EpisodeRow(
        index=summary.meta.index,
        episode_id=summary.meta.episode_id,
        n_steps=summary.n_steps,
        end_cause=summary.end_cause,
        policy_version=summary.policy_version,
        label=Label.SCORED if scored else unlabelled,
        reward=to_rubric(outcome) if isinstance(outcome, Score) else None,
        success=truth[-1].success if truth else None,
        truth_score=truth[-1].score if truth else None,
        created_ns=summary.meta.created_ns,
    )


def rows_of(
    episodes: Iterable[EpisodeReader], outcomes: Mapping[str, RewardOutcome]
) -> list[EpisodeRow]:
    """Rows of all episodes, by index; ``outcomes`` by episode id."""
    rows = [row_of(e, outcomes.get(e.summary.meta.episode_id)) for e in episodes]
    return sorted(rows, key=lambda row: row.index)


def reward_mae(rows: Sequence[EpisodeRow]) -> float | None:
    """Mean |reward - the twin's rubric score| over labelled episodes; None without any."""
    errors = [
        abs(row.reward - row.truth_score)
        for row in rows
        if row.reward is not None and row.truth_score is not None
    ]
    return sum(errors) / len(errors) if errors else None

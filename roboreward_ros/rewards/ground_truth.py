# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The twin's own judgement of the final state; an oracle for studies, walled off from learners."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from roboreward_ros.errors import RewardSourceError
from roboreward_ros.rewards.config import config_hash
from roboreward_ros.types import (
    GroundTruth,
    Provenance,
    RewardRequest,
    RewardSpec,
    Score,
    ScoreKind,
    ScoreScale,
)


class TruthForm(StrEnum):
    """Which reward the truth is turned into."""

    RUBRIC = "rubric"  # 1..5 of the final state
    PROGRESS = "progress"  # [0, 1], dense
    BINARY = "binary"  # 0 or 1 by the task's own success test


@dataclass(frozen=True, slots=True)
class GroundTruthConfig:
    """Attributes: form: episodic rubric score, dense progress, or binary success."""

    form: TruthForm = TruthForm.RUBRIC


def require_truth(request: RewardRequest, source: str) -> Sequence[GroundTruth]:
    """The request's truth; raises RewardSourceError where there is none."""
    if not request.truth:
        raise RewardSourceError(
            f"source '{source}' needs the twin's ground truth",
            got=f"episode {request.episode_id} without any",
            next_step="Use a source that looks at images (a real arm has no ground truth).",
        )
    return request.truth


class GroundTruthSource:
    """Scores by the simulator's state (protocol ``RewardSource``)."""

    config_class = GroundTruthConfig

    def __init__(self, config: GroundTruthConfig | None = None) -> None:
        self._config = config or GroundTruthConfig()
        form = self._config.form
        self._spec = RewardSpec(
            name="ground_truth",
            scale=ScoreScale.RUBRIC if form is TruthForm.RUBRIC else ScoreScale.UNIT,
            dense=form is TruthForm.PROGRESS,
            needs_truth=True,
            timeout_s=5.0,
        )
        self._provenance = Provenance("ground_truth", config_hash=config_hash(self._config))

    @property
    def spec(self) -> RewardSpec:
        return self._spec

    def warm_up(self) -> None:
        """Nothing to load."""

    def score(self, request: RewardRequest) -> Score:
        truth = require_truth(request, self._spec.name)
        last = truth[-1]
        per_step: tuple[float, ...] = ()
        match self._config.form:
            case TruthForm.RUBRIC:
                value = float(last.score)
            case TruthForm.PROGRESS:
                value = last.progress
                per_step = tuple(t.progress for t in truth)
            case TruthForm.BINARY:
                value = float(last.success)
        return Score(value, self._spec.scale, ScoreKind.NONE, self._provenance, per_step=per_step)

    def close(self) -> None:
        """Nothing to free."""

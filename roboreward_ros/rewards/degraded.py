# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Ground truth made worse on purpose: the accuracy axis of "how good must a reward be?"."""

from __future__ import annotations

from dataclasses import dataclass

from roboreward_ros.errors import ConfigError
from roboreward_ros.rewards.config import config_hash
from roboreward_ros.rewards.ground_truth import require_truth
from roboreward_ros.rewards.human import episode_rng, require_probability
from roboreward_ros.types import (
    RUBRIC_MAX,
    RUBRIC_MIN,
    Provenance,
    RewardRequest,
    RewardSpec,
    Score,
    ScoreKind,
    ScoreScale,
)


@dataclass(frozen=True, slots=True)
class DegradedConfig:
    """How wrong the source is.

    Attributes:
        probability: of answering a uniformly drawn level instead of the true one. For a true
            level s the mean absolute error is probability * mean(|u - s|, u in 1..5), which is
            2.0, 1.4, 1.2, 1.4, 2.0 times the probability for s = 1..5.
        seed: of the draws; an episode's draw is the same whenever it is scored.
    """

    probability: float = 0.25
    seed: int = 0

    def __post_init__(self) -> None:
        require_probability("probability", self.probability)
        if self.seed < 0:
            raise ConfigError("seed is negative", got=self.seed, allowed=">= 0")


class DegradedSource:
    """The true rubric level or, sometimes, a random one (protocol ``RewardSource``)."""

    config_class = DegradedConfig

    def __init__(self, config: DegradedConfig | None = None) -> None:
        self._config = config or DegradedConfig()
        self._spec = RewardSpec("degraded", ScoreScale.RUBRIC, needs_truth=True, timeout_s=5.0)
        self._provenance = Provenance("degraded", config_hash=config_hash(self._config))

    @property
    def spec(self) -> RewardSpec:
        return self._spec

    def warm_up(self) -> None:
        """Nothing to load."""

    def score(self, request: RewardRequest) -> Score:
        level = require_truth(request, self._spec.name)[-1].score
        rng = episode_rng(self._config.seed, request.episode_id)
        if rng.random() < self._config.probability:
            level = int(rng.integers(RUBRIC_MIN, RUBRIC_MAX + 1))
        return Score(float(level), ScoreScale.RUBRIC, ScoreKind.NONE, self._provenance)

    def close(self) -> None:
        """Nothing to free."""

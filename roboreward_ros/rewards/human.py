# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A scripted person at the end of an episode: success or failure, with the errors people make."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from roboreward_ros.errors import ConfigError
from roboreward_ros.rewards.config import config_hash
from roboreward_ros.types import (
    RUBRIC_MAX,
    RUBRIC_MIN,
    Abstain,
    AbstainReason,
    Provenance,
    RewardRequest,
    RewardSpec,
    Score,
    ScoreKind,
    ScoreScale,
)


class HumanForm(StrEnum):
    """How the person answers."""

    BINARY = "binary"  # success 5, failure 1
    GRADED = "graded"  # success 5, failure: how far it got, 1..4


def require_probability(name: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise ConfigError(f"{name} is no probability", got=value, allowed="0..1")


def episode_rng(seed: int, episode_id: str) -> np.random.Generator:
    """Randomness that depends on the episode only, not on the order of scoring."""
    return np.random.default_rng((seed, zlib.crc32(episode_id.encode())))


@dataclass(frozen=True, slots=True)
class ScriptedHumanConfig:
    """Errors of the scripted person.

    Attributes:
        form: binary or graded answers.
        false_positive: probability of calling a failure a success.
        false_negative: probability of calling a success a failure.
        noise: graded failures are off by up to this many levels, uniformly.
        seed: of the errors; an episode's error is the same whenever it is scored.
    """

    form: HumanForm = HumanForm.BINARY
    false_positive: float = 0.0
    false_negative: float = 0.0
    noise: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        require_probability("false_positive", self.false_positive)
        require_probability("false_negative", self.false_negative)
        if not 0 <= self.noise <= 4:
            raise ConfigError("noise is out of range", got=self.noise, allowed="0..4 levels")
        if self.seed < 0:
            raise ConfigError("seed is negative", got=self.seed, allowed=">= 0")


_PRESS = "on an arm a person judges: press s or f on the console, now or later"


class ScriptedHumanSource:
    """Presses keys by the twin's truth and its own errors (protocol ``RewardSource``).

    An arm's episodes have no truth to go by: it abstains, until a person presses a key.
    """

    config_class = ScriptedHumanConfig

    def __init__(self, config: ScriptedHumanConfig | None = None) -> None:
        self._config = config or ScriptedHumanConfig()
        self._spec = RewardSpec("human", ScoreScale.RUBRIC, needs_truth=True, timeout_s=5.0)
        self._provenance = Provenance("human", config_hash=config_hash(self._config))

    @property
    def spec(self) -> RewardSpec:
        return self._spec

    def warm_up(self) -> None:
        """Nothing to load."""

    def score(self, request: RewardRequest) -> Score | Abstain:
        if not request.truth:
            return Abstain(AbstainReason.PERSON, self._provenance, _PRESS)
        last = request.truth[-1]
        config = self._config
        rng = episode_rng(config.seed, request.episode_id)
        wrong = rng.random() < (config.false_negative if last.success else config.false_positive)
        if last.success != wrong:
            return self._answer(RUBRIC_MAX, "s")
        if config.form is HumanForm.BINARY:
            return self._answer(RUBRIC_MIN, "f")
        level = last.score + int(rng.integers(-config.noise, config.noise + 1))
        return self._answer(int(np.clip(level, RUBRIC_MIN, RUBRIC_MAX - 1)), "f")

    def _answer(self, level: int, key: str) -> Score:
        return Score(float(level), ScoreScale.RUBRIC, ScoreKind.NONE, self._provenance, text=key)

    def close(self) -> None:
        """Nothing to free."""

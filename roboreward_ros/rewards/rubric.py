# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The 1..5 rubric of end-of-episode progress, in our words, and the mapping to [0, 1].

Two wordings exist in the literature (RoboReward, arXiv 2601.00675: first and second version); which
one a model was trained on changes its answers, so the version is part of every configuration.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from roboreward_ros.errors import ConfigError
from roboreward_ros.types import RUBRIC_MAX, RUBRIC_MIN, ScoreScale


@dataclass(frozen=True, slots=True)
class Level:
    """One level: its short name and what the final state must look like."""

    score: int
    name: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Rubric:
    """All levels of one version, ascending."""

    version: str
    levels: tuple[Level, ...]

    def level(self, score: int) -> Level:
        """Raises ConfigError outside 1..5."""
        if not RUBRIC_MIN <= score <= RUBRIC_MAX:
            raise ConfigError(
                "no such rubric level", got=score, allowed=f"{RUBRIC_MIN}..{RUBRIC_MAX}"
            )
        return self.levels[score - 1]


_V2 = Rubric(
    "v2",
    (
        Level(1, "no success", "nothing that matters for the task has changed"),
        Level(2, "minimal", "a small change towards the goal, far from enough"),
        Level(3, "partial", "clear progress, but a main requirement or several are not met"),
        Level(4, "near", "the right object at the right place, exactly one minor thing is missing"),
        Level(5, "perfect", "every requirement of the sentence is met"),
    ),
)
_V1 = Rubric(
    "v1",
    (
        *_V2.levels[:2],
        Level(3, "partial", "near the goal region, but requirements are violated"),
        Level(4, "near", "the goal is reached but for a precise tolerance"),
        _V2.levels[4],
    ),
)
RUBRICS: Mapping[str, Rubric] = {"v1": _V1, "v2": _V2}
"""By version; "v2" is what RoboReward-4B and -8B were trained with."""


def rubric(version: str = "v2") -> Rubric:
    """Raises ConfigError for an unknown version."""
    if version not in RUBRICS:
        raise ConfigError("unknown rubric version", got=version, allowed=RUBRICS)
    return RUBRICS[version]


def r01(value: float, scale: ScoreScale) -> float:
    """A score as a reward in [0, 1]: (s-1)/4 on the rubric, (x+1)/2 on signs."""
    match scale:
        case ScoreScale.RUBRIC:
            return (value - RUBRIC_MIN) / (RUBRIC_MAX - RUBRIC_MIN)
        case ScoreScale.UNIT:
            return value
        case ScoreScale.SIGN:
            return (value + 1) / 2

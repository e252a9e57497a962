# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A small success classifier that a run trains from its own labels; cheap, and quick to say no.

It sees one camera pose and one scene only. What it has not seen, and what it is not sure of, it
leaves to a person.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from roboreward_ros.errors import ConfigError, RewardSourceError
from roboreward_ros.rewards.config import config_hash
from roboreward_ros.rewards.frames import frames_hash
from roboreward_ros.rewards.small.features import episode_features
from roboreward_ros.rewards.small.model import Classifier
from roboreward_ros.types import (
    Abstain,
    AbstainReason,
    Provenance,
    RewardRequest,
    RewardSpec,
    Score,
    ScoreKind,
    ScoreScale,
)


class ClassifierForm(StrEnum):
    """Which number is the score."""

    PROBABILITY = "probability"  # calibrated probability of success
    BINARY = "binary"  # 0 or 1


@dataclass(frozen=True, slots=True)
class ClassifierConfig:
    """A trained file and when to abstain.

    Attributes:
        weights: file that ``roboreward reward classifier RUN`` wrote beside the run.
        form: see ``ClassifierForm``.
        min_confidence: abstain where neither outcome is as probable as this.
        timeout_s: deadline of one score, s.
    """

    weights: str = ""
    form: ClassifierForm = ClassifierForm.PROBABILITY
    min_confidence: float = 0.8
    timeout_s: float = 10.0

    def __post_init__(self) -> None:
        if not 0.5 <= self.min_confidence <= 1:
            raise ConfigError(
                "min_confidence is out of range", got=self.min_confidence, allowed="0.5..1"
            )
        if not self.timeout_s > 0:
            raise ConfigError("timeout_s is not positive", got=self.timeout_s)


class ClassifierSource:
    """Success, 0..1, from first and last frame (protocol ``RewardSource``)."""

    config_class = ClassifierConfig

    def __init__(self, config: ClassifierConfig | None = None) -> None:
        self._config = config or ClassifierConfig()
        self._spec = RewardSpec("classifier", ScoreScale.UNIT, timeout_s=self._config.timeout_s)
        self._identity = Provenance("classifier", config_hash=config_hash(self._config))
        self._models: dict[str, Classifier] = {}

    @property
    def spec(self) -> RewardSpec:
        return self._spec

    def warm_up(self) -> None:
        """Load the file; raises RewardSourceError with the remedy."""
        if self._models:
            return
        from roboreward_ros.rewards.small.store import load

        self._models, name = load(Path(self._config.weights).expanduser())
        self._identity = dataclasses.replace(self._identity, model=name)

    def score(self, request: RewardRequest) -> Score | Abstain:
        """Score one episode; raises RewardSourceError for a task it was not trained on."""
        model = self._models.get(" ".join(request.task.split()))
        if model is None:
            raise RewardSourceError(
                "the classifier was not trained on this task",
                got=request.task,
                allowed=sorted(self._models) or "nothing: it is not warm",
            )
        if not request.frames:
            raise RewardSourceError("the episode has no frames")
        seen = [request.frames[0], request.frames[-1]]
        identity = dataclasses.replace(self._identity, frames_hash=frames_hash(seen))
        features = episode_features(*seen)
        distance = model.distance(features)
        if distance > model.familiar:
            return Abstain(
                AbstainReason.UNFAMILIAR,
                identity,
                f"the picture is {distance / model.familiar:.1f} times as far from the labelled "
                "episodes as it may be",
            )
        p = model.probability(features)
        if max(p, 1 - p) < self._config.min_confidence:
            return Abstain(
                AbstainReason.ENTROPY,
                identity,
                f"probability {p:.2f} of success (sure from {self._config.min_confidence:g} on)",
                (0.0, 1.0),
                (1 - p, p),
            )
        value = p if self._config.form is ClassifierForm.PROBABILITY else float(p > 0.5)
        return Score(value, self._spec.scale, ScoreKind.NONE, identity, text=f"p = {p:.3f}")

    def close(self) -> None:
        """Free the arrays; idempotent."""
        self._models = {}

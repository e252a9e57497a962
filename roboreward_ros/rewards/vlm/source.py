# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What every model source shares: weights on demand, identity, and the verdict on an answer."""

from __future__ import annotations

import hashlib
import logging
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING

from roboreward_ros.errors import RewardSourceError
from roboreward_ros.rewards.config import config_hash
from roboreward_ros.rewards.vlm.answers import Answer
from roboreward_ros.rewards.vlm.parsers import Reading
from roboreward_ros.rewards.vlm.prompt import Family
from roboreward_ros.rewards.vlm.settings import ModelConfig
from roboreward_ros.rewards.vlm.verdict import judge, printed
from roboreward_ros.types import (
    Abstain,
    Provenance,
    RewardOutcome,
    RewardRequest,
    RewardSpec,
    Score,
    ScoreKind,
    ScoreScale,
)

if TYPE_CHECKING:
    from roboreward_ros.rewards.vlm.backend import Backend

_LOG = logging.getLogger(__name__)
MIN_FRAMES = 2


class ModelSource(ABC):
    """Base of the sources that hold a model (protocol ``RewardSource``).

    Args:
        name: registry name.
        scale: of its scores.
        config: settings.
        weights_hint: what to download, for the message when nothing is configured.
        dense: gives a value for every step.
    """

    def __init__(
        self,
        name: str,
        scale: ScoreScale,
        config: ModelConfig,
        weights_hint: str,
        dense: bool = False,
    ) -> None:
        self._settings = config
        self._hint = weights_hint
        self._spec = RewardSpec(
            name, scale, dense=dense, needs_child_process=True, timeout_s=config.timeout_s
        )
        self._backend: Backend | None = None
        self._identity = Provenance(name)

    @property
    def spec(self) -> RewardSpec:
        return self._spec

    def warm_up(self) -> None:
        """Load the weights and answer one question.

        Raises:
            RewardSourceError: no weights configured, or they cannot be loaded; says what to do.
        """
        if self._backend is not None:
            return
        self.require_weights()
        from roboreward_ros.rewards.vlm.backend import Backend
        from roboreward_ros.rewards.vlm.weights import load

        self.adopt(Backend(load(self._settings)))

    def require_weights(self) -> None:
        """Raises RewardSourceError, with the remedy, where no weights are configured; cheap."""
        if not self._settings.model:
            raise RewardSourceError(
                f"reward source '{self._spec.name}' has no weights: its option 'model' is empty",
                next_step=f"{self._hint} Then set 'model' (and 'revision' for a Hub id) in "
                f"config/rewards/{self._spec.name}.yaml or in the options. Without weights, use "
                "reward:=human, or reward:=ground_truth on the twin.",
            )

    def adopt(self, backend: Backend) -> None:
        """Use a model that is loaded already, and answer one question with it."""
        backend.self_check()
        template = self._template(backend.family)
        digest = hashlib.sha256((config_hash(self._settings) + template).encode())
        self._identity = Provenance(self._spec.name, backend.weights.identity, digest.hexdigest())
        self._try(backend)
        self._backend = backend
        _LOG.info(
            "reward source %s: model %s on %s, configuration %s",
            self._spec.name,
            self._identity.model,
            backend.device,
            self._identity.config_hash[:12],
        )

    def score(self, request: RewardRequest) -> RewardOutcome:
        """Score one episode; raises RewardSourceError for one that cannot be looked at."""
        return self._ask(self._warm([request]), request)

    def _warm(self, requests: Sequence[RewardRequest]) -> Backend:
        """The model, if it is there and the episodes are long enough to be looked at."""
        if self._backend is None:
            raise RewardSourceError(
                f"reward source '{self._spec.name}' is not warm", next_step="Call warm_up first."
            )
        for request in requests:
            if len(request.frames) < MIN_FRAMES:
                raise RewardSourceError(
                    "the episode is too short to be judged",
                    got=f"{len(request.frames)} frames",
                    allowed=f">= {MIN_FRAMES}",
                )
        return self._backend

    def close(self) -> None:
        """Free the weights; idempotent."""
        self._backend = None

    @abstractmethod
    def _template(self, family: Family) -> str:
        """The prompt with a placeholder for the task: part of the configuration's hash."""

    @abstractmethod
    def _try(self, backend: Backend) -> None:
        """Answer a question about nothing, so that the first episode finds a warm model."""

    @abstractmethod
    def _ask(self, backend: Backend, request: RewardRequest) -> RewardOutcome:
        """Score an episode of at least two frames."""

    def _verdict(
        self,
        answer: Answer,
        kind: ScoreKind,
        provenance: Provenance,
        per_step: tuple[float, ...] = (),
    ) -> Score | Abstain:
        """A score, unless the distribution says that the model does not know."""
        value = self._value(answer)
        return judge(answer, self._settings, self._spec.scale, kind, provenance, per_step, value)

    def _value(self, answer: Answer) -> float:
        """Which number of a distribution is the score."""
        return answer.value(self._settings.estimate)

    def _printed(self, text: str, reading: Reading, provenance: Provenance) -> RewardOutcome:
        """What a printed answer amounts to; the text is kept."""
        return printed(text, reading, self._spec.scale, provenance)

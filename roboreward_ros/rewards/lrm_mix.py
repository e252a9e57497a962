# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The three LRM heads as one reward (arXiv 2603.16065): contrast, progress and completion.

One base model carries three adapters that are switched between questions. The authors weigh the
heads equally and map contrast from -1..1 to 0..1 first, because its negative half cancels the
others otherwise.
"""

from __future__ import annotations

import dataclasses
import logging
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from roboreward_ros.errors import ConfigError, RewardSourceError
from roboreward_ros.rewards.config import config_hash
from roboreward_ros.rewards.frames import frames_hash
from roboreward_ros.rewards.lrm_completion import LrmCompletionConfig, LrmCompletionSource
from roboreward_ros.rewards.lrm_contrastive import LrmContrastiveConfig, LrmContrastiveSource
from roboreward_ros.rewards.lrm_progress import LrmProgressConfig, LrmProgressSource
from roboreward_ros.rewards.rubric import r01
from roboreward_ros.rewards.vlm.image_source import LRM_HINT, ImageConfig, ImageSource
from roboreward_ros.rewards.vlm.settings import Readout
from roboreward_ros.types import (
    Abstain,
    Provenance,
    RewardFailure,
    RewardOutcome,
    RewardRequest,
    RewardSpec,
    Score,
    ScoreKind,
    ScoreScale,
)

if TYPE_CHECKING:
    from roboreward_ros.rewards.vlm.heads import Heads

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LrmMixConfig(ImageConfig):
    """One base model, three adapters and their weights.

    Attributes:
        progress_adapter, completion_adapter, contrastive_adapter: folder or Hub id; "" asks the
            base model itself.
        progress_revision, completion_revision, contrastive_revision: full commit hashes.
        progress_weight, completion_weight, contrastive_weight: shares; normalised to a sum of 1;
            a head of weight 0 is not asked.
        contrastive_readout: the contrast head was trained to reason first.
        max_entropy: abstain above this share of the most that a head's answers allow.
        max_off_answer_mass: of any head.
    """

    progress_adapter: str = ""
    progress_revision: str = ""
    progress_weight: float = 1.0
    completion_adapter: str = ""
    completion_revision: str = ""
    completion_weight: float = 1.0
    contrastive_adapter: str = ""
    contrastive_revision: str = ""
    contrastive_weight: float = 1.0
    contrastive_readout: Readout = Readout.PRINTED
    max_new_tokens: int = 512
    max_entropy: float = 0.9
    max_off_answer_mass: float = 0.5
    timeout_s: float = 120.0

    def __post_init__(self) -> None:
        ImageConfig.__post_init__(self)
        weights = [self.progress_weight, self.completion_weight, self.contrastive_weight]
        if not all(math.isfinite(w) and w >= 0 for w in weights) or not sum(weights) > 0:
            raise ConfigError(
                "the heads' weights are impossible", got=weights, allowed=">= 0, one above 0"
            )
        if self.adapter or self.adapter_revision:
            raise ConfigError(
                "every head has an adapter of its own",
                got=self.adapter,
                allowed="progress_adapter, completion_adapter, contrastive_adapter",
            )


@dataclass(frozen=True, slots=True)
class _Head:
    name: str
    weight: float
    source: ImageSource
    adapter: str
    revision: str


def _heads(config: LrmMixConfig) -> tuple[_Head, ...]:
    """Heads that are asked; progress first: its adapter brings a vision tower of its own."""
    shared = {
        field.name: getattr(config, field.name)
        for field in dataclasses.fields(ImageConfig)
        if field.name not in ("adapter", "adapter_revision", "max_entropy")
    }
    two = config.max_entropy * math.log(2)
    eleven = config.max_entropy * math.log(11)
    contrast = {**shared, "readout": config.contrastive_readout}
    heads = (
        _Head(
            "progress",
            config.progress_weight,
            LrmProgressSource(LrmProgressConfig(**shared, max_entropy=eleven)),
            config.progress_adapter,
            config.progress_revision,
        ),
        _Head(
            "completion",
            config.completion_weight,
            LrmCompletionSource(LrmCompletionConfig(**shared, max_entropy=two)),
            config.completion_adapter,
            config.completion_revision,
        ),
        _Head(
            "contrast",
            config.contrastive_weight,
            LrmContrastiveSource(LrmContrastiveConfig(**contrast, max_entropy=two)),
            config.contrastive_adapter,
            config.contrastive_revision,
        ),
    )
    return tuple(head for head in heads if head.weight > 0)


class LrmMixSource:
    """Weighted mean of the heads, 0..1 (protocol ``RewardSource``).

    Where a head abstains or fails, so does the mix: a mean over the others is another reward.
    """

    config_class = LrmMixConfig

    def __init__(self, config: LrmMixConfig | None = None) -> None:
        self._config = config or LrmMixConfig()
        self._spec = RewardSpec(
            "lrm_mix",
            ScoreScale.UNIT,
            dense=self._config.dense,
            needs_child_process=True,
            timeout_s=self._config.timeout_s,
        )
        self._heads = _heads(self._config)
        self._model: Heads | None = None
        self._identity = Provenance("lrm_mix", config_hash=config_hash(self._config))

    @property
    def spec(self) -> RewardSpec:
        return self._spec

    def warm_up(self) -> None:
        """Load base and adapters, and answer one question a head; raises RewardSourceError."""
        if self._model is not None:
            return
        if not self._config.model:
            raise RewardSourceError(
                "reward source 'lrm_mix' has no weights: its option 'model' is empty",
                next_step=f"{LRM_HINT} For the mix, set 'model' and the three "
                "'<head>_adapter' in config/rewards/lrm_mix.yaml or in the options.",
            )
        from roboreward_ros.rewards.vlm.heads import load_heads

        heads = load_heads(
            self._config, {head.name: (head.adapter, head.revision) for head in self._heads}
        )
        for head in self._heads:
            head.source.adopt(heads.use(head.name))
        self._model = heads
        self._identity = dataclasses.replace(self._identity, model=heads.identity)
        _LOG.info("reward source lrm_mix: %s", heads.identity)

    def score(self, request: RewardRequest) -> RewardOutcome:
        """Score one episode; raises RewardSourceError for one that cannot be looked at."""
        if self._model is None:
            raise RewardSourceError(
                "reward source 'lrm_mix' is not warm", next_step="Call warm_up first."
            )
        value = 0.0
        total = sum(head.weight for head in self._heads)
        steps: list[float] = [0.0] * (len(request.frames) if self._spec.dense else 0)
        hashes: list[str] = []
        notes: list[str] = []
        for head in self._heads:
            self._model.use(head.name)
            outcome = head.source.score(request)
            identity = dataclasses.replace(
                self._identity, frames_hash=outcome.provenance.frames_hash
            )
            if isinstance(outcome, RewardFailure):
                message = f"{head.name}: {outcome.message}"
                return dataclasses.replace(outcome, message=message, provenance=identity)
            if isinstance(outcome, Abstain):
                detail = f"{head.name}: {outcome.detail}"
                return dataclasses.replace(outcome, detail=detail, provenance=identity)
            share = head.weight / total
            value += share * r01(outcome.value, outcome.scale)
            for step, item in enumerate(outcome.per_step):
                steps[step] += share * r01(item, outcome.scale)
            hashes.append(outcome.provenance.frames_hash)
            printed = f" ({outcome.text})" if outcome.text else ""
            notes.append(f"{head.name} {outcome.value:g}{printed}")
        identity = dataclasses.replace(
            self._identity, frames_hash=frames_hash([text.encode() for text in hashes])
        )
        return Score(
            min(value, 1.0),
            self._spec.scale,
            ScoreKind.NONE,
            identity,
            text="; ".join(notes),
            per_step=tuple(min(item, 1.0) for item in steps),
        )

    def close(self) -> None:
        """Free the weights; idempotent."""
        for head in self._heads:
            head.source.close()
        self._model = None

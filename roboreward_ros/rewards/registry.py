# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Names of reward sources. Nothing of a source is imported before it is built."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Protocol, cast

from roboreward_ros.errors import ConfigError
from roboreward_ros.protocols import RewardSource
from roboreward_ros.rewards.config import Option, Options, build_config, file_options
from roboreward_ros.rewards.shipped import model_options

SOURCES: Mapping[str, str] = {
    "api": "roboreward_ros.rewards.api:ApiSource",
    "classifier": "roboreward_ros.rewards.classifier:ClassifierSource",
    "degraded": "roboreward_ros.rewards.degraded:DegradedSource",
    "gvl": "roboreward_ros.rewards.gvl:GvlSource",
    "ground_truth": "roboreward_ros.rewards.ground_truth:GroundTruthSource",
    "human": "roboreward_ros.rewards.human:ScriptedHumanSource",
    "lrm_completion": "roboreward_ros.rewards.lrm_completion:LrmCompletionSource",
    "lrm_contrastive": "roboreward_ros.rewards.lrm_contrastive:LrmContrastiveSource",
    "lrm_mix": "roboreward_ros.rewards.lrm_mix:LrmMixSource",
    "lrm_progress": "roboreward_ros.rewards.lrm_progress:LrmProgressSource",
    "qwen_base": "roboreward_ros.rewards.qwen_base:QwenBaseSource",
    "remote": "roboreward_ros.rewards.remote.source:RemoteSource",
    "roboreward": "roboreward_ros.rewards.roboreward:RoboRewardSource",
    "topreward": "roboreward_ros.rewards.topreward:TopRewardSource",
}


class SourceClass(Protocol):
    """What a registered class offers: a configuration dataclass and a light constructor.

    The constructor must not load weights (``warm_up`` does): a parent builds a source only to
    read its spec, and lets a child process run it.
    """

    config_class: type[object]

    def __call__(self, config: object) -> RewardSource: ...


def find_class(name: str) -> SourceClass:
    """The class behind a registered name, or behind ``package.module:Class``.

    Raises:
        ConfigError: unknown name (the message lists all), or it cannot be imported.
    """
    place = SOURCES.get(name, name)
    if ":" not in place:
        raise ConfigError(
            "unknown reward source",
            got=name,
            allowed=sorted(SOURCES),
            next_step="Another package's source is named package.module:Class.",
        )
    module, _, attribute = place.partition(":")
    try:
        found = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(
            f"reward source '{name}' cannot be loaded",
            got=str(error),
            next_step="Install what it needs (`roboreward doctor` lists it).",
        ) from None
    if not isinstance(getattr(found, "config_class", None), type):
        raise ConfigError(f"{place} is not a reward source: it has no config_class")
    return cast("SourceClass", found)


def merged_options(name: str, options: Options | None = None) -> dict[str, Option]:
    """The file's options, those that its model was trained on, and ``options``, the last wins."""
    stored = file_options(name) if name in SOURCES else {}
    model = _over(stored, options or {}).get("model")
    trained = model_options(model) if isinstance(model, str) else {}
    return _over(_over(stored, trained), options or {})


def _over(stored: Options, options: Options) -> dict[str, Option]:
    """Mappings are merged; everything else is replaced."""
    merged = dict(stored)
    for key, value in options.items():
        old = merged.get(key)
        if isinstance(old, dict) and isinstance(value, dict):
            merged[key] = _over(old, value)
        else:
            merged[key] = value
    return merged


def build(name: str, options: Options | None = None) -> RewardSource:
    """A source by name; ``options`` go over ``config/rewards/<name>.yaml``.

    Raises:
        ConfigError: unknown name, unknown option, or a value out of range.
    """
    found = find_class(name)
    config = build_config(
        found.config_class, merged_options(name, options), f"reward source '{name}'"
    )
    return found(config)

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What open-pi-zero's evaluation configuration and statistics say, checked (commit c3df7fb)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from roboreward_ros.errors import CheckpointError, ConfigError
from roboreward_ros.files import read_yaml
from roboreward_ros.policies.adapters.files import read_json, whole
from roboreward_ros.policies.config import MAX_BLOCKS
from roboreward_ros.types import ACTION_DIM, PROPRIO_DIM

CONFIG_FILE = "pi_zero.yaml"
STATISTICS_FILE = "pi_zero_statistics.json"

MAX_WORDS = 1 << 20


@dataclass(frozen=True, slots=True)
class Expert:
    """One set of weights of the joint transformer.

    Attributes:
        hidden: width.
        intermediate: of its MLP.
        theta: base of its rotary positions.
    """

    hidden: int
    intermediate: int
    theta: float


@dataclass(frozen=True, slots=True)
class PiZeroConfig:
    """A flow policy on a vision-language model.

    Attributes:
        vlm, action: experts; the proprioception has the action expert's sizes.
        layers, heads, kv_heads, head_dim, rms_eps: of the joint transformer.
        vision_hidden, vision_intermediate, vision_layers, vision_heads, vision_eps: of SigLIP.
        image_size, patch_size: px.
        vocabulary, image_token: of the text.
        max_tokens: pictures and text together.
        horizon: P.
        euler_steps: of the flow.
        clip: bound on the finished chunk, normalised units; 0: none.
        time_period: longest period of the time embedding.
        action_low, action_high: 1st and 99th percentile ``[7]``, the gripper's unused.
        proprio_low, proprio_high: likewise ``[7]``.
    """

    vlm: Expert
    action: Expert
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    rms_eps: float
    vision_hidden: int
    vision_intermediate: int
    vision_layers: int
    vision_heads: int
    vision_eps: float
    image_size: int
    patch_size: int
    vocabulary: int
    image_token: int
    max_tokens: int
    horizon: int
    euler_steps: int
    clip: float
    time_period: float
    action_low: tuple[float, ...]
    action_high: tuple[float, ...]
    proprio_low: tuple[float, ...]
    proprio_high: tuple[float, ...]

    def __post_init__(self) -> None:
        for name, length in (("action", ACTION_DIM), ("proprio", PROPRIO_DIM)):
            low, high = getattr(self, f"{name}_low"), getattr(self, f"{name}_high")
            wide = all(b > a for a, b in zip(low, high, strict=False))
            if len(low) != length or len(high) != length or not wide:
                raise ConfigError(
                    f"{name} statistics of pi_zero", got=(low, high), allowed=f"{length}, p01 < p99"
                )
        if self.image_tokens >= self.max_tokens:
            raise ConfigError(
                "tokens of pi_zero", got=self.max_tokens, allowed=f"over {self.image_tokens}"
            )

    @property
    def image_tokens(self) -> int:
        """Patches of a picture."""
        return (self.image_size // self.patch_size) ** 2

    @property
    def feature_dim(self) -> int:
        """F: the prefix's mean state and the unit proprioception."""
        return self.vlm.hidden + PROPRIO_DIM


def read_config(folder: Path) -> PiZeroConfig:
    """Read both files of a folder.

    Raises:
        CheckpointError: missing, damaged, or a form of the policy that is not supported.
        ConfigError: values out of range.
    """
    try:
        raw = read_yaml(folder / CONFIG_FILE)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise CheckpointError(f"{CONFIG_FILE} cannot be read", got=str(error)) from error
    statistics = read_json(folder / STATISTICS_FILE)
    try:
        return _parse(raw, statistics)
    except (LookupError, TypeError, ValueError, OverflowError, AttributeError) as error:
        raise CheckpointError(
            f"{CONFIG_FILE} cannot be read", got=f"{type(error).__name__}: {error}"
        ) from error


def _parse(raw: Mapping[str, object], statistics: Mapping[str, object]) -> PiZeroConfig:
    only: dict[str, tuple[object, object]] = {
        "action_expert_adaptive_mode": (raw.get("action_expert_adaptive_mode"), None),
        "quantize": (raw.get("quantize", False), False),
        "lora": (raw.get("lora", False), False),
        "cond_steps": (raw["cond_steps"], 1),
        "action_dim": (raw["action_dim"], ACTION_DIM),
        "proprio_dim": (raw["proprio_dim"], PROPRIO_DIM),
    }
    for name, (got, allowed) in only.items():
        if got != allowed:
            raise CheckpointError(f"{name} of {CONFIG_FILE}", got=got, allowed=str(allowed))
    mixture = _part(raw, "mixture")
    joint = _part(_part(raw, "joint"), "config")
    vision = _part(_part(raw, "vision"), "config")
    adapter = _part(_part(raw, "env"), "adapter")
    if _part(mixture, "proprio")["hidden_size"] != _part(mixture, "action")["hidden_size"]:
        raise CheckpointError("proprio and action experts of different width")
    theta = raw.get("action_expert_rope_theta", 10000.0)
    clip = raw.get("final_action_clip_value")
    percentiles = {
        f"{name}_{end}": tuple(float(x) for x in _part(statistics, name)[key])  # type: ignore[attr-defined]
        for name in ("action", "proprio")
        for end, key in (("low", "p01"), ("high", "p99"))
    }
    return PiZeroConfig(
        vlm=_expert(_part(mixture, "vlm"), 10000.0),
        action=_expert(_part(mixture, "action"), _number(theta)),
        layers=whole(joint["num_hidden_layers"], MAX_BLOCKS),
        heads=whole(joint["num_attention_heads"]),
        kv_heads=whole(joint["num_key_value_heads"]),
        head_dim=whole(joint["head_dim"]),
        rms_eps=_number(joint["rms_norm_eps"]),
        vision_hidden=whole(vision["hidden_size"]),
        vision_intermediate=whole(vision["intermediate_size"]),
        vision_layers=whole(vision["num_hidden_layers"], MAX_BLOCKS),
        vision_heads=whole(vision["num_attention_heads"]),
        vision_eps=_number(vision["layer_norm_eps"]),
        image_size=whole(vision["image_size"]),
        patch_size=whole(vision["patch_size"]),
        vocabulary=whole(raw["vocab_size"], MAX_WORDS),
        image_token=whole(raw["image_token_index"], MAX_WORDS),
        max_tokens=whole(adapter["max_seq_len"]),
        horizon=whole(raw["horizon_steps"]),
        euler_steps=whole(raw["num_inference_steps"]),
        clip=0.0 if clip is None else _number(clip),
        time_period=_number(raw.get("time_max_period", 10000.0)),
        **percentiles,
    )


def _part(raw: Mapping[str, object], name: str) -> Mapping[str, object]:
    value = raw[name]
    if not isinstance(value, dict):
        raise TypeError(f"{name} is no mapping")
    return value


def _expert(raw: Mapping[str, object], theta: float) -> Expert:
    given = raw.get("rope_theta", theta)
    # The files write "${action_expert_rope_theta}": the value beside it, which is the default.
    own = theta if isinstance(given, str) else _number(given)
    return Expert(whole(raw["hidden_size"]), whole(raw["intermediate_size"]), own)


def _number(value: object) -> float:
    # YAML 1.1 reads 1e-6 as text.
    return float(value)  # type: ignore[arg-type]

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What octo-pytorch's configuration and statistics say, checked (emb-ai/octo-pytorch, 5ee3e87)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from roboreward_ros.errors import CheckpointError, ConfigError
from roboreward_ros.policies.adapters.files import read_json, whole
from roboreward_ros.policies.config import MAX_BLOCKS
from roboreward_ros.policies.normalise import Statistics
from roboreward_ros.types import ACTION_DIM

CONFIG_FILE = "octo.json"
STATISTICS_FILE = "octo_statistics.json"
BRIDGE = "bridge_dataset"
PRIMARY, LANGUAGE, READOUT = "primary", "language", "action"
MAX_WINDOW = 10
"""Time steps that Octo has positions for."""


@dataclass(frozen=True, slots=True)
class OctoConfig:
    """A transformer over picture and sentence with a diffusion head.

    Attributes:
        width: of the tokens.
        layers, heads, mlp: of the transformer.
        readouts: tokens that are read off per time step.
        words: tokens of a sentence, padded.
        repeat_task: the sentence's tokens stand beside every observation too.
        stem: channels of the picture's convolutions and of what they give.
        task_picture: the picture's encoder takes a goal picture beside it; without one it is black.
        image_size: side of the picture, px.
        window: n, observations of a decision.
        horizon: P.
        clip: bound on normalised actions.
        diffusion_steps: T.
        time_dim, head_blocks, head_width, head_norm: of the diffusion head.
        action: normalisation; dimensions that were not normalised have mean 0 and spread 1.
    """

    width: int
    layers: int
    heads: int
    mlp: int
    readouts: int
    words: int
    repeat_task: bool
    stem: tuple[int, ...]
    task_picture: bool
    image_size: int
    window: int
    horizon: int
    clip: float
    diffusion_steps: int
    time_dim: int
    head_blocks: int
    head_width: int
    head_norm: bool
    action: Statistics

    def __post_init__(self) -> None:
        if self.width % self.heads:
            raise ConfigError(
                "width of Octo does not split into heads", got=(self.width, self.heads)
            )
        if not 1 <= self.window <= MAX_WINDOW:
            raise ConfigError("window of Octo", got=self.window, allowed=f"1..{MAX_WINDOW}")
        if self.image_size % 16:
            raise ConfigError("picture of Octo", got=self.image_size, allowed="a multiple of 16")

    @property
    def patches(self) -> int:
        """Tokens of a picture."""
        return (self.image_size // 16) ** 2


def read_config(folder: Path) -> OctoConfig:
    """Read both files of a folder.

    Raises:
        CheckpointError: missing, damaged, or a form of Octo that is not supported.
        ConfigError: values out of range.
    """
    raw, statistics = read_json(folder / CONFIG_FILE), read_json(folder / STATISTICS_FILE)
    try:
        return _parse(raw, _of_bridge(statistics))
    except (LookupError, TypeError, ValueError, OverflowError, AttributeError) as error:
        raise CheckpointError(
            f"{CONFIG_FILE} cannot be read", got=f"{type(error).__name__}: {error}"
        ) from error


def _parse(raw: Mapping[str, object], action: Statistics) -> OctoConfig:
    model = _part(raw, "model")
    pictures, texts = _part(model, "observation_tokenizers"), _part(model, "task_tokenizers")
    _only("observation tokenizers", set(pictures) - {PRIMARY, "wrist"}, set())
    _only("task tokenizers", set(texts), {LANGUAGE})
    primary = _spec(pictures, PRIMARY, "ImageTokenizer")
    _only("obs_stack_keys", _strings(primary["obs_stack_keys"]), ["image_primary"])
    task_keys = _strings(primary.get("task_stack_keys") or [])
    _only("task_stack_keys", task_keys, ["image_primary"] if task_keys else [])
    _only("task_film_keys", list(_strings(primary.get("task_film_keys") or [])), [])
    _only("use_token_learner", primary.get("use_token_learner", False), False)
    stem = _spec(primary, "encoder", "SmallStem16")
    _only("img_norm_type", stem.get("img_norm_type", "default"), "default")
    _only("use_correct_attention", model.get("use_correct_attention", False), True)
    head = _spec(_part(model, "heads"), READOUT, "DiffusionActionHead")
    _only("readout_key", head["readout_key"], f"readout_{READOUT}")
    _only("use_map", head.get("use_map", False), False)
    _only("action_dim", head.get("action_dim", ACTION_DIM), ACTION_DIM)
    text = _part(_part(_part(raw, "text_processor"), "kwargs"), "tokenizer_kwargs")
    body = _part(model, "transformer_kwargs")
    frames = _part(_part(raw, "dataset_kwargs"), "frame_transform_kwargs")
    side, other = cast("list[int]", _part(frames, "resize_size")[PRIMARY])
    _only("resize_size", other, side)
    return OctoConfig(
        width=whole(model["token_embedding_size"]),
        layers=whole(body["num_layers"], MAX_BLOCKS),
        heads=whole(body["num_attention_heads"]),
        mlp=whole(body["mlp_dim"]),
        readouts=whole(_part(model, "readouts")[READOUT]),
        words=whole(text["max_length"]),
        repeat_task=bool(model.get("repeat_task_tokens", False)),
        stem=(
            *(whole(x) for x in cast("list[int]", stem.get("features", (32, 96, 192, 384)))),
            whole(stem.get("num_features", 512)),
        ),
        task_picture=bool(task_keys),
        image_size=whole(side),
        window=whole(raw["window_size"]),
        horizon=whole(head.get("action_horizon", head.get("pred_horizon", 1))),
        clip=float(cast("float", head.get("max_action", 5.0))),
        diffusion_steps=whole(head.get("diffusion_steps", 20)),
        time_dim=whole(head.get("time_dim", 32)),
        head_blocks=whole(head.get("num_blocks", 3), MAX_BLOCKS),
        head_width=whole(head.get("hidden_dim", 256)),
        head_norm=bool(head.get("use_layer_norm", True)),
        action=action,
    )


def _of_bridge(raw: Mapping[str, object]) -> Statistics:
    """Action statistics: the file's own, BridgeData's among several, or those of the only one."""
    chosen = raw
    if "action" not in raw:
        if BRIDGE not in raw and len(raw) != 1:
            raise CheckpointError(
                f"whose statistics of {STATISTICS_FILE}?", got=sorted(raw), allowed=BRIDGE
            )
        chosen = _part(raw, BRIDGE if BRIDGE in raw else next(iter(raw)))
    action = cast("Mapping[str, list[float]]", _part(chosen, "action"))
    mean, spread = action["mean"], action["std"]
    normalised = action.get("mask") or [True] * len(mean)
    if not len(mean) == len(spread) == len(normalised) == ACTION_DIM:
        raise CheckpointError(
            f"action statistics of {STATISTICS_FILE}", got=len(mean), allowed=ACTION_DIM
        )
    rows = list(zip(mean, spread, normalised, strict=True))
    return Statistics(
        tuple(float(m) if on else 0.0 for m, _, on in rows),
        tuple(float(s) if on else 1.0 for _, s, on in rows),
    )


def _only(name: str, got: object, allowed: object) -> None:
    if got != allowed:
        raise CheckpointError(
            f"{name} of {CONFIG_FILE}",
            got=sorted(got) if isinstance(got, set) else got,
            allowed=str(allowed) if allowed else "none but the arm's",
        )


def _part(raw: Mapping[str, object], name: str) -> Mapping[str, object]:
    value = raw[name]
    if not isinstance(value, dict):
        raise TypeError(f"{name} is no mapping")
    return value


def _spec(raw: Mapping[str, object], name: str, kind: str) -> Mapping[str, object]:
    """Arguments of a module by name; the port's classes end in Pt."""
    spec = _part(raw, name)
    _only(f"{name}'s class", str(spec["name"]).removesuffix("Pt"), kind)
    return _part(spec, "kwargs")


def _strings(value: object) -> list[str]:
    return [str(item) for item in cast("list[str]", value)]

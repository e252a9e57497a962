# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The goal-conditioned diffusion policy of BridgeData V2, converted from its Flax checkpoint.

Its goals are pictures: the card names one per sentence. Its makers sample by the ancestral
sampler and clip every noisy chunk to +-2; here DDIM at eta = 0 clips the clean chunk to +-2.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from safetensors.numpy import save_file
from torch import Tensor

from roboreward_ros.errors import CheckpointError, ConfigError
from roboreward_ros.policies.adapters.base import Adapter
from roboreward_ros.policies.adapters.card import CARD_FILE, AdapterCard, load_card
from roboreward_ros.policies.adapters.files import fit, identity, read_json, read_tensors, require
from roboreward_ros.policies.adapters.flax_weights import read_flax, to_torch
from roboreward_ros.policies.adapters.gc_ddpm_config import (
    DESCRIPTION_FILE,
    FORMAT,
    SCHEDULES,
    GcDdpmConfig,
    parse_config,
    read_config,
)
from roboreward_ros.policies.adapters.gc_ddpm_network import GcDdpm
from roboreward_ros.policies.adapters.schedule import Ddim, Predicts, alpha_bars
from roboreward_ros.types import ACTION_DIM, Float32Array, FloatArray, PolicySpec

WEIGHTS_FILE = "gc_ddpm_bc.safetensors"
ACTOR = ("state", "target_params", "modules_actor")
"""The averaged weights, which the makers evaluate with."""
DEFAULT_STEPS = 10
CLIP = 2.0


def convert(checkpoint: Path, config_file: Path, image_size: int, out: Path) -> GcDdpmConfig:
    """Write a Flax checkpoint and its logged configuration as a folder that can be loaded.

    Args:
        checkpoint: msgpack file of ``flax.training.checkpoints``.
        config_file: JSON of the training run.
        image_size: side of the pictures it was trained on, px: 128 or 256 in its name.
        out: folder to write.

    Raises:
        CheckpointError: another agent, weights that do not fit.
    """
    raw = read_json(config_file)
    config = parse_config(raw, image_size)
    arrays = read_flax(checkpoint, ACTOR)
    tensors = {name: np.ascontiguousarray(value) for name, value in arrays.items()}
    with torch.device("meta"):
        network = GcDdpm(config)
    fit(
        network,
        to_torch({name: torch.from_numpy(value.copy()) for name, value in tensors.items()}),
        "gc_ddpm_bc",
    )
    out.mkdir(parents=True, exist_ok=True)
    save_file(tensors, str(out / WEIGHTS_FILE))
    document = {"format": FORMAT, "image_size": image_size, "config": raw}
    (out / DESCRIPTION_FILE).write_text(json.dumps(document, indent=1, sort_keys=True) + "\n")
    return config


def describe(folder: Path) -> PolicySpec:
    """The policy's spec, without loading its weights.

    Raises:
        CheckpointError, ConfigError: files missing or damaged, values out of range, no goals.
    """
    return _spec(folder, read_config(folder), load_card(folder))


class GcDdpmPolicy(Adapter):
    """See the module's text.

    Args:
        folder: what ``convert`` wrote, with a card that names goals.
        device: torch device.

    Raises:
        CheckpointError, ConfigError: as of ``describe``; weights that do not fit.
    """

    def __init__(self, folder: Path, device: str = "cpu") -> None:
        config, card = read_config(folder), load_card(folder)
        super().__init__(_spec(folder, config, card), (config.image_size,) * 2, device)
        with torch.device("meta"):
            network = GcDdpm(config)
        fit(network, to_torch(read_tensors(folder / WEIGHTS_FILE)), "gc_ddpm_bc")
        self._network = network.to(device).eval().requires_grad_(False)
        self._statistics = config.action
        self._goals = {
            task: torch.from_numpy(self._goal(folder / name)).to(device)
            for task, name in card.goals.items()
        }
        powers = alpha_bars(SCHEDULES[config.beta_schedule], config.diffusion_steps, 1e-4, 2e-2)
        count = card.sample_steps or min(DEFAULT_STEPS, config.diffusion_steps)
        self._sampler = Ddim.leading(powers, count, Predicts.EPSILON, CLIP, consistent=True)

    def features(self, frames: Tensor, proprio: FloatArray, tasks: Sequence[str]) -> Tensor:
        del proprio
        return self._network.features(frames, torch.stack([self._goals[task] for task in tasks]))

    def chunks(self, features: Tensor, noise: Tensor) -> Float32Array:
        unit = self._sampler.sample(
            lambda x, step: self._network.predict(x, step, features), noise.flatten(1)
        )
        chunk: Float32Array = unit.reshape(len(unit), -1, ACTION_DIM).cpu().numpy()
        return self._statistics.restore(chunk)

    def _goal(self, path: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
        picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if picture is None:
            raise CheckpointError("goal picture cannot be read", got=str(path), allowed="PNG, JPEG")
        colours = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB).astype(np.uint8)
        return np.ascontiguousarray(self._resized(colours))


def _spec(folder: Path, config: GcDdpmConfig, card: AdapterCard) -> PolicySpec:
    if not card.goals:
        raise ConfigError(
            "a goal-conditioned policy needs a goal picture per task",
            got="no goals",
            allowed=f"goals in {folder / CARD_FILE}: 'sentence: picture.png'",
            next_step="Photograph the scene as it should end, from the policy's camera.",
        )
    if card.tasks and set(card.tasks) != set(card.goals):
        raise ConfigError("tasks of the card have no goals", got=card.tasks, allowed=card.goals)
    horizon = config.act_pred_horizon
    names = [DESCRIPTION_FILE, WEIGHTS_FILE, CARD_FILE, *card.goals.values()]
    require(folder, names)
    return PolicySpec(
        policy_id=identity(folder / name for name in set(names)),
        prediction_horizon=horizon,
        chunk_size=card.chunk(horizon, horizon),
        feature_dim=config.feature_dim,
        image_size=config.image_size,
        control_hz=card.control_hz,
        tasks=tuple(card.goals),
        observation_steps=config.obs_horizon,
    )

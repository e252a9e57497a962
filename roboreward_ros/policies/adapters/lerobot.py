# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""LeRobot's diffusion policies by their saved format: config.json, model.safetensors, processors.

The horizon of such a policy begins n_obs_steps - 1 actions in the past. Here the present comes
first and the past actions last, in the noise as in the chunk; they are never executed. A policy
that was trained for the ancestral sampler is run with DDIM at eta = 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from roboreward_ros.errors import CheckpointError, ConfigError
from roboreward_ros.policies.adapters.base import Adapter
from roboreward_ros.policies.adapters.card import CARD_FILE, AdapterCard, load_card
from roboreward_ros.policies.adapters.files import fit, identity, read_tensors
from roboreward_ros.policies.adapters.lerobot_config import (
    CONFIG_FILE,
    PADDED_STATE,
    LeRobotDiffusionConfig,
    read_config,
)
from roboreward_ros.policies.adapters.lerobot_network import LeRobotDiffusion
from roboreward_ros.policies.adapters.lerobot_stats import (
    affine,
    feature,
    read_statistics,
    statistics_files,
)
from roboreward_ros.policies.adapters.schedule import Betas, Ddim, Predicts, alpha_bars
from roboreward_ros.types import Float32Array, FloatArray, PolicySpec

WEIGHTS_FILE = "model.safetensors"
_PREFIX = "diffusion."
DEFAULT_STEPS = 10
"""Steps of DDIM where a policy was saved for the ancestral sampler and the card says nothing."""


def describe(folder: Path) -> PolicySpec:
    """The policy's spec, without loading its weights.

    Raises:
        CheckpointError: missing files, observations the arm lacks.
        ConfigError: values out of range.
    """
    return _spec(folder, read_config(folder), load_card(folder))


class LeRobotPolicy(Adapter):
    """See the module's text.

    Args:
        folder: what ``save_pretrained`` wrote for policy and processors.
        device: torch device.

    Raises:
        CheckpointError: missing files, weights that do not fit, observations the arm lacks.
        ConfigError: values out of range.
    """

    def __init__(self, folder: Path, device: str = "cpu") -> None:
        config, card = read_config(folder), load_card(folder)
        super().__init__(_spec(folder, config, card), config.image_shape, device)
        weights = read_tensors(folder / WEIGHTS_FILE)
        inputs, outputs = read_statistics(folder, weights, config.normalisation)
        foreign = sorted(name for name in weights if not name.startswith(_PREFIX))
        if foreign:
            raise CheckpointError("weights of no diffusion policy", got=foreign[:6])
        with torch.device("meta"):
            network = LeRobotDiffusion(config)
        fit(network, {k.removeprefix(_PREFIX): v for k, v in weights.items()}, "the LeRobot policy")
        self._network = network.to(device).eval().requires_grad_(False)
        self._padded = config.state_dim == PADDED_STATE
        self._past = config.n_obs_steps - 1
        self._sampler = _sampler(config, card)
        self._pictures, self._state, self._action = (
            affine(config.normalisation[kind], statistics, kind.lower()).to(device)
            for kind, statistics in (
                ("VISUAL", feature(inputs, config.image_key)),
                ("STATE", feature(inputs, "observation.state")),
                ("ACTION", outputs),
            )
        )

    def features(self, frames: Tensor, proprio: FloatArray, tasks: Sequence[str]) -> Tensor:
        del tasks
        pictures = frames.permute(0, 1, 4, 2, 3).to(torch.float32) / 255
        if self._padded:
            proprio = np.insert(proprio, PADDED_STATE - 2, 0.0, axis=-1)
        state = self._state.normalise(self._tensor(proprio.astype(np.float32)))
        return self._network.features(self._pictures.normalise(pictures), state)

    def chunks(self, features: Tensor, noise: Tensor) -> Float32Array:
        def predict(x: Tensor, step: int) -> Tensor:
            steps = torch.full((len(x),), step, dtype=torch.long, device=x.device)
            out: Tensor = self._network.unet(x, steps, features)
            return out

        unit = self._sampler.sample(predict, noise.roll(self._past, dims=1))
        actions: Float32Array = self._action.restore(unit.roll(-self._past, dims=1)).cpu().numpy()
        return actions


def _sampler(config: LeRobotDiffusionConfig, card: AdapterCard) -> Ddim:
    powers = alpha_bars(
        Betas(config.beta_schedule), config.num_train_timesteps, config.beta_start, config.beta_end
    )
    steps = config.num_inference_steps
    if config.noise_scheduler_type == "DDPM":
        steps = steps or min(DEFAULT_STEPS, config.num_train_timesteps)
    count = card.sample_steps or steps or config.num_train_timesteps
    clip = config.clip_sample_range if config.clip_sample else 0.0
    return Ddim.leading(powers, count, Predicts(config.prediction_type), clip)


def _spec(folder: Path, config: LeRobotDiffusionConfig, card: AdapterCard) -> PolicySpec:
    ahead = config.horizon - config.n_obs_steps + 1
    if card.goals:
        raise ConfigError("a LeRobot diffusion policy takes no goals", got=dict(card.goals))
    files = [folder / name for name in (CONFIG_FILE, WEIGHTS_FILE, CARD_FILE)]
    return PolicySpec(
        policy_id=identity(path for path in files + statistics_files(folder) if path.is_file()),
        prediction_horizon=config.horizon,
        chunk_size=card.chunk(config.n_action_steps, ahead),
        feature_dim=config.feature_dim,
        image_size=min(config.image_shape),
        control_hz=card.control_hz,
        tasks=card.tasks,
        observation_steps=config.n_obs_steps,
    )

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""open-pi-zero's flow policies: the noise is where the flow begins, Euler's steps decide the rest.

What such a policy knows of an observation is millions of keys and values. The features that are
recorded and learned from are a summary; the keys and values of the last observations stay here
under their features. So a learner in another process cannot decode, and is told so.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from roboreward_ros.errors import CheckpointError, ConfigError
from roboreward_ros.policies.adapters.base import Adapter
from roboreward_ros.policies.adapters.card import CARD_FILE, AdapterCard, load_card
from roboreward_ros.policies.adapters.files import fit, identity, read_tensors, require
from roboreward_ros.policies.adapters.pi_zero_config import (
    CONFIG_FILE,
    STATISTICS_FILE,
    PiZeroConfig,
    read_config,
)
from roboreward_ros.policies.adapters.pi_zero_network import KeysValues, PiZero
from roboreward_ros.policies.adapters.tokens import read_tokenizer
from roboreward_ros.types import Float32Array, FloatArray, PolicySpec

WEIGHTS_FILE = "pi_zero.safetensors"
TOKENIZER_FILE = "tokenizer.json"
REMEMBERED = 32
"""Observations whose keys and values are kept; about 10 MB each at the released size."""
_BEGIN = "<bos>"


def describe(folder: Path) -> PolicySpec:
    """The policy's spec, without loading its weights.

    Raises:
        CheckpointError, ConfigError: files missing or damaged, values out of range.
    """
    return _spec(folder, read_config(folder), load_card(folder))


class PiZeroPolicy(Adapter):
    """See the module's text.

    Args:
        folder: weights, the upstream's configuration and statistics, the tokenizer.
        device: torch device.

    Raises:
        CheckpointError, ConfigError: as of ``describe``; weights or tokens that do not fit.
    """

    interpolation = cv2.INTER_LANCZOS4

    def __init__(self, folder: Path, device: str = "cpu") -> None:
        config, card = read_config(folder), load_card(folder)
        super().__init__(_spec(folder, config, card), (config.image_size,) * 2, device)
        with torch.device("meta"):
            network = PiZero(config)
        fit(network, read_tensors(folder / WEIGHTS_FILE), "open-pi-zero")
        self._network = network.to(device).eval().requires_grad_(False)
        self._config = config
        self._tokenizer = read_tokenizer(folder / TOKENIZER_FILE, "PaliGemma", (_BEGIN,))
        self._kept: OrderedDict[bytes, KeysValues] = OrderedDict()

    def features(self, frames: Tensor, proprio: FloatArray, tasks: Sequence[str]) -> Tensor:
        config, rows = self._config, []
        low, high = np.array(config.proprio_low), np.array(config.proprio_high)
        unit = np.clip(2 * (proprio[:, -1] - low) / (high - low + 1e-8) - 1, -1, 1)
        pictures = frames[:, -1].permute(0, 3, 1, 2).to(torch.float32) / 255 * 2 - 1
        for picture, state, task in zip(pictures, self._tensor(unit), tasks, strict=True):
            text = torch.tensor([self._tokens(task)], device=self._device)
            mean, kept = self._network.prefix(picture[None], text, state[None])
            row = torch.cat([mean, state[None]], dim=1)
            key = row.cpu().numpy().tobytes()
            self._kept[key] = kept
            self._kept.move_to_end(key)
            rows.append(row)
        while len(self._kept) > max(REMEMBERED, len(rows)):
            self._kept.popitem(last=False)
        return torch.cat(rows)

    def chunks(self, features: Tensor, noise: Tensor) -> Float32Array:
        chunk = torch.cat(
            [
                self._network.flow(one[None], self._recall(row))
                for row, one in zip(features, noise, strict=True)
            ]
        )
        unit: Float32Array = chunk.cpu().numpy()
        low, high = np.array(self._config.action_low), np.array(self._config.action_high)
        physical = (unit + 1) / 2 * (high - low) + low
        physical[..., -1] = unit[..., -1]  # the gripper was not normalised in training
        actions: Float32Array = physical.astype(np.float32)
        return actions

    def _recall(self, row: Tensor) -> KeysValues:
        kept = self._kept.get(row.cpu().numpy().tobytes())
        if kept is None:
            raise CheckpointError(
                "the observation of these features is not kept any more",
                got=f"{len(self._kept)} kept",
                allowed=f"the last {REMEMBERED} that this process encoded",
                next_step="Learn with a profile whose critic is latent: it decodes nothing.",
            )
        return kept

    def _tokens(self, task: str) -> list[int]:
        room = self._config.max_tokens - self._config.image_tokens
        found: list[int] = self._tokenizer.encode(
            f"{_BEGIN}{task}\n", add_special_tokens=False
        ).ids[:room]
        if max(found) >= self._config.vocabulary:
            raise CheckpointError(
                "the tokenizer has more words than the policy",
                got=max(found),
                allowed=f"below {self._config.vocabulary}",
            )
        return found


def _spec(folder: Path, config: PiZeroConfig, card: AdapterCard) -> PolicySpec:
    if card.goals or card.sample_steps:
        raise ConfigError(
            "a pi0 policy takes no goals, and its own configuration says how many steps",
            got=card,
            allowed="control_hz, chunk_size, tasks",
        )
    names = [CONFIG_FILE, STATISTICS_FILE, WEIGHTS_FILE, TOKENIZER_FILE]
    require(folder, names)
    files = [folder / name for name in (*names, CARD_FILE)]
    return PolicySpec(
        policy_id=identity(path for path in files if path.is_file()),
        prediction_horizon=config.horizon,
        chunk_size=card.chunk(config.horizon, config.horizon),
        feature_dim=config.feature_dim,
        image_size=config.image_size,
        control_hz=card.control_hz,
        tasks=card.tasks,
    )

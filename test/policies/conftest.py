# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from roboreward_ros.policies.bc import train
from roboreward_ros.policies.checkpoint import Checkpoint
from roboreward_ros.policies.config import NetworkConfig, SamplerConfig, TrainConfig
from roboreward_ros.policies.dataset import Demonstrations
from roboreward_ros.policies.diffusion import DiffusionPolicy
from roboreward_ros.policies.loading import load_any_policy
from roboreward_ros.protocols import Policy

TASKS = ("open the drawer", "put the mushroom on the cloth")
NETWORK = NetworkConfig(
    image_size=16, channels=(4, 8, 8, 8), visual_dim=8, text_dim=4, hidden=64, blocks=2
)
SIDE = 0.02


def two_modes(rows: int = 512) -> Demonstrations:
    """A red dot somewhere; all four actions go 2 cm to the left, or all 2 cm to the right."""
    rng = np.random.default_rng(0)
    places = rng.integers(2, 13, (rows, 2))
    images = np.zeros((rows, 16, 16, 3), dtype=np.uint8)
    for image, (y, x) in zip(images, places, strict=True):
        image[y - 1 : y + 2, x - 1 : x + 2, 0] = 255
    chunks = np.zeros((rows, 4, 7), dtype=np.float32)
    chunks[..., 1] = np.where(rng.random(rows) < 0.5, SIDE, -SIDE)[:, None]
    chunks[..., 6] = 1
    return Demonstrations(
        tasks=TASKS,
        images=images,
        proprio=rng.normal(0, 0.1, (rows, 7)).astype(np.float32),
        chunks=chunks,
        task=rng.integers(0, 2, rows),
        positions=(places * 0.01).astype(np.float32),
    )


@pytest.fixture(scope="session")
def toy_data() -> Demonstrations:
    return two_modes()


@pytest.fixture(scope="session")
def toy_checkpoint(toy_data: Demonstrations) -> Checkpoint:
    config = TrainConfig(
        steps=1500,
        encoder_steps=150,
        batch_size=32,
        frozen_batch_size=128,
        learning_rate=3e-3,
        ema_decay=0.98,
        seed=1,
    )
    return train(toy_data, NETWORK, SamplerConfig(), config)


@pytest.fixture(scope="session")
def toy_policy(toy_checkpoint: Checkpoint) -> DiffusionPolicy:
    return DiffusionPolicy(toy_checkpoint)


@pytest.fixture(scope="session")
def toy_network() -> NetworkConfig:
    return NETWORK


@pytest.fixture(scope="module")
def loaded(folder: Path) -> Policy:
    """The policy in the module's ``folder``."""
    return load_any_policy(folder)


@pytest.fixture
def copied(folder: Path, tmp_path: Path) -> Path:
    """A folder to damage."""
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path

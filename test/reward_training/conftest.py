# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest
from invented_clips import invented_shard, vocabulary

from roboreward_ros.reward_training.config import Stage, TrainConfig
from roboreward_ros.reward_training.dataset import ClipSet, write_shard, write_vocabulary


@pytest.fixture
def reward_clips(tmp_path: Path) -> ClipSet:
    """Two shards of invented clips."""
    folder = tmp_path / "clips"
    write_vocabulary(folder, vocabulary())
    for index in range(2):
        write_shard(folder, index, invented_shard(index))
    return ClipSet(folder)


@pytest.fixture
def train_config() -> TrainConfig:
    """A few steps of looking, a few of judging."""
    return TrainConfig(
        stages=(
            Stage(3, batch=4, lr=1e-3, warmup=1),
            Stage(5, batch=4, lr=1e-3, warmup=1, look=0.2, answer=1.0, facts=1.0),
        ),
        instructions=2,
        validate_every=4,
        validation_clips=6,
        save_every=2,
    )

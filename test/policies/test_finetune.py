# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from roboreward_ros.errors import CheckpointError, ConfigError
from roboreward_ros.policies.checkpoint import Checkpoint
from roboreward_ros.policies.dataset import Demonstrations
from roboreward_ros.policies.diffusion import DiffusionPolicy
from roboreward_ros.policies.finetune import FinetuneConfig, finetune, read_checkpoint

CONFIG = FinetuneConfig(steps=120, batch_size=64, learning_rate=1e-3, ema_decay=0.9)


def rows(data: Demonstrations, which: np.ndarray) -> Demonstrations:
    return dataclasses.replace(
        data, images=data.images[which], proprio=data.proprio[which], chunks=data.chunks[which],
        task=data.task[which], positions=np.zeros((int(which.sum()), 0), np.float32),
    )  # fmt: skip


@pytest.fixture(scope="module")
def left(toy_data: Demonstrations) -> Demonstrations:
    """The rollouts that went to the left, of both tasks."""
    return rows(toy_data, toy_data.chunks[:, 0, 1] > 0)


@pytest.fixture(scope="module")
def tuned(toy_checkpoint: Checkpoint, left: Demonstrations) -> Checkpoint:
    return finetune(toy_checkpoint, left, CONFIG)


def share_left(checkpoint: Checkpoint, data: Demonstrations) -> float:
    policy = DiffusionPolicy(checkpoint)
    tasks = [data.tasks[k] for k in data.task[:100]]
    features = policy.encode(list(data.images[:100]), data.proprio[:100].astype(float), tasks)
    noise = np.random.default_rng(0).standard_normal((100, 4, 7)).astype(np.float32)
    return float((policy.decode(features, noise)[:, :, 1].mean(axis=1) > 0).mean())


def test_the_policy_does_what_was_kept(toy_checkpoint, tuned, toy_data):
    assert share_left(toy_checkpoint, toy_data) < 0.7
    assert share_left(tuned, toy_data) > 0.9


def test_what_describes_the_policy_and_its_eyes_stay(toy_checkpoint, tuned):
    assert tuned.description == toy_checkpoint.description
    assert tuned.policy_id != toy_checkpoint.policy_id
    for name, value in toy_checkpoint.weights.items():
        assert bool((tuned.weights[name] == value).all()) == name.startswith("image."), name


def test_the_old_policy_is_unchanged_and_a_seed_gives_the_same_new_one(
    toy_checkpoint: Checkpoint, left: Demonstrations
):
    short = dataclasses.replace(CONFIG, steps=3)
    before = {name: value.clone() for name, value in toy_checkpoint.weights.items()}
    first, again, other = (
        finetune(toy_checkpoint, left, dataclasses.replace(short, seed=seed)) for seed in (0, 0, 1)
    )
    assert first.policy_id == again.policy_id != other.policy_id
    assert all(bool((toy_checkpoint.weights[k] == v).all()) for k, v in before.items())


def test_rehearsal_keeps_what_was_known(toy_checkpoint, left, toy_data, tuned):
    config = dataclasses.replace(CONFIG, rehearsal=0.9)
    both = finetune(toy_checkpoint, left, config, rehearsal=toy_data)
    assert share_left(both, toy_data) < share_left(tuned, toy_data) - 0.1


def test_progress_ends_at_the_last_step(toy_checkpoint: Checkpoint, left: Demonstrations):
    seen = []
    config = dataclasses.replace(CONFIG, steps=5)
    finetune(toy_checkpoint, left, config, on_progress=seen.append, report_every=2)
    assert [p.step for p in seen] == [2, 4, 5]
    assert all(np.isfinite(p.loss) for p in seen)


def test_data_of_another_shape_or_task_is_refused(toy_checkpoint, left):
    with pytest.raises(ConfigError, match="image side, horizon"):
        finetune(toy_checkpoint, dataclasses.replace(left, chunks=left.chunks[:, :3]), CONFIG)
    foreign = dataclasses.replace(left, tasks=("fold the towel", left.tasks[1]))
    with pytest.raises(ConfigError, match="fold the towel"):
        finetune(toy_checkpoint, foreign, CONFIG)


@pytest.mark.parametrize("change", [{"steps": 0}, {"learning_rate": 0.0}, {"rehearsal": 1.0}])
def test_numbers_out_of_range_are_refused(change: dict[str, float]):
    with pytest.raises(ConfigError, match="FinetuneConfig"):
        FinetuneConfig(**change)


def test_the_shipped_policy_goes_by_its_name():
    assert "open the drawer" in read_checkpoint("demo").description.tasks
    with pytest.raises(CheckpointError, match="/nowhere"):
        read_checkpoint("/nowhere")

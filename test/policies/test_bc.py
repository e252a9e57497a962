# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
import torch

from roboreward_ros.errors import ConfigError
from roboreward_ros.policies.bc import AveragedWeights, TrainProgress, learning_rate, train
from roboreward_ros.policies.checkpoint import Checkpoint
from roboreward_ros.policies.config import NetworkConfig, SamplerConfig, TrainConfig
from roboreward_ros.policies.dataset import Demonstrations
from roboreward_ros.policies.diffusion import DiffusionPolicy

SIDE = 0.02


def features_of(policy: DiffusionPolicy, data: Demonstrations, rows: int):
    tasks = [data.tasks[index] for index in data.task[:rows]]
    return policy.encode(list(data.images[:rows]), data.proprio[:rows].astype(np.float64), tasks)


def test_both_modes_are_learned_and_the_noise_selects_between_them(toy_policy, toy_data):
    features = features_of(toy_policy, toy_data, 200)
    noise = np.random.default_rng(5).standard_normal((200, 4, 7)).astype(np.float32)
    sideways = toy_policy.decode(features, noise)[..., 1].mean(axis=1)
    near = np.minimum(np.abs(sideways - SIDE), np.abs(sideways + SIDE))
    assert np.mean(near < 0.3 * SIDE) > 0.8
    assert 0.3 < np.mean(sideways > 0) < 0.7
    # One noise of each sign of the sideways part decides for all observations.
    push = np.zeros((200, 4, 7), dtype=np.float32)
    push[..., 1] = 1.0
    assert np.mean(toy_policy.decode(features, push)[..., 1] > 0) > 0.95
    assert np.mean(toy_policy.decode(features, -push)[..., 1] < 0) > 0.95


def test_training_is_a_function_of_its_seed(toy_data, toy_network):
    config = TrainConfig(steps=6, batch_size=16, seed=3)
    once, again = (train(toy_data, toy_network, SamplerConfig(), config) for _ in range(2))
    other = train(toy_data, toy_network, SamplerConfig(), dataclasses.replace(config, seed=4))
    assert once.policy_id == again.policy_id
    assert once.policy_id != other.policy_id


def test_training_leaves_the_global_generator_alone(toy_data, toy_network):
    torch.manual_seed(0)
    expected = torch.randn(3)
    torch.manual_seed(0)
    train(toy_data, toy_network, SamplerConfig(), TrainConfig(steps=2, batch_size=8))
    assert torch.equal(torch.randn(3), expected)


def test_object_positions_shape_training_but_never_the_checkpoint(
    toy_data, toy_checkpoint, toy_network
):
    progress: list[TrainProgress] = []
    config = TrainConfig(steps=300, batch_size=64, learning_rate=2e-3, seed=1)
    with_positions = train(toy_data, toy_network, SamplerConfig(), config, progress.append, 100)
    assert [item.step for item in progress] == [100, 200, 300]
    assert progress[-1].position_error < 0.5 * progress[0].position_error
    none = dataclasses.replace(toy_data, positions=np.zeros((512, 0), dtype=np.float32))
    without = train(none, toy_network, SamplerConfig(), dataclasses.replace(config, steps=2))
    assert set(with_positions.weights) == set(without.weights) == set(toy_checkpoint.weights)


def test_unknown_positions_do_not_spoil_training(toy_data, toy_network):
    holes = toy_data.positions.copy()
    holes[::2] = np.nan
    data = dataclasses.replace(toy_data, positions=holes)
    result = train(data, toy_network, SamplerConfig(), TrainConfig(steps=5, batch_size=8))
    assert all(torch.isfinite(value).all() for value in result.weights.values())


def test_an_object_that_flew_away_does_not_set_the_scale(toy_data, toy_network):
    flung = toy_data.positions.copy()
    flung[3] = 30.0
    progress: list[TrainProgress] = []
    config = TrainConfig(steps=300, batch_size=64, learning_rate=2e-3, seed=1)
    data = dataclasses.replace(toy_data, positions=flung)
    train(data, toy_network, SamplerConfig(), config, progress.append, 100)
    assert progress[-1].position_error < 0.02


def test_the_average_follows_the_weights_slowly():
    layer = torch.nn.Linear(1, 1, bias=False)
    average = AveragedWeights(layer, decay=0.9)
    with torch.no_grad():
        layer.weight.fill_(0)
        average.weights["weight"].fill_(1)
    values = []
    for _ in range(200):
        average.update()
        values.append(average.weights["weight"].item())
    assert values[0] == pytest.approx(1 / 11)  # young averages forget fast
    assert values[-1] / values[-2] == pytest.approx(0.9)
    assert layer.weight.item() == 0


def test_the_learning_rate_rises_then_falls_to_zero():
    config = TrainConfig(steps=100, warmup_steps=10, learning_rate=1e-3)
    rates = [learning_rate(step, config) for step in range(101)]
    assert rates[0] == pytest.approx(1e-4)
    assert max(rates) == pytest.approx(1e-3)
    assert rates[100] == pytest.approx(0, abs=1e-12)
    assert all(b <= a for a, b in itertools.pairwise(rates[10:]))


def test_data_of_another_size_are_refused(toy_data):
    with pytest.raises(ConfigError, match="image side"):
        train(toy_data, NetworkConfig(), SamplerConfig(), TrainConfig(steps=1))


@pytest.mark.parametrize(
    "options",
    [
        {"chunk_size": 5},
        {"image_size": 30},
        {"visual_dim": 400},
        {"channels": (1, 2, 3)},
        {"hidden": 0},
        {"blocks": 10**6},
        {"hidden": 2**63},
        {"channels": (16, 32, 32, 2**63)},
    ],
)
def test_networks_that_cannot_be_built_are_refused(options):
    with pytest.raises(ConfigError):
        NetworkConfig(**options)


@pytest.mark.parametrize("options", [{"train_steps": 10**9}, {"sample_steps": 65}])
def test_samplers_that_cannot_be_built_are_refused(options):
    with pytest.raises(ConfigError):
        SamplerConfig(**options)


@pytest.mark.parametrize("options", [{"steps": 0}, {"ema_decay": 1.0}, {"seed": -1}])
def test_training_that_cannot_run_is_refused(options):
    with pytest.raises(ConfigError):
        TrainConfig(**options)


def test_the_toy_checkpoint_is_what_the_tests_think(toy_checkpoint: Checkpoint, toy_network):
    assert toy_checkpoint.description.network == toy_network


def test_a_frozen_encoder_stays_and_the_rest_goes_on_learning(toy_data, toy_network):
    config = TrainConfig(steps=12, encoder_steps=4, batch_size=16, frozen_batch_size=32, seed=2)
    long = train(toy_data, toy_network, SamplerConfig(), config).weights
    longer = train(
        toy_data, toy_network, SamplerConfig(), dataclasses.replace(config, ema_decay=0.5)
    ).weights
    moved = {name for name in long if not torch.equal(long[name], longer[name])}
    assert {name for name in long if name.startswith("fuse.")} <= moved
    # Averages of the first 4 steps are alike up to the decay's cap, which they do not reach.
    assert not any(name.startswith("image.") for name in moved)

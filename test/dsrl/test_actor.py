# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats

from roboreward_ros.dsrl.actor import SteeringActor, load_actor
from roboreward_ros.dsrl.actor_files import ActorFiles, actor_path
from roboreward_ros.dsrl.actor_network import ActorNetwork
from roboreward_ros.dsrl.config import DsrlConfig
from roboreward_ros.dsrl.sac import Sac
from roboreward_ros.errors import CheckpointError, ConfigError
from roboreward_ros.policies.noise import prior_noise

F, P = 10, 4


def network(config: DsrlConfig) -> ActorNetwork:
    return ActorNetwork(config, F + 1, P * 7, torch.Generator().manual_seed(0))


def export(trained: bool, config: DsrlConfig | None = None) -> tuple[ActorNetwork, SteeringActor]:
    config = config or DsrlConfig()
    net = network(config)
    if trained:
        with torch.no_grad():
            net.head_weight.normal_(0, 0.5, generator=torch.Generator().manual_seed(1))
            net.head_bias.normal_(0, 0.5, generator=torch.Generator().manual_seed(2))
    mean, scale = torch.linspace(-1, 1, F), torch.linspace(0.5, 2, F)
    sac = Sac(config, F, P * 7, 0)
    sac.actor.load_state_dict(net.state_dict())
    sac.feature_mean.copy_(mean)
    sac.feature_scale.copy_(scale)
    return net, sac.snapshot(3, "policy")


@pytest.mark.parametrize("actor", [SteeringActor.prior("policy", P), export(trained=False)[1]])
def test_an_untrained_actor_answers_the_prior_draw_itself(actor: SteeringActor):
    rng = np.random.default_rng(0)
    for _ in range(20):
        w0 = rng.standard_normal((P, 7)).astype(np.float32)
        features = rng.standard_normal(F).astype(np.float32) * 10
        np.testing.assert_array_equal(actor.choose(features, rng.random(), w0), w0)


def test_the_first_latents_are_distributed_as_the_prior():
    """Two-sample test of the steered latents against those of the base policy."""
    actor = export(trained=False)[1]
    rng = np.random.default_rng(0)
    steered = np.stack(
        [actor.steer(rng.standard_normal(F).astype(np.float32), 0.5, s, 1) for s in range(800)]
    )
    base = np.stack([prior_noise(s, 1, P) for s in range(800)])
    assert not np.array_equal(steered, base)  # other draws, the same distribution
    assert stats.ks_2samp(steered.ravel(), base.ravel()).pvalue > 0.01
    flat = steered.reshape(800, -1)
    smallest = min(stats.kstest(column, "norm").pvalue for column in flat.T)
    assert smallest > 0.01 / flat.shape[1]
    correlation = np.corrcoef(flat.T) - np.eye(flat.shape[1])
    assert np.abs(correlation).max() < 5 / np.sqrt(800)


def test_the_numpy_actor_equals_the_trained_network():
    net, actor = export(trained=True)
    rng = np.random.default_rng(3)
    for _ in range(20):
        features = rng.standard_normal(F).astype(np.float32) * 4
        x = (features - actor.weights["features.mean"]) * actor.weights["features.scale"]
        state = torch.from_numpy(np.append(np.clip(x, -5, 5), 2 * 0.25 - 1).astype(np.float32))
        with torch.no_grad():
            mean, log_std = net.distribution(state[None])
        got_mean, got_std = actor.distribution(features, 0.25)
        np.testing.assert_allclose(got_mean, mean[0], atol=1e-5)
        np.testing.assert_allclose(got_std, log_std[0].exp(), atol=1e-5)


def test_a_trained_actor_moves_the_draw_and_stays_within_its_bounds():
    config = DsrlConfig(mean_bound=1.5, noise_bound=4.0)
    _, actor = export(trained=True, config=config)
    rng = np.random.default_rng(0)
    features = rng.standard_normal(F).astype(np.float32)
    mean = actor.choose(features, 0.5, np.zeros((P, 7), np.float32), deterministic=True)
    assert np.abs(mean).max() <= 1.5
    assert np.abs(mean).max() > 0.1
    far = actor.choose(features, 0.5, np.full((P, 7), 100, np.float32))
    assert np.abs(far).max() == 4.0
    with pytest.raises(ConfigError, match="w0"):
        actor.choose(features, 0.5, np.zeros((P + 1, 7), np.float32))


def test_steering_is_a_function_of_seed_and_decision():
    _, actor = export(trained=True)
    features = np.ones(F, np.float32)
    first = actor.steer(features, 0.5, 7, 2)
    np.testing.assert_array_equal(first, actor.steer(features, 0.5, 7, 2))
    assert not np.array_equal(first, actor.steer(features, 0.5, 7, 3))
    assert not np.array_equal(first, actor.steer(features, 0.5, 8, 2))


def test_a_saved_actor_comes_back_whole(tmp_path: Path):
    _, actor = export(trained=True)
    path = tmp_path / "policies" / "actor_3.safetensors"
    digest = actor.save(path)
    assert digest == hashlib.sha256(path.read_bytes()).hexdigest()
    again = load_actor(path, sha256=digest, policy_id="policy")
    assert again.version == 3
    assert again.to_bytes() == actor.to_bytes()
    w = prior_noise(0, 0, P)
    features = np.ones(F, np.float32)
    np.testing.assert_array_equal(again.choose(features, 1, w), actor.choose(features, 1, w))
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_wrong_actor_files_are_refused(tmp_path: Path):
    _, actor = export(trained=True)
    path = tmp_path / "actor.safetensors"
    actor.save(path)
    with pytest.raises(CheckpointError, match="another policy"):
        load_actor(path, policy_id="other")
    with pytest.raises(CheckpointError, match="changed"):
        load_actor(path, sha256="0" * 64)
    for name in ("none.safetensors", "x" * 300, "\0"):
        with pytest.raises(CheckpointError, match="no such"):
            load_actor(tmp_path / name)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(CheckpointError, match="not an actor"):
        load_actor(path)


def test_an_actor_with_weights_that_are_not_finite_is_refused_by_name(tmp_path: Path):
    _, actor = export(trained=True)
    bias = actor.weights["head.bias"].copy()
    bias[3] = np.nan
    path = tmp_path / "actor.safetensors"
    replace(actor, weights={**actor.weights, "head.bias": bias}).save(path)
    with pytest.raises(CheckpointError, match=rf"{path}: not finite: head\.bias"):
        load_actor(path)
    files, data = ActorFiles(tmp_path), path.read_bytes()
    for _ in range(2):
        with pytest.raises(CheckpointError, match=r"not finite: head\.bias"):
            files.place(data, 3, "policy", 7)
    assert not actor_path(tmp_path, 3).exists()
    good = files.place(actor.to_bytes(), 3, "policy", 7)
    assert load_actor(good.path, good.sha256).version == 3


def test_versions_give_different_files():
    _, actor = export(trained=True)
    assert replace(actor, version=4).to_bytes() != actor.to_bytes()

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from roboreward_ros.dsrl.actor import SteeringActor
from roboreward_ros.errors import CheckpointError, ConfigError, SimulationError
from roboreward_ros.policies.config import TrainConfig
from roboreward_ros.policies.noise import prior_noise
from roboreward_ros.sim.demo_style import DemoStyle
from roboreward_ros.sim.seeds import held_out_seed
from roboreward_ros.sim.tasks import CARROT, DRAWER, MUSHROOM
from roboreward_ros.studies.lowdim import lanes as lanes_module
from roboreward_ros.studies.lowdim.demonstrations import collect_states
from roboreward_ros.studies.lowdim.lanes import Episode, Lanes
from roboreward_ros.studies.lowdim.policy import (
    StateNetConfig,
    StateNetwork,
    StatePolicy,
    load_state_policy,
    train_state_policy,
)
from roboreward_ros.studies.lowdim.view import ViewTwin, view_dim
from roboreward_ros.studies.rollout import ConstantNoise, PriorNoise, SteeredNoise
from roboreward_ros.types import EndCause

TRAIN = TrainConfig(steps=60, warmup_steps=5, frozen_batch_size=64)


@pytest.fixture(scope="module")
def demos():
    return collect_states(DRAWER, 4, 4, DemoStyle())


@pytest.fixture(scope="module")
def policy(demos) -> StatePolicy:
    config = StateNetConfig(view_dim(DRAWER), hidden=48, blocks=1)
    return train_state_policy(demos, DRAWER.sentence, config, TRAIN)


@pytest.fixture(scope="module")
def lanes(policy):
    found = Lanes(policy, 3)
    yield found
    found.close()


def test_demonstrations_come_with_the_state_before_every_step(demos):
    episodes, steps = demos.chunks.shape[:2]
    assert (episodes, steps) == (4, DRAWER.max_steps)
    assert demos.states.shape == (4, steps + 1, view_dim(DRAWER))
    assert demos.scores.shape == demos.progress.shape == (4, steps + 1)
    assert (demos.success == (demos.scores == 5)).all()
    moved = np.linalg.norm(np.diff(demos.states[:, :, :3], axis=1), axis=2)
    assert moved.max() > 0.01


def test_a_policy_on_disk_is_the_same_policy(policy: StatePolicy, tmp_path: Path):
    policy.save(tmp_path / "policy.safetensors", {"made": "here"})
    again = load_state_policy(tmp_path / "policy.safetensors")
    assert again.spec == policy.spec
    features = policy.features(np.zeros((2, view_dim(DRAWER))))
    noise = np.stack([prior_noise(s, 0, 4) for s in (1, 2)])
    assert np.array_equal(again.decode(features, noise), policy.decode(features, noise))
    assert not np.allclose(*policy.decode(features, noise))


def test_a_damaged_policy_is_refused(policy: StatePolicy, tmp_path: Path):
    path = tmp_path / "policy.safetensors"
    with pytest.raises(CheckpointError, match="trains it again"):
        load_state_policy(path)
    policy.save(path, {})
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_state_policy(path)


def test_training_is_a_function_of_the_seed(demos, policy: StatePolicy):
    config = StateNetConfig(view_dim(DRAWER), hidden=48, blocks=1)
    same = train_state_policy(demos, DRAWER.sentence, config, TRAIN)
    other = train_state_policy(demos, DRAWER.sentence, config, replace(TRAIN, seed=1))
    assert same.spec.policy_id == policy.spec.policy_id != other.spec.policy_id


def test_cloning_learns_what_was_demonstrated(demos):
    config = StateNetConfig(view_dim(DRAWER), hidden=48, blocks=1)
    losses: list[float] = []
    train = replace(TRAIN, steps=1000)
    trained = train_state_policy(
        demos, DRAWER.sentence, config, train, lambda _, loss: losses.append(loss)
    )
    features = trained.features(demos.states[0, :3])
    chunks = trained.decode(features, np.stack([prior_noise(k, 0, 4) for k in range(3)]))
    assert np.abs(chunks[..., :3] - demos.chunks[0, :3, :, :3]).max() < 0.02
    assert len(losses) == 2


def test_it_has_no_eyes(policy: StatePolicy):
    with pytest.raises(ConfigError, match="no pictures"):
        policy.encode([], np.zeros((0, 7)), [])


def test_an_episode_is_the_same_in_any_lane_and_company(lanes: Lanes):
    episodes = [Episode(held_out_seed(k), PriorNoise(), k) for k in range(4)]
    forwards, backwards = lanes.run(episodes), lanes.run(episodes[::-1])[::-1]
    for one, other in zip(forwards, backwards, strict=True):
        assert one.seed == other.seed
        assert one.success == other.success
        assert np.allclose(one.last, other.last, atol=1e-3)
        assert np.array_equal(one.chunks()[0].noise, other.chunks()[0].noise)


def test_spare_lanes_change_nothing(lanes: Lanes, policy: StatePolicy):
    episode = Episode(held_out_seed(2), PriorNoise())
    alone = Lanes(policy, 1)
    (one,), (other,) = alone.run([episode]), lanes.run([episode])
    alone.close()
    assert np.array_equal(one.last, other.last)
    for mine, theirs in zip(one.chunks(), other.chunks(), strict=True):
        assert np.array_equal(mine.actions, theirs.actions)


def test_a_known_moment_predicts_as_its_time_does():
    network = StateNetwork(StateNetConfig(3, hidden=8, blocks=1))
    rng = torch.Generator().manual_seed(0)
    chunk, state = torch.randn(5, 28, generator=rng), torch.randn(5, 3, generator=rng)
    times = torch.tensor([0.4])
    condition = network.enter_state(state)
    known = network.predict_at(chunk, network.moment(times), condition)
    assert torch.equal(known, network.predict(chunk, times, condition))
    assert not torch.equal(known, network.predict(chunk, times + 0.1, condition))


def test_the_learner_can_read_what_ran(lanes: Lanes, policy: StatePolicy):
    (result,) = lanes.run([Episode(held_out_seed(7), ConstantNoise(), 3)])
    assert result.summary.meta.policy_id == policy.spec.policy_id
    assert result.summary.end_cause is EndCause.TIME
    assert result.summary.n_steps == DRAWER.max_steps == len(result.flags())
    *ran, closing = result.chunks()
    assert [chunk.step for chunk in ran] == list(range(0, DRAWER.max_steps, 4))
    assert all(chunk.executed == 4 and not chunk.steered for chunk in ran)
    assert (closing.step, closing.executed) == (DRAWER.max_steps, 0)
    assert np.array_equal(closing.features, policy.features(result.last[None])[0])
    first = policy.features(result.first[None])[0]
    assert np.array_equal(result.chunks()[0].features, first)


def test_the_batched_arms_move_as_the_twins_own_controller(lanes: Lanes, policy: StatePolicy):
    seed = held_out_seed(11)
    (batched,) = lanes.run([Episode(seed, PriorNoise(), 0)])
    twin = ViewTwin()
    twin.reset(DRAWER.sentence, seed)
    for chunk in batched.chunks()[:-1]:
        for action in chunk.actions:
            twin.step(action.astype(np.float64))
    assert np.linalg.norm(twin.look()[:3] - batched.last[:3]) < 5e-3
    assert twin.truth().success == batched.success
    twin.close()


def test_diverged_physics_are_a_failed_episode(lanes: Lanes, monkeypatch: pytest.MonkeyPatch):
    calls = []

    def broken(self, q, gripper):
        calls.append(self)
        if len(calls) > 6:
            raise SimulationError("diverged")

    monkeypatch.setattr(lanes_module.ViewTwin, "drive", broken)
    (result,) = lanes.run([Episode(held_out_seed(1), PriorNoise())])
    assert (result.success, result.truth.score) == (False, 1)
    assert [chunk.executed for chunk in result.chunks()] == [4, 2]
    assert result.summary.n_steps == 6


def test_choosers_that_need_the_decoder_are_refused(lanes: Lanes):
    actor = replace(SteeringActor.prior("x", 4), edit_bound=0.1)
    with pytest.raises(ConfigError, match="without edits"):
        lanes.run([Episode(0, SteeredNoise(actor))])


def test_tasks_without_a_view_are_refused():
    assert view_dim(MUSHROOM) == 12
    with pytest.raises(ConfigError, match="low-dimensional"):
        view_dim(CARROT)

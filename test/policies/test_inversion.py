# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

import numpy as np
import pytest
import torch

from roboreward_ros.errors import ConfigError
from roboreward_ros.policies.diffusion import DiffusionPolicy, load_policy
from roboreward_ros.policies.inversion import EXACT, FAR, invert, solve
from roboreward_ros.policies.sampler import DdimSampler
from roboreward_ros.sim.demonstrators import demonstrate
from roboreward_ros.sim.seeds import demo_seed
from roboreward_ros.sim.twin import Twin


@pytest.fixture(scope="module")
def policy() -> DiffusionPolicy:
    return load_policy("demo")


@pytest.fixture(scope="module")
def features(policy: DiffusionPolicy):
    rng = np.random.default_rng(0)
    images = [np.full((64, 64, 3), 100 + 3 * k, dtype=np.uint8) for k in range(24)]
    proprio = policy._proprio.mean + 0.5 * rng.normal(size=(24, 7)) * policy._proprio.spread
    return policy.encode(images, proprio, [policy.spec.tasks[0]] * 24)


def draws(n: int, horizon: int):
    return np.random.default_rng(1).standard_normal((n, horizon, 7)).astype(np.float32)


def test_decoding_is_deterministic_and_does_not_depend_on_the_batch(policy, features):
    w = draws(24, policy.spec.prediction_horizon)
    whole = policy.decode(features, w)
    np.testing.assert_array_equal(policy.decode(features, w), whole)
    single = np.concatenate([policy.decode(features[k : k + 1], w[k : k + 1]) for k in range(24)])
    np.testing.assert_allclose(single, whole, atol=1e-5)


@pytest.fixture(scope="module")
def seen(policy: DiffusionPolicy):
    """Features of what the twin's camera shows in an episode of each task, ``[B, F]``."""
    found, size = [], policy.spec.chunk_size
    twin = Twin()
    try:
        for k, task in enumerate(policy.spec.tasks):
            episode = demonstrate(
                twin, task, demo_seed(900 + k), np.random.default_rng(k),
                pictures="all", image_size=256,
            )  # fmt: skip
            steps = range(0, len(episode.actions), size)
            images = [episode.images[step] for step in steps]
            found.append(policy.encode(images, episode.proprio[:-1:size], [task] * len(images)))
    finally:
        twin.close()
    return np.concatenate(found)


def test_every_sample_of_the_policy_gives_a_noise_that_says_the_same(policy, seen):
    """Its clamp is off, so that every sample is an unsaturated one."""
    assert policy.sampler.config.clip_x0 == 0
    features = np.repeat(seen, 2, axis=0)
    w = draws(len(features), policy.spec.prediction_horizon)
    found = invert(policy, features, policy.decode(features, w))
    assert found.residual.max() <= EXACT == 1e-4
    assert found.norm.max() <= FAR
    assert found.usable().all()
    same = np.abs(found.noise - w).max(axis=(1, 2)) < 1e-3
    assert same.mean() > 0.3  # the others found a nearby noise that says the same chunk
    own = np.sqrt(np.square(w).mean(axis=(1, 2)))
    np.testing.assert_allclose(found.norm[same], own[same], atol=1e-3)


def test_pictures_that_the_policy_never_saw_make_no_difference(policy, features):
    found = invert(
        policy, features, policy.decode(features, draws(24, policy.spec.prediction_horizon))
    )
    assert found.residual.max() <= EXACT
    assert found.usable().all()


def test_samples_that_a_clamp_did_not_touch_are_inverted_as_exactly(seen):
    policy = load_policy("demo")
    w = draws(len(seen), policy.spec.prediction_horizon)
    free = policy.decode(seen, w)
    policy.sampler = DdimSampler(replace(policy.sampler.config, clip_x0=2.0))
    off = policy.actions.normalise(policy.decode(seen, w)) - policy.actions.normalise(free)
    unsaturated = np.abs(off).max(axis=(1, 2)) < 1e-5
    assert 0.2 < unsaturated.mean() < 1
    found = invert(policy, seen[unsaturated], free[unsaturated])
    assert found.residual.max() <= EXACT


def test_what_is_found_for_a_chunk_does_not_depend_on_the_others(policy, seen):
    w = draws(len(seen), policy.spec.prediction_horizon)
    chunks = policy.decode(seen, w)
    whole = invert(policy, seen, chunks)
    for k in (0, len(seen) // 2):
        single = invert(policy, seen[k : k + 1], chunks[k : k + 1])
        np.testing.assert_allclose(single.noise[0], whole.noise[k], atol=2e-3)


def test_chunks_that_the_policy_would_not_make_are_told_apart(policy, features):
    w = draws(24, policy.spec.prediction_horizon)
    far = policy.decode(features, w)
    far[:12] += 12.0 * np.asarray(policy.actions.spread, dtype=np.float32)
    found = invert(policy, features, far)
    assert not found.usable()[:12].any()
    assert found.usable()[12:].mean() > 0.8


def test_chunks_of_another_length_are_refused(policy, features):
    with pytest.raises(ConfigError, match="chunks"):
        invert(policy, features, draws(24, policy.spec.prediction_horizon + 1))


def test_a_step_that_sweeps_cannot_solve_is_left_to_newton():
    """The sweeps diverge where the step moves x by more than x; Newton solves it all the same."""
    matrix = torch.tensor([[3.0, 0.5], [-0.5, 2.5]])

    def step(x, rows):
        return x @ matrix + 0.1 * torch.sin(x)

    want = torch.tensor([[0.3, -1.0], [2.0, 0.1]])
    found = solve(step, step(want, None))
    assert float((found - want).abs().max()) < 1e-5


def test_a_goal_outside_the_range_keeps_its_row_finite_and_spoils_no_other():
    def step(x, rows):
        return torch.tanh(x)

    goal = torch.tensor([[0.5], [1.5]])
    found = solve(step, goal)
    assert float(found[0]) == pytest.approx(np.arctanh(0.5), abs=1e-4)
    assert bool(torch.isfinite(found).all())

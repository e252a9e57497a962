# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Every shipped profile builds and learns; the reference ones say what was published."""

import dataclasses
import math

import numpy as np
import pytest

from roboreward_ros.dsrl.config import (
    ActorForm,
    Backup,
    Combine,
    CriticForm,
    DsrlConfig,
    NoiseForm,
    load_profile,
    profile_dirs,
)
from roboreward_ros.dsrl.edit_actor import steered_chunk
from roboreward_ros.dsrl.learner import Learner
from roboreward_ros.policies.noise import prior_noise
from roboreward_ros.testing.steering_toy import SteeringToy

TOY = SteeringToy()
PROFILES = sorted(path.stem for path in profile_dirs()[0].glob("*.yaml"))
REFERENCES = [name for name in PROFILES if name.startswith("reference_")]


def warm(config: DsrlConfig) -> Learner:
    learner = Learner(config, TOY.spec, 0, decode=TOY.decode)
    for k in range(3):
        actor = learner.actor_snapshot()
        episode = TOY.play(k, lambda *at, a=actor: steered_chunk(TOY.decode, a, *at))
        learner.observe_episode(
            episode, episode.dense_label if config.needs_dense else episode.label
        )
    return learner


@pytest.mark.parametrize("name", PROFILES)
def test_every_profile_runs_an_update_and_acts(name: str):
    config = load_profile(name)
    narrow = tuple(min(width, 32) for width in config.hidden)
    learner = warm(
        dataclasses.replace(
            config, hidden=narrow, warmup_episodes=3, capacity=2000, critic_only_updates=0,
            warmup_updates=0, batch_size=64, distil_every=2,
        )
    )  # fmt: skip
    assert learner.owed > 0
    assert learner.update(9) == 9
    assert all(math.isfinite(v) for v in dataclasses.asdict(learner.last).values())
    actor = learner.actor_snapshot()
    features = np.zeros(TOY.spec.feature_dim, np.float32)
    w, actions = steered_chunk(TOY.decode, actor, features, 0.5, 1, 2)
    assert w.shape == actions.shape == (4, 7)
    assert np.isfinite(actions).all()
    assert np.abs(w).max() <= learner.config.latent_bound + 1e-6


@pytest.mark.parametrize("name", REFERENCES)
def test_known_bugs_of_the_release_are_off(name: str):
    config = load_profile(name)
    assert not config.magnitude_ignored
    assert not config.time_limit_ends


def test_the_reference_profiles_are_those_published():
    lift, can, square = (load_profile(f"reference_{n}") for n in ("lift", "can", "square"))
    assert (can.critic, can.actor, can.backup) == (
        CriticForm.ALIASED, ActorForm.SQUASHED, Backup.SOFT
    )  # fmt: skip
    assert can.hidden == (2048,) * 3
    assert (can.ensemble, can.target_combine, can.batch_size, can.tau) == (
        2,
        Combine.MIN,
        256,
        5e-3,
    )
    assert (lift.distil_every, can.distil_every, can.distil_updates) == (30, 20, 10)
    assert (can.chunk_gamma, square.chunk_gamma) == (0.99, 0.999)
    assert (can.updates_per_decision, can.warmup_episodes, can.chunk_cost) == (5.0, 80, 4.0)
    transport = load_profile("reference_transport")
    assert (transport.critic, transport.hidden) == (CriticForm.LATENT, (128,) * 3)
    real, libero = load_profile("reference_pi0_real"), load_profile("reference_pi0_libero")
    assert (real.noise, real.backup, real.magnitude) == (NoiseForm.REPEAT, Backup.HARD, 2.5)
    assert (real.warmup_episodes, real.warmup_updates, real.updates_per_decision) == (1, 5000, 30)
    assert real.chunk_gamma == pytest.approx(0.99**10)
    assert libero.chunk_gamma == pytest.approx(0.999**20)
    assert (libero.ensemble, libero.target_combine) == (10, Combine.MEAN)
    tuned = load_profile("reference_tuned")
    assert (tuned.warmup_episodes, tuned.hidden) == (20, (256,) * 3)


def test_a_form_without_the_prior_starts_as_a_version_of_its_own():
    learner = Learner(load_profile("reference_pi0_libero"), TOY.spec, 0)
    actor = learner.actor_snapshot()
    assert actor.version == 1
    w = actor.steer(np.zeros(16, np.float32), 0.5, 1, 2)
    np.testing.assert_array_equal(w, np.repeat(w[:1], 4, axis=0))
    assert np.abs(w).max() <= 1.0
    stranger = TOY.run(0, lambda f, r, s, k: prior_noise(s, k, 4))
    learner.observe_episode(stranger, stranger.label)
    assert len(learner.replay) == 0  # its latents cannot be said in this form

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What imitation is worth in the shipped profiles, on decisions whose best noise is known."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from roboreward_ros.dsrl.checkpoint import load_learner, save_learner
from roboreward_ros.dsrl.compute import Compute, Precision
from roboreward_ros.dsrl.config import load_profile
from roboreward_ros.dsrl.learner import Learner
from roboreward_ros.policies.noise import prior_noise
from roboreward_ros.testing.steering_toy import Choose, SteeringToy, ToyEpisode, rubric
from roboreward_ros.types import StepFlag

TOY = SteeringToy()
PROFILE = load_profile("widowx")
CONFIG = replace(PROFILE, warmup_updates=20, updates_per_episode=5, critic_only_updates=5)


def prior(features, remaining, seed, chunk):
    return prior_noise(seed, chunk, 4)


def skilled(features, remaining, seed, chunk):
    """A person who does what the task wants, a bit differently every time."""
    w = TOY.best_noise(int(features[0] > 0)) + 0.7 * prior_noise(seed, chunk, 4)
    return w.astype(np.float32)


def by_hand(index: int, choose: Choose, name: str) -> ToyEpisode:
    episode = TOY.run(5000 + index, choose)
    meta = replace(episode.summary.meta, episode_id=name)
    flags = [int(StepFlag.TAKEOVER)] * len(episode.flags())
    return ToyEpisode(replace(episode.summary, meta=meta), episode.chunks(), flags, episode.score)


def score(learner: Learner) -> float:
    """Mean score 1..5 of the present actor on layouts of their own."""
    steer = learner.sac.snapshot(1, "toy").steer
    return float(np.mean([TOY.run(10**6 + k, steer).score for k in range(60)]))


def warmed(clone_updates: int, choose: Choose | None, label: float | None = None) -> Learner:
    """At the end of the warm-up, before the first update."""
    learner = Learner(replace(CONFIG, clone_updates=clone_updates), TOY.spec, 0)
    for index in range(5 if choose else 0):
        demonstration = by_hand(index, choose, f"prior_{index}")
        learner.observe_prior(demonstration, None if label is None else rubric(label))
    for index in range(CONFIG.warmup_episodes):
        own = TOY.run(index, prior)
        learner.observe_episode(own, own.label)
    learner.imitate()
    return learner


def actor(learner: Learner) -> bytes:
    return learner.sac.snapshot(1, "toy").to_bytes()


def test_the_shipped_profiles_imitate():
    for name in ("widowx", "noise_aliased"):
        assert load_profile(name).clone_updates == 100


def test_demonstrations_start_the_actor_near_what_they_show():
    without, with_clones = (warmed(n, skilled) for n in (0, PROFILE.clone_updates))
    assert score(without) < 3.8
    assert score(with_clones) > 4.6
    states = with_clones.sac.states(with_clones.replay)[torch.arange(60)]
    price = with_clones.sac.actor.draw(states, with_clones.sac.rng).price
    assert float(price.detach().mean()) < 1.3 * CONFIG.kl_budget
    for learner in (without, with_clones):
        learner.update()
    assert score(with_clones) > score(without) + 0.5


def test_imitation_in_bfloat16_trains_the_weights_that_act():
    config = replace(CONFIG, clone_updates=40, warmup_episodes=1)
    learner = Learner(config, TOY.spec, 0, Compute(precision=Precision.BF16))
    for index in range(5):
        learner.observe_prior(by_hand(index, skilled, f"prior_{index}"), None)
    own = TOY.run(0, prior)
    before = score(learner)
    learner.observe_episode(own, own.label)
    assert learner.imitate() == config.clone_updates
    assert score(learner) > before + 0.5
    for copies in learner.copies:
        for master, working in zip(copies.masters, copies.copies, strict=True):
            torch.testing.assert_close(working, master.to(working.dtype), rtol=0, atol=0)


def test_demonstrations_that_show_nothing_do_no_harm():
    base = score(warmed(0, None))
    assert score(warmed(PROFILE.clone_updates, prior)) > base - 0.3


@pytest.mark.parametrize(("choose", "label"), [(None, None), (skilled, 2.0)])
def test_without_demonstrations_to_imitate_the_actor_stays_the_prior(choose, label):
    learner = warmed(PROFILE.clone_updates, choose, label)
    assert actor(learner) == actor(warmed(0, choose, label))


def test_a_later_correction_is_imitated_a_little_and_resumes_exactly(tmp_path):
    def corrected(learner: Learner, index: int = 0) -> Learner:
        person = by_hand(index, skilled, f"ep_9{index:05d}")
        learner.observe_episode(person, person.label, corrected=True)
        learner.imitate()
        return learner

    learner = warmed(PROFILE.clone_updates, None)
    learner.update()
    save_learner(learner, tmp_path / "learner.safetensors")
    before, start = actor(learner), score(learner)
    corrected(learner)
    assert actor(learner) != before
    assert score(learner) > start - 0.4
    again = corrected(load_learner(tmp_path / "learner.safetensors", TOY.spec))
    assert actor(again) == actor(learner)
    learner.update()
    again.update()
    assert actor(again) == actor(learner)


def about_to_imitate() -> Learner:
    learner = Learner(replace(CONFIG, clone_updates=25, warmup_episodes=1), TOY.spec, 0)
    for index in range(3):
        learner.observe_prior(by_hand(index, skilled, f"prior_{index}"), None)
    own = TOY.run(0, prior)
    learner.observe_episode(own, own.label)
    return learner


def test_imitation_in_slices_is_the_same_and_shows_with_its_last_step():
    at_once, sliced = about_to_imitate(), about_to_imitate()
    at_once.update()
    before = actor(sliced)
    for _ in range(8):
        assert sliced.update(3) == 3
        assert (actor(sliced), sliced.sac.steps) == (before, 0)
    assert sliced.update(3) == 1
    assert actor(sliced) != before
    while sliced.behind:
        assert sliced.update(7) <= 7
    assert actor(sliced) == actor(at_once)


def test_imitation_ends_a_slice_when_it_is_enough():
    learner = about_to_imitate()
    assert learner.update(None, lambda: True) == 1
    assert learner.sac.steps == 0


@pytest.mark.parametrize("done", [0, 1, 24])
def test_a_checkpoint_amid_imitation_resumes_exactly(tmp_path, done: int):
    learner = about_to_imitate()
    learner.imitate(done)
    save_learner(learner, tmp_path / "learner.safetensors")
    again = load_learner(tmp_path / "learner.safetensors", TOY.spec)
    for each in (learner, again):
        each.update()
    assert actor(again) == actor(learner)
    assert again.rng.bit_generator.state == learner.rng.bit_generator.state


def test_imitation_begins_again_where_the_replay_changes_in_its_midst():
    early, late = about_to_imitate(), about_to_imitate()
    late.imitate(10)
    for learner in (early, late):
        learner.observe_prior(by_hand(7, skilled, "prior_7"), None)
        learner.update()
    assert actor(early) == actor(late)

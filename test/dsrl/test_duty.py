# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a learner tells of episodes that teach it nothing."""

import dataclasses
import math

import pytest
from fleet_toy import duty_config
from toy_run import CONFIG, ToyRun

from roboreward_ros.cli.main import main
from roboreward_ros.dsrl.config import CriticForm
from roboreward_ros.dsrl.duty import LearnerDuty
from roboreward_ros.dsrl.fleet import FleetLearner
from roboreward_ros.dsrl.saving import MOST_LOST_S, MOST_PERIOD_S, SLICE
from roboreward_ros.errors import ConfigError
from roboreward_ros.policies.diffusion import load_policy

LONG = dataclasses.replace(CONFIG, updates_per_episode=500)


@pytest.fixture
def run(tmp_path):
    made = ToyRun(tmp_path)
    yield made
    made.close()


@pytest.fixture
def duty(run):
    made = LearnerDuty(duty_config(run.path))
    yield made
    made.close()


def warning(duty):
    for _ in range(1000):
        if not duty.advance(20):
            return duty.bulletin().warning
    raise AssertionError("it never comes to rest")


def test_a_run_that_another_policy_began_says_so_until_its_own_comes_back(run, duty):
    run.score(run.commit(0, policy_id="first"))
    assert warning(duty) == ""
    for index in (1, 2):
        run.score(run.commit(index, policy_id="second"))
        told = warning(duty)
        assert "nothing is learnt from the newest episodes: the episode was recorded" in told
        assert "ep_0" not in told, "the same words for each"
        assert "got 'second'; allowed: first" in told
        assert "a new run_dir" in told
    run.score(run.commit(3, policy_id="first"))
    assert warning(duty) == ""


def test_one_bad_episode_is_told_until_the_next_good_one(run, duty):
    run.score(run.commit(0))
    run.score(run.commit(1, spoil="features"))
    assert "not finite" in warning(duty)
    run.score(run.commit(2))
    assert warning(duty) == ""


def test_a_refused_episode_is_not_the_newest_after_a_restart(run, duty):
    run.score(run.commit(0))
    run.score(run.commit(1, spoil="features"))
    run.score(run.commit(2))
    assert warning(duty) == ""
    duty.save()
    again = LearnerDuty(duty_config(run.path))
    assert warning(again) == ""
    assert again.follower.order[-1] == "ep_000001", "it was taken in again, and refused"
    again.close()


def test_the_reason_of_the_newest_episode_is_told(run, duty):
    """What was wrong with older ones is over: a person is to repair what lasts."""
    run.score(run.commit(0))
    run.score(run.commit(1, spoil="features"))
    run.score(run.commit(2, policy_id="second"))
    told = warning(duty)
    assert "got 'second'" in told
    assert "not finite" not in told


def test_a_damaged_file_is_told_without_the_name_of_its_episode(run, duty):
    run.score(run.commit(0))
    toy = run.commit(1)
    (run.path / "episodes" / "ep_000001" / "chunks" / "step" / "zarr.json").write_bytes(b"damaged")
    run.score(toy)
    told = warning(duty)
    assert "nothing is learnt from the newest episodes: " in told
    assert "ep_0" not in told


def test_a_learner_that_decodes_with_another_policy_says_so_with_both_names(run):
    config = dataclasses.replace(CONFIG, critic=CriticForm.ALIASED)
    made = LearnerDuty(duty_config(run.path, learner=config, policy="demo"))
    run.score(run.commit(0))
    told = warning(made)
    made.close()
    assert f"got 'toy'; allowed: {load_policy('demo').spec.policy_id}. Give the learner" in told


def test_a_slice_is_bounded_by_time_on_a_slow_machine(run):
    """With the longest period between two checkpoints a kill then costs less than a minute."""
    now_s = [0.0]
    slow = LearnerDuty(duty_config(run.path, learner=LONG), lambda: now_s[0])
    for index in range(2):
        run.score(run.commit(index))
    while not slow.follower.owed:
        slow.advance(SLICE)
    sac = slow.follower._learner.sac
    step = sac.step

    costs_s = iter([1e-3] * SLICE + [5.0, 1.5, 1.5, 0.25] + [0.25] * 100)

    def takes_its_time(*arguments):
        now_s[0] += next(costs_s)
        return step(*arguments)

    sac.step = takes_its_time
    slices = []
    for _ in range(4):
        before, began_s = slow.follower.grad_steps, now_s[0]
        slow.advance(SLICE)
        slices.append((slow.follower.grad_steps - before, now_s[0] - began_s))
    slow.close()
    assert [updates for updates, _ in slices] == [SLICE, 1, 2, 8]
    assert max(took_s for _, took_s in slices) + MOST_PERIOD_S < MOST_LOST_S


def test_a_period_that_could_cost_a_minute_of_work_is_refused_by_name(tmp_path):
    for bad in (0.0, 60.0, math.inf, math.nan):
        with pytest.raises(ConfigError, match=r"checkpoint_s does not fit.*at most 50 s"):
            FleetLearner(duty_config(tmp_path), bad)
    assert main(["serve", "learner", str(tmp_path / "fleet"), "--checkpoint-s", "300"]) == 2
    assert not (tmp_path / "fleet").exists()


def test_idle_time_adds_updates_in_the_quotas_that_apply(run):
    """A profile that counts by decision gives an episode more than ``updates_per_episode``."""
    config = dataclasses.replace(CONFIG, updates_per_decision=2.0)
    made = LearnerDuty(duty_config(run.path, learner=config, adapt=True))
    made.session(0.0, 2)
    for index in range(2):
        run.score(run.commit(index))
    warning(made)
    before = made.follower.grad_steps
    made.session(1e9, 3)
    toy = run.commit(2)
    run.score(toy)
    warning(made)
    made.close()
    assert made.follower.grad_steps - before == 3 * 2 * len(toy.chunks())

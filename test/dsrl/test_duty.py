# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a learner tells of episodes that teach it nothing."""

import dataclasses

import pytest
from fleet_toy import duty_config
from toy_run import CONFIG, ToyRun

from roboreward_ros.dsrl.config import CriticForm
from roboreward_ros.dsrl.duty import LearnerDuty
from roboreward_ros.policies.diffusion import load_policy


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

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Checkpoints fit their run or are refused; a kill costs nothing but time."""

import dataclasses
import math
import shutil
import subprocess
import sys

import numpy as np
import pytest
from toy_run import CONFIG, TOY, ToyRun, weights, work

from roboreward_ros.dsrl.checkpoint import LEARNER_FORMAT
from roboreward_ros.dsrl.compute import Compute, Precision
from roboreward_ros.dsrl.config import CriticForm, RewardForm
from roboreward_ros.dsrl.follow import RunFollower
from roboreward_ros.dsrl.stores import RunStores
from roboreward_ros.errors import CheckpointError
from roboreward_ros.testing.steering_toy import SteeringToy

ALIASED = dataclasses.replace(CONFIG, critic=CriticForm.ALIASED)
DENSE = dataclasses.replace(CONFIG, reward=RewardForm.PROGRESS)


@pytest.fixture
def run(tmp_path):
    made = ToyRun(tmp_path)
    yield made
    made.close()


def saved_run(run):
    follower = RunFollower(run.path, CONFIG)
    for index in range(2):
        run.score(run.commit(index))
    work(follower)
    follower.save()
    return follower


def test_a_checkpoint_of_another_task_is_refused(run, tmp_path):
    saved_run(run)
    other = ToyRun(tmp_path / "other")
    for index in range(2):
        other.commit(index, task="another task")
    follower = RunFollower(other.path, CONFIG)
    follower.checkpoint.parent.mkdir()
    follower.checkpoint.write_bytes(RunFollower(run.path, CONFIG).checkpoint.read_bytes())
    with pytest.raises(CheckpointError, match=r"another task or run.*another task"):
        follower.resume()
    other.close()


def test_a_checkpoint_that_knows_more_episodes_than_the_run_is_refused(run):
    saved_run(run)
    shutil.rmtree(run.path / "episodes" / "ep_000001")
    with pytest.raises(CheckpointError, match="ep_000001"):
        RunFollower(run.path, CONFIG).resume()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"config": dataclasses.replace(CONFIG, gamma=0.9)}, "gamma 0.97 then, 0.9 now"),
        ({"seed": 5}, "seed 0 then, 5 now"),
        ({"compute": Compute(precision=Precision.BF16)}, "precision bf16 now, fp32 then"),
    ],
)
def test_a_resume_that_cannot_be_exact_says_why_and_can_be_allowed(run, changes, said):
    before = saved_run(run).status
    arguments = {"config": CONFIG, **changes}
    config = arguments.pop("config")
    with pytest.raises(CheckpointError, match=f"{said}.*exact_resume:=false"):
        RunFollower(run.path, config, **arguments).resume()
    allowed = RunFollower(run.path, config, exact=False, **arguments)
    allowed.resume()
    assert allowed.status.metrics.grad_steps == before.metrics.grad_steps


def test_a_checkpoint_of_an_older_format_is_kept_and_the_stores_are_learnt_anew(run, monkeypatch):
    before = saved_run(run).status
    monkeypatch.setattr("roboreward_ros.dsrl.resume.LEARNER_FORMAT", 99)
    follower = RunFollower(run.path, CONFIG)
    follower.resume()
    assert (run.path / "checkpoints" / "learner_format3.safetensors").is_file()
    assert not follower.checkpoint.exists()
    assert work(follower).metrics == before.metrics


def test_a_checkpoint_of_a_newer_version_is_refused_by_number_and_left_alone(run, monkeypatch):
    with monkeypatch.context() as newer:
        newer.setattr("roboreward_ros.dsrl.checkpoint.LEARNER_FORMAT", 99)
        path = saved_run(run).checkpoint
    data = path.read_bytes()
    with pytest.raises(CheckpointError, match=f"got 99; allowed: {LEARNER_FORMAT}"):
        RunFollower(run.path, CONFIG).resume()
    assert path.read_bytes() == data


@pytest.mark.parametrize("spoil", ["chunk_size", "features", "noise", "actions"])
def test_a_bad_episode_is_refused_by_name_and_training_goes_on(run, spoil, caplog):
    config, policy = (ALIASED, TOY) if spoil == "actions" else (CONFIG, None)
    follower = RunFollower(run.path, config, policy=policy)
    run.score(run.commit(0))
    run.score(run.commit(1, spoil=spoil))
    run.score(run.commit(2))
    status = work(follower)
    assert status.episodes_done == 3
    assert status.metrics.grad_steps > 0, "the two good ones end the warm-up"
    assert "without ep_000001" in caplog.text


NAN, INF = math.nan, math.inf


@pytest.mark.parametrize("bad", [{"value": NAN}, {"value": INF}, {"per_step": [1.0, NAN]}])
def test_a_label_that_is_not_finite_is_refused_by_name_and_training_goes_on(run, bad, caplog):
    follower = RunFollower(run.path, CONFIG)
    run.score(run.commit(0))
    toy = run.commit(1)
    run.score_by_another_writer(toy, **bad)
    run.score(run.commit(2))
    status = work(follower)
    assert (status.episodes_done, status.metrics.labelled) == (3, 2)
    assert status.metrics.grad_steps == 7, "the two good ones end the warm-up"
    assert "(ep_000001) holds an impossible score" in caplog.text
    run.score(toy)
    assert work(follower).metrics.labelled == 3


def test_a_reward_that_is_not_finite_never_enters_the_replay(run, caplog):
    class Spoilt(RunStores):
        def label(self, episode_id):
            label = super().label(episode_id)
            if episode_id == "ep_000001":
                object.__setattr__(label, "value", NAN)  # as if nothing had checked it
            return label

    follower = RunFollower(run.path, CONFIG, stores=Spoilt(run.path))
    for index in range(3):
        run.score(run.commit(index))
    status = work(follower)
    assert (status.trainable, status.metrics.grad_steps) == (2, 7)
    assert "the rewards of episode ep_000001 are not finite" in caplog.text
    assert np.isfinite(follower._learner.replay.rewards).all()


def policy_of(policy_id):
    policy = SteeringToy()
    policy.spec = dataclasses.replace(TOY.spec, policy_id=policy_id)
    return policy


def test_episodes_of_another_policy_than_the_one_that_decodes_are_refused_by_name(run, caplog):
    follower = RunFollower(run.path, ALIASED, policy=TOY)
    run.score(run.commit(0, policy_id="another"))
    assert work(follower).trainable == 0
    said = "recorded with another policy than the one that decodes here; got 'another'; "
    assert f"without ep_000000: the episodes were {said}allowed: toy. Give" in caplog.text
    for index in (1, 2):
        run.score(run.commit(index))
    status = work(follower)
    assert (status.trainable, status.metrics.grad_steps) == (2, 7), "training of others goes on"


def test_a_resume_with_another_policy_is_refused_with_both_names(run):
    follower = RunFollower(run.path, ALIASED, policy=TOY)
    for index in range(2):
        run.score(run.commit(index))
    work(follower)
    follower.save()
    replaced = RunFollower(run.path, ALIASED, policy=policy_of("another"))
    with pytest.raises(CheckpointError, match=r"got 'toy'; allowed: another\. Give.*--policy"):
        replaced.resume()
    again = RunFollower(run.path, ALIASED, policy=policy_of("toy"))
    again.resume()
    assert again.status.metrics == follower.status.metrics


def test_a_run_resumes_whose_first_episode_was_refused(run):
    follower = RunFollower(run.path, ALIASED, policy=TOY)
    run.score(run.commit(0, policy_id="another"))
    for index in (1, 2):
        run.score(run.commit(index))
    before = work(follower).metrics
    follower.save()
    again = RunFollower(run.path, ALIASED, policy=TOY)
    again.resume()
    assert work(again).metrics == before
    assert again.refused.keys() == {"ep_000000"}


def test_a_label_that_came_while_the_learner_was_dead_counts_as_if_it_had_lived(tmp_path):
    """The second label of an episode, too; what was learned in between is not lost."""
    lived, died = ToyRun(tmp_path / "lived"), ToyRun(tmp_path / "died")
    followers = []
    for made in (lived, died):
        follower = RunFollower(made.path, CONFIG)
        toys = [made.commit(index) for index in range(4)]
        made.fail(toys[1])
        for toy in (toys[0], toys[2], toys[3]):
            made.score(toy)
        assert work(follower).metrics.labelled == 3
        follower.save()
        made.score(toys[1])
        followers.append(follower)
    followers[1] = RunFollower(died.path, CONFIG)
    followers[1].resume()
    for made, follower in zip((lived, died), followers, strict=True):
        made.score(made.commit(4))
        assert work(follower).metrics.labelled == 5
        made.close()
    assert followers[0].status.metrics == followers[1].status.metrics
    versions = [follower.status.actor.version for follower in followers]
    assert weights(lived.path, versions[0]) == weights(died.path, versions[1])


def test_a_label_that_fits_brings_in_an_episode_that_was_refused_for_its_label(run):
    follower = RunFollower(run.path, DENSE)
    toys = [run.commit(index) for index in range(2)]
    for toy in toys:
        run.score(toy)
    assert work(follower).trainable == 0
    assert "needs a value per step" in follower.refused["ep_000000"]
    assert follower.save() is None, "nothing was learnt yet"
    for count, toy in enumerate(toys, start=1):
        run.score(toy, dense=True)
        assert work(follower).metrics.labelled == count
    assert not follower.refused
    assert (follower.taken, follower.status.metrics.grad_steps) == (2, 7)


def test_labels_that_fit_later_count_the_same_for_a_learner_that_was_dead(tmp_path):
    lived, died = ToyRun(tmp_path / "lived"), ToyRun(tmp_path / "died")
    followers = []
    for made in (lived, died):
        follower = RunFollower(made.path, DENSE)
        toys = [made.commit(index) for index in range(5)]
        for index, toy in enumerate(toys):
            made.score(toy, dense=index not in (1, 3))
        status = work(follower)
        assert (status.episodes_done, status.trainable) == (5, 3)
        follower.save()
        made.score(toys[3], dense=True)
        made.score(toys[1], dense=True)
        followers.append(follower)
    followers[1] = RunFollower(died.path, DENSE)
    followers[1].resume()
    for made, follower in zip((lived, died), followers, strict=True):
        made.score(made.commit(5), dense=True)
        assert work(follower).trainable == 6
        made.close()
    assert followers[0].status.metrics == followers[1].status.metrics
    versions = [follower.status.actor.version for follower in followers]
    assert weights(lived.path, versions[0]) == weights(died.path, versions[1])


def test_a_resume_brings_no_evicted_episode_back(tmp_path):
    """Every label is heard again; the replay holds the newest five episodes."""
    config = dataclasses.replace(CONFIG, capacity=61)
    lived, died = ToyRun(tmp_path / "lived"), ToyRun(tmp_path / "died")
    for made in (lived, died):
        follower = RunFollower(made.path, config)
        toys = [made.commit(index) for index in range(10)]
        for toy in toys:
            made.score(toy)
        work(follower)
        if made is died:
            follower.save()
            follower = RunFollower(made.path, config)
            follower.resume()
        made.score(toys[0])
        made.score(made.commit(10))
        assert work(follower).metrics.labelled == 5
        made.close()
    assert weights(lived.path, 10) == weights(died.path, 10)


def test_a_killed_learner_loses_no_episode_and_ends_with_the_same_weights(tmp_path):
    """SIGKILL wherever it happens to be; the successor goes on from the last checkpoint."""
    whole, killed = ToyRun(tmp_path / "whole"), ToyRun(tmp_path / "killed")
    for made in (whole, killed):
        for index in range(6):
            made.score(made.commit(index))
        made.close()
    calm = work(RunFollower(whole.path, KILL_CONFIG), 5)
    for goal in (47, 87):
        process = subprocess.Popen(
            [sys.executable, __file__, str(killed.path), str(goal + 20)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        seen = 0
        for line in process.stdout:
            seen = int(line)
            if seen >= goal:
                break
        process.kill()
        process.communicate()
        assert seen, "it worked before it was killed"
    follower = RunFollower(killed.path, KILL_CONFIG)
    follower.resume()
    assert follower.status.metrics.grad_steps >= 40
    status = work(follower, 5)
    assert status.episodes_done == 6
    assert status.metrics == calm.metrics
    assert weights(killed.path, status.actor.version) == weights(whole.path, calm.actor.version)


KILL_CONFIG = dataclasses.replace(CONFIG, updates_per_episode=40)


if __name__ == "__main__":  # the victim: says how far it is, saves now and then, waits for its end
    victim = RunFollower(sys.argv[1], KILL_CONFIG)
    victim.resume()
    while victim.advance(1):
        if victim._learner and victim._learner.sac.steps > int(sys.argv[2]):
            sys.stdin.read()
        if victim.unsaved and victim._learner.sac.steps % 5 == 0:
            victim.save()
        sys.stdout.write(f"{victim._learner.sac.steps if victim._learner else 0}\n")
        sys.stdout.flush()

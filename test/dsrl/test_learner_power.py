# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The power goes while a learner works: what it told of is there, and it goes on from there."""

import hashlib
import json
import os

import pytest
from fleet_toy import duty_config
from toy_run import TOY, ToyRun

from roboreward_ros.dsrl.actor import SteeringActor
from roboreward_ros.dsrl.actor_files import ActorFiles, actor_path
from roboreward_ros.dsrl.checkpoint import load_learner
from roboreward_ros.dsrl.duty import LearnerDuty
from roboreward_ros.dsrl.learned import CHECKPOINT, RemoteLearned, read_remote, write_remote
from roboreward_ros.dsrl.noise_record import NAME, FormResult, Place, keep_results, read_results
from roboreward_ros.dsrl.remote_duty import RemoteConfig, RemoteDuty, identity_path
from roboreward_ros.remote.endpoint import Endpoint
from roboreward_ros.testing.power import power
from roboreward_ros.types import Abstain, AbstainReason, LabelRecord, Provenance

POLICY, HORIZON = "toy", 4


@pytest.fixture
def disk(tmp_path):
    path = tmp_path / "disk"
    path.mkdir()
    return path


def made(run_dir, episodes=4):
    """A run whose episodes and labels are on disk."""
    run = ToyRun(run_dir)
    for index in range(episodes):
        run.score(run.commit(index))
    return run


def learn(duty):
    """Work until there is none; after each piece: the actor that it tells of."""
    for _ in range(1000):
        worked = duty.advance(2)
        yield duty.bulletin().actor
        if not worked:
            return
    raise AssertionError("it never comes to rest")


def test_an_actor_that_was_told_of_and_a_checkpoint_that_was_saved_are_there(disk, tmp_path):
    made(disk / "run").close()
    told, saved = {}, []
    with power(disk) as supply:
        begun = supply.moments
        duty = LearnerDuty(duty_config(disk / "run"))
        for actor in learn(duty):
            if actor is not None and actor.sha256 not in told:
                told[actor.sha256] = (supply.moments, actor.path.relative_to(disk))
                assert duty.save()
                saved.append((supply.moments, duty.follower.grad_steps))
        duty.close()
        last = (actor.version, actor.sha256)
        assert len(told) > 2
        for moment in range(begun, supply.moments + 1):
            left = supply.cut(moment, tmp_path / f"cut {moment}")
            for sha256, (bound, path) in told.items():
                if moment >= bound or (left / path).exists():
                    assert hashlib.sha256((left / path).read_bytes()).hexdigest() == sha256
            steps = max((steps for bound, steps in saved if moment >= bound), default=-1)
            checkpoint = left / "run" / CHECKPOINT
            if steps >= 0 or checkpoint.exists():
                assert load_learner(checkpoint, TOY.spec).sac.steps >= steps
            if moment % 3 == 0 or moment == supply.moments:
                again = LearnerDuty(duty_config(left / "run"))
                *_, actor = learn(again)
                again.close()
                assert (actor.version, actor.sha256) == last, "as if the power had stayed"


def test_a_name_that_a_kill_left_unsynced_is_synced_before_it_is_told_of(disk, tmp_path):
    """Killed after the rename, started again, and then the power goes."""
    actor = SteeringActor.prior(POLICY, HORIZON)
    data = actor.to_bytes()
    (disk / "policies").mkdir()
    with power(disk) as supply:
        files = ActorFiles(disk)
        with actor_path(disk, 1).open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        assert files.find(1, POLICY, 0).version == 1
        left = supply.cut(supply.moments, tmp_path / "found")
        assert actor_path(left, 1).read_bytes() == data
        with actor_path(disk, 3).open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        assert files.place(data, 3, POLICY, 0).version == 3
        left = supply.cut(supply.moments, tmp_path / "placed")
        assert actor_path(left, 3).read_bytes() == data


def test_a_brake_holds_after_the_power_is_back_until_its_release_is_on_disk(disk, tmp_path):
    run = ToyRun(disk / "run")
    with power(disk) as supply:
        duty = LearnerDuty(duty_config(disk / "run"))
        for index in range(8):
            toy = run.commit(index)
            if index < 3:
                run.score(toy)
            else:
                declined = Abstain(AbstainReason.ENTROPY, Provenance("toy"))
                run.ledger.append(LabelRecord(-1, toy.summary.meta.episode_id, declined, 0))
        run.close()
        *_, actor = learn(duty)
        assert duty.follower.held
        set_at = supply.moments
        duty.release()
        released_at = supply.moments
        assert not duty.follower.held
        duty.close()
        assert released_at > set_at
        for moment in range(set_at, released_at + 1):
            left = supply.cut(moment, tmp_path / f"cut {moment}") / "run"
            note = left / "brakes.json"
            if moment == released_at or note.exists():
                assert json.loads(note.read_bytes())["steering_since"] == 8
            again = LearnerDuty(duty_config(left))
            *_, actor = learn(again)
            assert again.follower.held, "a person looks again: too many are still abstained"
            assert actor is None
            again.close()


def test_what_a_run_remembers_of_its_learner_is_old_or_new(disk, tmp_path):
    results = [
        FormResult.of(SteeringActor.prior(POLICY, HORIZON), f"task {k}", Place.TWIN, (k, 9), (8, 9))
        for k in range(2)
    ]
    policy = disk / "policy"
    policy.mkdir()
    with power(disk) as supply:
        run, bounds = disk / "run", []
        nobody = RemoteConfig(run, Endpoint("ws://127.0.0.1:1"), "arm")
        RemoteDuty(nobody, lambda: 0.0).close()
        known, named = supply.moments, identity_path(run).read_bytes()
        for k in range(2):
            write_remote(run, RemoteLearned(tuple(f"ep_{i:06d}" for i in range(k + 1)), k + 1, k))
            assert keep_results(str(policy), [results[k]]) == policy / NAME
            bounds.append(supply.moments)
        for moment in range(supply.moments + 1):
            left = supply.cut(moment, tmp_path / f"cut {moment}")
            done = sum(moment >= bound for bound in bounds)
            identity = identity_path(left / "run")
            if moment >= known or identity.exists():
                assert identity.read_bytes() == named
            assert read_remote(left / "run").episodes_done >= done
            assert read_results(left / "policy" / NAME)[:done] == results[:done]

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One learner on a host of its own, for one arm or several: real doors, links and stores."""

import threading

import pytest
from fleet_toy import PATIENCE_S, ArmRun, Host, duty_config, make, settle, turns
from toy_run import weights

from roboreward_ros.dsrl.fleet import FleetLearner
from roboreward_ros.dsrl.learned import learned_episodes
from roboreward_ros.episodes.parcel import Parcel
from roboreward_ros.episodes.store import EpisodeStore

pytestmark = pytest.mark.usefixtures("no_waiting")


def test_two_arms_get_the_same_actor_and_each_its_own_account(stack, tmp_path):
    host, (a, b) = make(stack, tmp_path)
    for _ in range(2):
        a.episode()
    settle(host, a, b)
    for arm in (b, b, a):
        arm.episode()
        settle(host, a, b)
    assert (a.told("episodes_done"), b.told("episodes_done")) == (3, 2)
    assert a.told("policy_version") == b.told("policy_version") == 4
    for version in range(1, 5):
        assert weights(a.path, version) == weights(host.root, version)
    assert weights(b.path, 4) == weights(host.root, 4)
    assert b.duty.bulletin().actor.path == b.path / "policies" / "actor_000004.safetensors"
    taken = (host.root / "intake.jsonl").read_text()
    assert taken.count("arm-a/ep_") == 3
    assert taken.count("arm-b/ep_") == 2
    host.gone()


def test_the_weights_do_not_depend_on_the_way_of_the_episodes(stack, tmp_path):
    """Over the link, piece by piece, or read where they were recorded."""
    host, (a, b) = make(stack, tmp_path)
    for arm in (a, b, a, b):
        arm.episode()
        settle(host, a, b)
    here = FleetLearner(duty_config(tmp_path / "here"))
    for arm in (a, b):
        (tmp_path / "here" / "arms").mkdir(exist_ok=True)
        (tmp_path / "here" / "arms" / arm.name).symlink_to(arm.path)
    while here.advance():
        pass
    assert weights(tmp_path / "here", 3) == weights(host.root, 3)
    here.close()
    host.gone()


def test_a_learner_that_died_ends_with_the_same_weights(stack, tmp_path):
    """Which arm's episode came when is written down: what follows a checkpoint is repeated."""
    results = []
    for name, interrupted in (("whole", False), ("cut", True)):
        host, (a, b) = make(stack, tmp_path / name)
        for arm in (a, b):
            arm.episode()
            settle(host, a, b)
        host.fleet._save()
        for arm in (b, b, a):
            arm.episode()
        settle(host, a, b)
        if interrupted:
            port = host.gone()
            a.episode()
            assert a.finds_nobody()
            assert "1 episodes wait here" in a.duty.bulletin().warning
            host = Host(host.root, port)
        else:
            a.episode()
        settle(host, a, b)
        results.append([weights(host.root, v) for v in (1, 2)])
        newest = a.told("policy_version")
        results[-1].append(weights(a.path, newest))
        assert (a.told("episodes_done"), b.told("episodes_done")) == (3, 3)
        host.gone()
    assert results[0] == results[1]


def test_a_robot_that_died_and_comes_back_sends_only_what_is_missing(stack, tmp_path):
    host, (a,) = make(stack, tmp_path, "a")
    for _ in range(3):
        a.episode()
    while not a.duty.shipper.shipped:
        a.duty.advance(20)
    a.close()
    again = ArmRun(a.path, a.name, a.seed, host.door.port)
    stack.callback(again.close)
    again.count = 3
    settle(host, again)
    assert len(EpisodeStore(host.root / "arms" / "arm-a").ids()) == 3
    missing = [Parcel(a.path / "episodes" / name).offer.total for name in a.store.ids()[1:]]
    assert 0 < again.duty.shipper.sent_bytes <= sum(missing)
    host.gone()


def test_pictures_may_go_once_the_checkpoint_there_holds_their_episode(stack, tmp_path):
    host, (a, b) = make(stack, tmp_path)
    for arm in (a, b, a):
        arm.episode()
    settle(host, a, b)
    assert learned_episodes(a.path) == frozenset()
    a.duty.save()
    settle(host, a, b)
    while not learned_episodes(a.path):
        a.duty.advance(20)
        host.fleet.advance()
    assert learned_episodes(a.path) == {*a.store.ids()}
    port = host.gone()
    host = Host(host.root, port)
    a.episode()
    settle(host, a, b)
    assert learned_episodes(a.path) == {*a.store.ids()[:2]}
    host.gone()


def test_a_checkpoint_that_cannot_be_written_is_told_to_every_arm(stack, tmp_path, monkeypatch):
    host, arms = make(stack, tmp_path)
    for arm in arms:
        arm.episode()
    settle(host, *arms)

    def full():
        raise OSError(28, "No space left on device")

    def told():
        host.fleet.advance()
        for arm in arms:
            arm.duty.advance(20)
        return [arm.duty.bulletin().warning for arm in arms]

    with monkeypatch.context() as broken:
        broken.setattr(host.fleet._duty, "save", full)
        host.fleet._save()
    problem = "the learner could not be saved: [Errno 28] No space left on device"
    assert told() == [problem, problem]
    host.fleet._save()
    assert told() == ["", ""]
    host.gone()


def test_late_labels_and_discards_reach_the_learner(stack, tmp_path):
    host, (a,) = make(stack, tmp_path, "a")
    toy = a.commit(0)
    a.fail(toy)
    a.count = 1
    settle(host, a)
    assert a.told("message") == "warming up: 0 of 2 labelled episodes"
    a.score(toy)
    while a.told("message") != "warming up: 1 of 2 labelled episodes":
        a.duty.advance(20)
        host.fleet.advance()
    rows = a.told("transitions")
    assert rows > 0
    a.store.discard("ep_000000")
    while a.told("transitions") == rows:
        a.duty.advance(20)
        host.fleet.advance()
    assert a.told("episodes_trainable") == 0
    host.gone()


def test_an_alarm_of_one_arm_holds_the_actor_for_all_until_a_person_lets_go(stack, tmp_path):
    host, (a, b) = make(stack, tmp_path)
    for _ in range(2):
        b.episode()
    settle(host, a, b)
    for _ in range(6):
        a.decline()
    settle(host, a, b)
    before, steps = b.told("policy_version"), b.told("grad_steps")
    b.episode()
    settle(host, a, b)
    assert b.told("grad_steps") > steps, "training goes on"
    for arm in (a, b):
        assert arm.told("alarm").startswith("arm-a: ")
        assert arm.told("holding")
        assert arm.told("policy_version") == before, "nothing is published"
    b.duty.release()
    for _ in turns(b.duty.bulletin):
        b.duty.advance(20)
        host.fleet.advance()
        if b.told("policy_version") > before:
            break
    settle(host, a, b)
    assert not a.told("holding")
    assert a.told("policy_version") == b.told("policy_version") == before + 1
    mirrors = host.root / "arms"
    assert (mirrors / "arm-a" / "brakes.json").exists()
    assert not (mirrors / "arm-b" / "brakes.json").exists(), "its steering is judged on as before"
    host.gone()


def test_the_loop_saves_at_its_end_and_wakes_for_what_arrives(stack, tmp_path, monkeypatch):
    monkeypatch.setattr("roboreward_ros.dsrl.fleet.POLL_S", 30.0)
    host, (a,) = make(stack, tmp_path, "a")
    stop = threading.Event()
    loop = threading.Thread(target=host.fleet.run, args=(stop,))
    loop.start()
    for _ in range(2):
        a.episode()
    for _ in turns(a.duty.bulletin):
        a.duty.advance(20)
        if a.told("policy_version") == 1:
            break
    stop.set()
    host.fleet.wake()
    loop.join(PATIENCE_S)
    assert not loop.is_alive()
    assert a.told("policy_version") == 1
    assert (host.root / "checkpoints" / "learner.safetensors").is_file()
    host.gone()

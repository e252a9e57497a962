# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One learner on a host of its own, for one arm or several: real doors, links and stores."""

import json
import os
import threading
from contextlib import ExitStack

import pytest
from toy_run import CONFIG, ToyRun, weights

from roboreward_ros.dsrl import remote_duty
from roboreward_ros.dsrl.compute import Compute
from roboreward_ros.dsrl.duty import DutyConfig, LearnerDuty
from roboreward_ros.dsrl.fleet import FleetLearner
from roboreward_ros.dsrl.fleet_desk import FleetService
from roboreward_ros.dsrl.fleet_wire import Arm, held_from_json, news_from_json
from roboreward_ros.dsrl.learned import learned_episodes
from roboreward_ros.dsrl.remote_duty import RemoteConfig, RemoteDuty, endpoint_of, refuse_remote
from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.errors import ConfigError, FormatError, StoreError
from roboreward_ros.remote.door import Door
from roboreward_ros.remote.door_config import DoorConfig
from roboreward_ros.remote.endpoint import Endpoint
from roboreward_ros.session.brakes import AbstainBrakeConfig
from roboreward_ros.session.monitor import MonitorConfig
from roboreward_ros.testing.papers import papers_in
from roboreward_ros.types import Abstain, AbstainReason, LabelRecord, Provenance


def duty_config(root, **changes):
    values = {
        "run_dir": root, "learner": CONFIG, "seed": 0, "source": "", "policy": "",
        "compute": Compute(), "exact_resume": True, "keep_actors": 0, "adapt": False,
        "monitor": MonitorConfig(), "brake": AbstainBrakeConfig(), "board": False,
    }  # fmt: skip
    return DutyConfig(**{**values, **changes})


class Host:
    """The learner's host; may go away and come back."""

    def __init__(self, root, port=0, **door):
        self.root = root
        self.fleet = FleetLearner(duty_config(root), checkpoint_s=1e9)
        config = DoorConfig(port=port, **{"dead_s": 1.0, **door})
        self.door = Door(config, FleetService(self.fleet.desk)).__enter__()

    def gone(self):
        """Stop, without a save, as after a kill."""
        self.door.__exit__(None, None, None)
        self.fleet.close()
        return self.door.port


class ArmRun(ToyRun):
    """An arm's run that is learnt elsewhere."""

    def __init__(self, path, name, seed, port, **endpoint):
        super().__init__(path)
        self.name, self.seed, self.count = name, seed, 0
        place = (
            Endpoint(f"ws://127.0.0.1:{port}", dead_s=1.0) if not endpoint else Endpoint(**endpoint)
        )
        config = RemoteConfig(path, place, name, seed, deadline_s=2.0)
        self.duty = RemoteDuty(config, lambda: 0.0)

    def episode(self):
        self.score(self.commit(self.count + 100 * self.seed))
        self.count += 1

    def decline(self):
        toy = self.commit(self.count + 100 * self.seed)
        declined = Abstain(AbstainReason.ENTROPY, Provenance("toy"))
        self.ledger.append(LabelRecord(-1, toy.summary.meta.episode_id, declined, 0))
        self.count += 1

    def told(self, name):
        return self.duty.bulletin().figures.get(name, 0)

    def close(self):
        self.duty.close()
        super().close()


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda _: None)  # what a power cut takes is tested elsewhere
    monkeypatch.setattr(os, "fdatasync", lambda _: None)
    monkeypatch.setattr(remote_duty, "LONG_POLL_S", 0.0)
    monkeypatch.setattr(remote_duty, "REFUSED_S", 0.0)


@pytest.fixture
def stack():
    with ExitStack() as made:
        yield made


def settle(host, *arms):
    """Let everybody work until all episodes are learnt and everybody has heard of it."""
    for _ in range(3000):
        busy = host.fleet.advance()
        for arm in arms:
            arm.duty.advance(20)
            trouble = arm.duty.bulletin().trouble
            assert not trouble, trouble
        newest = host.fleet._duty.follower.status.actor
        version = newest.version if newest else 0
        done = all(
            arm.told("episodes_done") == arm.count and arm.told("policy_version") == version
            for arm in arms
        )
        if done and not busy:
            return
    raise AssertionError([arm.duty.bulletin() for arm in arms])


def make(stack, tmp_path, names="ab", **door):
    host = Host(tmp_path / "learner", **door)
    arms = [
        ArmRun(tmp_path / name, f"arm-{name}", seed, host.door.port)
        for seed, name in enumerate(names, start=1)
    ]
    for arm in arms:
        stack.callback(arm.close)
    return host, arms


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
            assert not a.duty.advance(20)
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
    assert again.duty.shipper.sent_bytes < a.duty.shipper.sent_bytes * 4
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
    for _ in range(500):
        b.duty.advance(20)
        host.fleet.advance()
        if b.told("policy_version") > before:
            break
    settle(host, a, b)
    assert not a.told("holding")
    assert a.told("policy_version") == b.told("policy_version") == before + 1
    host.gone()


def test_what_would_mix_two_runs_is_refused_by_name(stack, tmp_path):
    host, (a,) = make(stack, tmp_path, "a")
    run = json.loads((a.path / "checkpoints" / "remote.json").read_text())["run"]
    a.duty.advance(20)
    desk = host.fleet.desk
    with pytest.raises(ConfigError, match="seed 1"):
        desk.admit(Arm("arm-c", "f" * 32, 1))
    with pytest.raises(StoreError, match="knows this run as 'arm-a'"):
        desk.admit(Arm("arm-c", run, 3))
    with pytest.raises(StoreError, match="knows another run as 'arm-a'"):
        desk.admit(Arm("arm-a", "f" * 32, 1))
    for name in ("../arm", "", "Arm", "a/b"):
        with pytest.raises(ConfigError, match="folder's name"):
            desk.admit(Arm(name, "f" * 32, 9))
    other = ArmRun(tmp_path / "other", "arm-a", 1, host.door.port)
    stack.callback(other.close)
    other.episode()
    assert not other.duty.advance(20)
    assert "knows another run as 'arm-a'" in other.duty.bulletin().trouble
    host.gone()


def test_two_learners_in_one_folder_are_refused(tmp_path):
    fleet = FleetLearner(duty_config(tmp_path))
    with pytest.raises(StoreError, match="another process"):
        FleetLearner(duty_config(tmp_path))
    fleet.close()
    FleetLearner(duty_config(tmp_path)).close()


def test_a_run_is_learnt_here_or_there(tmp_path):
    run = ToyRun(tmp_path)
    duty = LearnerDuty(duty_config(tmp_path))
    for index in range(2):
        run.score(run.commit(index))
    while duty.advance(20):
        pass
    place = RemoteConfig(tmp_path, Endpoint("ws://127.0.0.1:9"), "a")
    with pytest.raises(ConfigError, match="was learnt here"):
        RemoteDuty(place, lambda: 0.0)
    run.close()
    refuse_remote(tmp_path)
    duty.save()
    for actor in (tmp_path / "policies").iterdir():
        actor.unlink()
    with pytest.raises(ConfigError, match="was learnt here"):
        RemoteDuty(place, lambda: 0.0)
    RemoteDuty(RemoteConfig(tmp_path / "new", place.endpoint, "a"), lambda: 0.0)
    with pytest.raises(ConfigError, match="learnt on another host"):
        refuse_remote(tmp_path / "new")


def test_an_actor_of_a_learner_that_began_anew_is_refused(stack, tmp_path):
    host, (a,) = make(stack, tmp_path, "a")
    for _ in range(2):
        a.episode()
    settle(host, a)
    path = a.path / "policies" / "actor_000002.safetensors"
    path.write_bytes(b"another")
    a.episode()
    for _ in range(200):
        host.fleet.advance()
        a.duty.advance(20)
    assert "another one than the learner's" in a.duty.bulletin().trouble
    assert path.read_bytes() == b"another"
    host.gone()


def test_an_arm_with_another_policy_teaches_nothing_and_says_so(stack, tmp_path, caplog):
    host, (a, b) = make(stack, tmp_path)
    a.episode()
    settle(host, a, b)
    b.score(b.commit(0, policy_id="another"))
    b.count = 1
    settle(host, a, b)
    assert (b.told("episodes_trainable"), a.told("episodes_trainable")) == (0, 1)
    assert "another policy" in b.duty.bulletin().warning
    assert not a.duty.bulletin().warning
    host.gone()


def test_tls_and_a_token_on_the_way(stack, tmp_path):
    papers = papers_in(tmp_path / "papers", "127.0.0.1")
    host = Host(
        tmp_path / "learner",
        cert_file=papers.certificate,
        key_file=papers.key,
        token_file=papers.token,
    )
    place = tmp_path / "learner.yaml"
    place.write_text(
        f"url: wss://127.0.0.1:{host.door.port}\nca_file: {papers.certificate}\n"
        f"token_file: {papers.token}\n"
    )
    endpoint = endpoint_of(str(place))
    a = ArmRun(tmp_path / "a", "a", 1, 0, url=endpoint.url, ca_file=endpoint.ca_file,
               token_file=endpoint.token_file)  # fmt: skip
    stack.callback(a.close)
    for _ in range(2):
        a.episode()
    settle(host, a)
    assert weights(a.path, 1) == weights(host.root, 1)
    stranger = ArmRun(tmp_path / "b", "b", 2, 0, url=endpoint.url, ca_file=endpoint.ca_file)
    stack.callback(stranger.close)
    assert not stranger.duty.advance(20)
    assert "token" in stranger.duty.bulletin().trouble
    host.gone()


def test_the_loop_saves_at_its_end_and_wakes_for_what_arrives(stack, tmp_path, monkeypatch):
    monkeypatch.setattr("roboreward_ros.dsrl.fleet.POLL_S", 30.0)
    host, (a,) = make(stack, tmp_path, "a")
    stop = threading.Event()
    loop = threading.Thread(target=host.fleet.run, args=(stop,))
    loop.start()
    for _ in range(2):
        a.episode()
    for _ in range(3000):
        a.duty.advance(20)
        if a.told("policy_version") == 1:
            break
    stop.set()
    host.fleet.wake()
    loop.join(30.0)
    assert not loop.is_alive()
    assert a.told("policy_version") == 1
    assert (host.root / "checkpoints" / "learner.safetensors").is_file()
    host.gone()


@pytest.mark.parametrize("text", ["nowhere", "http://x:1", "ws://robot:80"])
def test_a_place_that_is_no_host_is_refused(tmp_path, text, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError):
        endpoint_of(text)
    file = tmp_path / "place.yaml"
    file.write_text("url: wss://a:1\nsecret: 3\n")
    with pytest.raises(ConfigError, match="names no host"):
        endpoint_of(str(file))


def test_news_of_another_form_are_refused():
    good = {"serial": 1, "figures": {}, "vitals": {}, "trouble": "", "warning": "", "saved": 0}
    assert news_from_json(good).serial == 1
    for bad in (
        {**good, "figures": {"q_mean": {"float": "1e9"}}},
        {**good, "figures": {"q_mean": None}},
        {**good, "vitals": {"a": [1]}},
        {**good, "actor": {"version": "1"}},
        {**good, "serial": "x"},
    ):
        with pytest.raises(FormatError):
            news_from_json(bad)
    for bad in ({}, {"episodes": [], "whole": {}, "lines": {"a": [1]}}):
        with pytest.raises(FormatError):
            held_from_json(bad)

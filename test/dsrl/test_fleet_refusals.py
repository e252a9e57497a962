# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a learner on another host refuses, and how it is said."""

import json

import pytest
from fleet_toy import ArmRun, Host, duty_config, make, settle
from toy_run import ToyRun, weights

from roboreward_ros.dsrl.duty import LearnerDuty
from roboreward_ros.dsrl.fleet import FleetLearner
from roboreward_ros.dsrl.fleet_wire import Arm, held_from_json, news_from_json
from roboreward_ros.dsrl.remote_duty import RemoteConfig, RemoteDuty, endpoint_of, refuse_remote
from roboreward_ros.errors import ConfigError, FormatError, StoreError
from roboreward_ros.remote.endpoint import Endpoint
from roboreward_ros.testing.papers import papers_in

pytestmark = pytest.mark.usefixtures("no_waiting")


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

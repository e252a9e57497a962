# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
import contextlib
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from roboreward_ros.cli.main import main
from roboreward_ros.cli.preflight import preflight
from roboreward_ros.errors import StackError
from roboreward_ros.policies.remote.folder import RemotePolicyConfig, read_folder, write_folder
from roboreward_ros.policies.remote.service import PolicyService
from roboreward_ros.remote.door import Door
from roboreward_ros.remote.door_config import DoorConfig
from roboreward_ros.rewards.remote.config import RemoteConfig
from roboreward_ros.rewards.remote.source import RemoteSource
from roboreward_ros.testing.conformance_reward_source import make_request
from roboreward_ros.testing.fake_policy import FakePolicy
from roboreward_ros.testing.fake_rewards import FakeSource, registry_name
from roboreward_ros.testing.papers import Papers, papers_in
from roboreward_ros.types import Score


@pytest.fixture
def papers(tmp_path: Path) -> Papers:
    return papers_in(tmp_path / "papers", "127.0.0.1")


@contextlib.contextmanager
def command(*words: str) -> Iterator[str]:
    """``roboreward serve`` in a process of its own; where it serves."""
    process = subprocess.Popen(
        [sys.executable, "-m", "roboreward_ros.cli.main", "serve", *words],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("serving"), line
        yield line.split()[-1]
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0


def test_papers_are_made_for_their_owner_alone_and_never_over_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    token, folder = tmp_path / "token", tmp_path / "papers"
    assert main(["serve", "token", str(token)]) == 0
    assert main(["serve", "certificate", str(folder), "gpu.lab", "192.168.1.20"]) == 0
    for path in (token, folder / "host.key"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    secret = token.read_text().strip()
    assert secret not in capsys.readouterr().out
    assert main(["serve", "token", str(token)]) == 2
    assert main(["serve", "certificate", str(folder), "gpu.lab"]) == 2
    assert token.read_text().strip() == secret


def test_rewards_are_served_with_token_and_certificate(papers: Papers) -> None:
    door = ("--port", "0", "--cert", papers.certificate, "--key", papers.key)
    words = ("rewards", "--source", registry_name(FakeSource), "--token-file", papers.token)
    with command(*words, *door) as url:
        source = RemoteSource(RemoteConfig(url, papers.certificate, token_file=papers.token))
        source.warm_up()
        assert isinstance(source.score(make_request(source)), Score)
        source.close()


@pytest.mark.parametrize("service", ["rewards", "policy"])
def test_a_network_is_not_served_without_token_and_certificate(
    service: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve", service, "--bind", "0.0.0.0"]) == 2
    assert "no token and no certificate" in capsys.readouterr().err


def test_a_policy_is_connected_once_and_known_from_then_on(
    papers: Papers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = DoorConfig(
        port=0, cert_file=papers.certificate, key_file=papers.key, token_file=papers.token
    )
    policy = FakePolicy(tasks=("open the drawer",))
    with Door(config, PolicyService(policy)) as door:
        words = [door.url, "--out", "far", "--ca-file", "papers/host.crt"]
        assert main(["policy", "connect", *words, "--token-file", "papers/token"]) == 0
    found, spec = read_folder(tmp_path / "far")
    assert spec == policy.spec
    assert found.ca_file == papers.certificate  # wherever the robot's nodes are started


def test_the_launch_is_refused_while_the_hosts_are_away(tmp_path: Path) -> None:
    folder = tmp_path / "far"
    write_folder(folder, RemotePolicyConfig("ws://127.0.0.1:9", connect_s=0.1), FakePolicy().spec)
    given = {
        "sim": "true",
        "run_dir": str(tmp_path / "run"),
        "policy": str(folder),
        "reward": "remote",
        "reward_options": '{"url": "ws://127.0.0.1:9", "connect_s": 0.1}',
    }
    with pytest.raises(StackError) as caught:
        preflight(given, probe_domain=False)
    assert "reward host: no answer from 127.0.0.1:9" in str(caught.value)
    assert "policy host: no answer from 127.0.0.1:9" in str(caught.value)

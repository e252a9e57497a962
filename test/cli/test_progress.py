# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Progress without a terminal is a few plain lines; a domain of one's own is held."""

import io
import os
import socket

import pytest
from rich.console import Console

from roboreward_ros.cli import domain as domains
from roboreward_ros.cli.progress import LiveDisplay, PlainDisplay
from roboreward_ros.errors import StackError


def test_a_stage_prints_a_line_every_tenth(capsys: pytest.CaptureFixture[str]) -> None:
    display = PlainDisplay()
    display.stage("training", 200)
    for done in range(1, 201):
        display.update(done, f"success {done} %")
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 11
    assert lines[0] == "training: 0 of 200"
    assert lines[-1] == "training: 200 of 200; success 200 %"


def test_a_resumed_stage_begins_where_it_stopped(capsys: pytest.CaptureFixture[str]) -> None:
    PlainDisplay().stage("training", 150, 75)
    assert capsys.readouterr().out == "training: 75 of 150\n"


@pytest.mark.parametrize("width", [60, 80, 100])
def test_a_narrow_terminal_cuts_the_detail_and_nothing_else(width: int) -> None:
    out = io.StringIO()
    console = Console(file=out, width=width, force_terminal=True, color_system=None)
    display = LiveDisplay(console)
    display.stage("constant noise", 160)
    display.update(105, "success 50 %, reward 3.4, idle 27 %, actor 110, and more than fits in 100")
    display.close()
    last = [line for line in out.getvalue().splitlines() if "constant noise" in line][-1]
    assert "105/160 0:00:0" in last
    assert "success" in last
    assert "fits" not in last


@pytest.fixture
def no_domain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ROS_DOMAIN_ID", raising=False)


@pytest.mark.usefixtures("no_domain")
def test_a_free_domain_is_held_until_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(domains, "PORT_BASE", 20_000)  # where no other test looks for a domain
    with domains.free_domain() as first, domains.free_domain() as second:
        assert first["ROS_DOMAIN_ID"] != second["ROS_DOMAIN_ID"]
        port = domains.PORT_BASE + int(first["ROS_DOMAIN_ID"])
        with socket.socket() as stranger, pytest.raises(OSError, match="in use"):
            stranger.bind(("127.0.0.1", port))
    with socket.socket() as later:
        later.bind(("127.0.0.1", port))


@pytest.mark.usefixtures("no_domain")
def test_no_free_domain_is_an_error_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        monkeypatch.setattr(domains, "PORT_BASE", port - 1)
        monkeypatch.setattr(domains, "DOMAINS", range(1, 2))
        with pytest.raises(StackError, match="Set ROS_DOMAIN_ID"), domains.free_domain():
            pass


def test_the_users_own_domain_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROS_DOMAIN_ID", "42")
    with domains.free_domain() as variables:
        assert variables == {}
        assert os.environ["ROS_DOMAIN_ID"] == "42"

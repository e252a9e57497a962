# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The doctor names what is missing with the command that mends it, and its code says so."""

import importlib.util
import json

import pytest

from roboreward_ros.cli import doctor
from roboreward_ros.cli.doctor import Finding, Verdict
from roboreward_ros.cli.main import main
from roboreward_ros.errors import SimulationError


def findings(monkeypatch: pytest.MonkeyPatch, *found: Finding) -> None:
    checks = {finding.name: lambda finding=finding: finding for finding in found}
    monkeypatch.setattr(doctor, "CHECKS", checks)


def test_all_good_is_code_0(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    findings(monkeypatch, Finding("a", Verdict.GOOD, "here"), Finding("b", Verdict.NOTE, "hm", "x"))
    assert main(["doctor"]) == 0
    assert capsys.readouterr().out.splitlines()[0].split() == ["ok", "a", "here"]


def test_something_missing_is_code_1_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    findings(monkeypatch, Finding("ros", Verdict.MISSING, "no rclpy", "Run: make setup"))
    assert main(["doctor", "--json"]) == 1
    (finding,) = json.loads(capsys.readouterr().out)
    assert finding["remedy"] == "Run: make setup"


def test_a_check_that_raises_becomes_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_gl() -> Finding:
        raise SimulationError("no OpenGL", next_step="apt-get install libosmesa6")

    monkeypatch.setattr(doctor, "CHECKS", {"opengl": no_gl})
    (finding,) = doctor.examine()
    assert finding.verdict is Verdict.MISSING
    assert "libosmesa6" in finding.text


def test_missing_rclpy_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert doctor.CHECKS["ros"]().verdict is Verdict.MISSING
    assert "make setup" in doctor.CHECKS["ros"]().remedy


@pytest.mark.parametrize("domain", ["kitchen", "200", "-1"])
def test_a_bad_domain_is_seen(monkeypatch: pytest.MonkeyPatch, domain: str) -> None:
    monkeypatch.setenv("ROS_DOMAIN_ID", domain)
    assert doctor.CHECKS["domain"]().verdict is Verdict.MISSING


def test_another_distribution_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROS_DISTRO", "humble")
    assert "humble" in doctor.CHECKS["ros"]().text


@pytest.mark.parametrize("name", ["python", "packages", "interfaces", "config", "opengl", "cores"])
def test_this_environment_passes(name: str) -> None:
    assert doctor.CHECKS[name]().verdict is not Verdict.MISSING

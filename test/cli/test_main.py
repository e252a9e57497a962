# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The command line: loads little, explains errors in one line, keeps its exit codes."""

import subprocess
import sys
from pathlib import Path

import pytest

from roboreward_ros.cli import main as command
from roboreward_ros.errors import ConfigError


def roboreward(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "roboreward_ros.cli.main", *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_help_names_every_command_and_loads_none() -> None:
    probe = (
        "import sys\nfrom roboreward_ros.cli.main import build_parser\n"
        "build_parser().format_help()\n"
        "heavy = {'numpy', 'torch', 'mujoco', 'rich', 'matplotlib', 'rclpy', 'yaml', 'zarr'}\n"
        "sys.exit(','.join(sorted(heavy & set(sys.modules))) or None)"
    )
    done = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    text = command.build_parser().format_help()
    assert all(name in text for name in command.COMMANDS)


@pytest.mark.parametrize("name", sorted(command.COMMANDS))
def test_every_command_has_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        command.main([name, "--help"])
    assert stopped.value.code == 0
    assert "usage: roboreward" in capsys.readouterr().out


def test_an_unknown_command_is_a_usage_error() -> None:
    done = roboreward("lunch")
    assert done.returncode == 2
    assert "launch" in done.stderr


def test_an_error_is_one_line_on_stderr_and_code_2(tmp_path: Path) -> None:
    done = roboreward("report", str(tmp_path / "nothing"))
    assert done.returncode == command.ERROR_EXIT_CODE
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert "there is no run" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("raised", "code"), [(ConfigError("no"), 2), (KeyboardInterrupt(), 130)])
def test_exit_codes(
    raised: BaseException,
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def run(args: object) -> int:
        raise raised

    monkeypatch.setattr("roboreward_ros.cli.doctor.run", run)
    assert command.main(["doctor"]) == code
    assert capsys.readouterr().err.startswith("roboreward doctor: ")


def test_a_bug_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(args: object) -> int:
        raise ZeroDivisionError

    monkeypatch.setattr("roboreward_ros.cli.doctor.run", run)
    with pytest.raises(ZeroDivisionError):
        command.main(["doctor"])

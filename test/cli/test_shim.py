# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The installed program can be imported by the worker processes that it starts itself."""

import runpy
import sys
from pathlib import Path

import pytest

SHIM = Path(sys.prefix) / "bin" / "roboreward"


def test_a_worker_that_imports_the_program_does_not_start_it_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "argv", ["roboreward", "--help"])
    runpy.run_path(str(SHIM), run_name="__mp_main__")  # a bare sys.exit(main()) would raise here


def test_the_program_runs_when_it_is_started(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["roboreward", "--help"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(SHIM), run_name="__main__")
    assert ended.value.code == 0
    assert "demo" in capsys.readouterr().out

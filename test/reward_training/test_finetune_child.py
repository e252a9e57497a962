# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A training in a process of its own is stopped, also when it ends at that moment."""

import subprocess
import sys

import pytest

from roboreward_ros.reward_training.finetune import child
from roboreward_ros.reward_training.finetune.child import Report, Request, Training

SAID = '{"step": 1, "steps": 9, "loss": 0.5, "best": 1.0}'
TRAINS = f"""
import time
print('{SAID}', flush=True)
while True:
    time.sleep(0.05)
"""


def training(monkeypatch: pytest.MonkeyPatch, code: str, heard: list[Report]) -> Training:
    monkeypatch.setattr(Request, "command", lambda _: [sys.executable, "-c", code])
    made = Training(Request.__new__(Request), lambda report: (heard.append(report), made.stop()))
    return made


def test_a_stop_interrupts_it_and_gives_the_last_report(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[Report] = []
    last = training(monkeypatch, TRAINS, heard).run()
    assert heard == [last]
    assert (last.done, last.total, last.checkpoint) == (1, 9, "")


def test_a_stop_of_one_that_has_just_ended_by_itself_is_no_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    heard: list[Report] = []
    wait = subprocess.Popen.wait

    def wait_and_stop(process: subprocess.Popen[str], timeout: float | None = None) -> int:
        code = wait(process, timeout)
        ending.stop()
        return code

    monkeypatch.setattr(child.subprocess.Popen, "wait", wait_and_stop)
    ending = training(monkeypatch, "pass", heard)
    ending._on_report = heard.append
    assert ending.run() == Report()

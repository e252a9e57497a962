# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The doctor's look at an arm, its cable and its camera; the wire is tested in test/ros."""

import json

import cv2
import numpy as np
import pytest

from roboreward_ros.cli import doctor, doctor_arm
from roboreward_ros.cli.arm_checks import with_task
from roboreward_ros.cli.findings import Finding, Verdict
from roboreward_ros.cli.main import main
from roboreward_ros.stack import StackArguments

TOLD = {
    "problems": [],
    "notes": [],
    "rate_hz": 99.0,
    "mode": "position, time",
    "gripper_mode": "pwm",
    "temperatures": {"waist": 34, "elbow": 41},
    "volts": {"waist": 12.1, "elbow": 11.8},
}


def film(path, frames=20, shade=120, frozen=False):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 100.0, (64, 48))
    rng = np.random.default_rng(0)
    for _ in range(frames):
        noise = 0 if frozen else rng.normal(0, 8, (48, 64, 3))
        writer.write((np.full((48, 64, 3), shade) + noise).clip(0, 255).astype(np.uint8))
    writer.release()
    return path


def camera(path):
    return doctor_arm.checks(StackArguments(driver="fake", camera=str(path)))["camera"]()


def test_a_working_camera_is_good(tmp_path):
    found = camera(film(tmp_path / "a.avi"))
    assert found.verdict is Verdict.GOOD
    assert "64x48" in found.text


def test_a_dark_a_frozen_and_a_missing_camera_are_told_apart(tmp_path):
    assert "Lens cap" in camera(film(tmp_path / "dark.avi", shade=0)).remedy
    frozen = camera(film(tmp_path / "frozen.avi", frozen=True))
    assert (frozen.verdict, "frozen" in frozen.remedy) == (Verdict.MISSING, True)
    assert camera(tmp_path / "gone.avi").verdict is Verdict.MISSING
    assert camera("ros:/blue/image").verdict is Verdict.NOTE


def test_a_slow_latency_timer_is_named_with_its_remedy(tmp_path):
    port, usb = tmp_path / "ttyUSB0", tmp_path / "usb"
    port.touch()
    (usb / "ttyUSB0").mkdir(parents=True)
    timer = usb / "ttyUSB0" / "latency_timer"
    timer.write_text("16\n")
    slow = doctor_arm._cable(port, usb)
    assert (slow.verdict, str(timer) in slow.remedy) == (Verdict.NOTE, True)
    timer.write_text("1\n")
    assert doctor_arm._cable(port, usb).verdict is Verdict.GOOD
    assert doctor_arm._cable(tmp_path / "none", usb).verdict is Verdict.NOTE


@pytest.mark.parametrize(
    ("change", "verdict", "said"),
    [
        ({}, Verdict.GOOD, "99 Hz"),
        ({"notes": ["warm: elbow 60 deg C"]}, Verdict.NOTE, "warm"),
        ({"problems": ["elbow reports overload"]}, Verdict.MISSING, "elbow reports overload"),
    ],
)
def test_what_the_probe_says_becomes_a_finding(change, verdict, said):
    found = doctor_arm.arm_finding(json.dumps(TOLD | change))
    assert found.verdict is verdict
    assert said in f"{found.text} {found.remedy}"


def test_the_arm_s_checks_come_after_the_others_and_only_when_asked_for(
    monkeypatch, capsys, tmp_path
):
    monkeypatch.setattr(doctor, "CHECKS", {"a": lambda: Finding("a", Verdict.GOOD, "here")})
    path = film(tmp_path / "a.avi")
    words = ["--robot", "--json", "driver:=fake", f"camera:={path}", "workspace:=small"]
    assert main(["doctor", *words]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in found] == ["a", "profile", "vendor", "cable", "camera", "arm"]
    assert "small" in found[1]["text"]
    assert main(["doctor", "--robot", "driver:=fake", "workspace:=moon", f"camera:={path}"]) == 1
    assert "moon" in capsys.readouterr().out


def test_a_task_is_given_by_name_or_sentence_and_brings_its_limit_and_box():
    by_name = with_task(StackArguments(task="monkey"))
    assert by_name == with_task(StackArguments(task="put the monkey on the towel"))
    assert (by_name.task, by_name.max_steps) == ("put the monkey on the towel", 60)
    assert by_name.workspace == "openvla"
    own = with_task(StackArguments(task="monkey", max_steps=9, workspace="small"))
    assert (own.max_steps, own.workspace) == (9, "small")
    juggling = StackArguments(task="juggle")
    assert with_task(juggling) is juggling

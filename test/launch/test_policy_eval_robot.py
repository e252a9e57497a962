# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The blinded comparison as a person types it, rehearsed on the fake arm with a film as camera."""

import dataclasses
import json
import os
import subprocess
import sys

import cv2
import numpy as np
import pytest

from roboreward_ros.cli.domain import free_domain
from roboreward_ros.cli.main import main
from roboreward_ros.cli.policy_checks import described_policy, policy_folder
from roboreward_ros.dsrl.actor import SteeringActor
from roboreward_ros.episodes.store import EpisodeStore

pytestmark = [pytest.mark.launch, pytest.mark.slow, pytest.mark.ros, pytest.mark.timeout(700)]
LIMIT_S = 600.0


@pytest.fixture
def film(tmp_path):
    path = tmp_path / "film.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 15.0, (96, 96))
    rng = np.random.default_rng(0)
    for _ in range(15):
        writer.write(rng.integers(0, 256, (96, 96, 3), dtype=np.uint8))
    writer.release()
    return path


@pytest.fixture
def trained(tmp_path):
    """A run with two steering actors, the newer of which is to be taken."""
    policy_id, horizon = described_policy(policy_folder("demo"))
    for version in (2, 10):
        actor = dataclasses.replace(SteeringActor.prior(policy_id, horizon), version=version)
        actor.save(tmp_path / "trained" / "policies" / f"actor_{version}.safetensors")
    return tmp_path / "trained"


def words(out, *more):
    return ["policy", "eval", "--robot", "--out", str(out), *more]


def test_a_comparison_from_the_command_to_the_report(tmp_path, film, trained, monkeypatch):
    monkeypatch.delenv("ROS_DOMAIN_ID", raising=False)
    out = tmp_path / "out"
    command = words(
        out, "--task", "drawer", "--actor", str(trained), "--episodes", "1", "--max-steps", "4",
        "--judge", "ada", "driver:=fake", f"camera:={film}",
    )  # fmt: skip
    with free_domain() as domain:
        done = subprocess.run(
            [sys.executable, "-m", "roboreward_ros.cli.main", *command],
            input="\ns\n\nv the toy fell\n\nf\n",
            env={**os.environ, **domain},
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    dialogue, _, table = done.stdout.partition("open the drawer\n")
    assert "1 of 1" in table
    assert "the toy fell" in table
    assert "steered" not in dialogue
    report = json.loads((out / "report.json").read_text())
    assert report["complete"]
    assert report["judges"] == ["ada"]
    assert sum(arm["successes"] for arm in report["arms"].values()) == 1
    versions = [e.chunks()[0].policy_version for e in EpisodeStore(out)]
    assert sorted(set(versions)) == [0, 10]
    assert len(versions) == 3
    assert main(words(out)) == 0, "a comparison that is over is reported again"


def test_what_is_missing_is_said_before_anything_is_kept(tmp_path, trained, capsys):
    out = tmp_path / "out"
    start = words(out, "--task", "drawer", "--actor", str(trained))
    for wrong, said in (
        (words(out, "--task", "drawer"), "--actor"),
        (words(out, "--actor", str(trained)), "--task"),
        (words(out, "--unblind"), "no comparison to unblind"),
        ([*start, "reward:=human"], "sets itself"),
        (words(out, "--task", "juggle", "--actor", str(trained)), "no list of scenes"),
        (words(out, "--task", "drawer", "--actor", str(tmp_path)), "no steering actor"),
        ([*start, "driver:=fake", f"camera:={tmp_path / 'gone.avi'}"], "gone.avi"),
        (["policy", "eval", "--robot"], "--out FOLDER"),
    ):
        assert main(wrong) == 2
        assert said in capsys.readouterr().err, wrong
    assert not (out / "evaluation.json").exists()

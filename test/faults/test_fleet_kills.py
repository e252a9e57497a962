# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""``kill -9`` of a learner on another host, while episodes arrive and while it learns."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

DSRL = Path(__file__).resolve().parents[1] / "dsrl"
CHILD = """
import os, sys, threading
sys.path.insert(0, {dsrl!r})
from pathlib import Path
os.fsync = os.fdatasync = lambda _: None
from fleet_toy import PATIENCE_S, duty_config
from roboreward_ros.dsrl.fleet import FleetLearner
from roboreward_ros.dsrl.fleet_desk import FleetService
from roboreward_ros.remote.door import Door
from roboreward_ros.remote.door_config import DoorConfig

fleet = FleetLearner(duty_config(Path({root!r})), checkpoint_s=1e-3)
with Door(DoorConfig(port={port}, dead_s=PATIENCE_S), FleetService(fleet.desk)) as door:
    print(door.port, flush=True)
    fleet.run(threading.Event())
"""


class Child:
    """The learner's process."""

    def __init__(self, root, port=0):
        code = CHILD.format(dsrl=str(DSRL), root=str(root), port=port)
        command = [sys.executable, "-c", code]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        assert line, "the learner ended at once"
        self.port = int(line)

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


@pytest.fixture
def start():
    """Starts learners; none outlives the test."""
    made = []

    def child(root, port=0):
        made.append(Child(root, port))
        return made[-1]

    yield child
    for it in made:
        it.kill()


@pytest.fixture(autouse=True)
def of_the_learner(monkeypatch):
    monkeypatch.syspath_prepend(str(DSRL))
    monkeypatch.setattr(os, "fsync", lambda _: None)
    monkeypatch.setattr(os, "fdatasync", lambda _: None)


def until(arm, condition, what):
    from fleet_toy import turns

    for _ in turns(lambda: f"never: {what}; {arm.duty.bulletin()}"):
        if condition():
            return
        arm.duty.advance(20)
        assert not arm.duty.bulletin().trouble, arm.duty.bulletin().trouble


@pytest.mark.timeout(600)
def test_a_learner_that_is_killed_gives_the_actors_of_one_that_was_not(
    start, tmp_path, monkeypatch
):
    from fleet_toy import ArmRun, Host, settle
    from toy_run import weights

    from roboreward_ros.dsrl import remote_duty

    monkeypatch.setattr(remote_duty, "LONG_POLL_S", 0.05)
    host = Host(tmp_path / "whole")
    child = start(tmp_path / "killed")
    whole = ArmRun(tmp_path / "a", "arm", 1, host.door.port)
    killed = ArmRun(tmp_path / "b", "arm", 1, child.port)
    for _ in range(5):
        whole.episode()
        settle(host, whole)

    parts = tmp_path / "killed" / "arms" / "arm" / "episodes" / ".incoming"
    killed.duty.shipper._piece = 4000
    for _ in range(3):
        killed.episode()
    until(killed, lambda: killed.duty.shipper.shipped and any(parts.iterdir()), "half an episode")
    child.kill()  # half of an episode has arrived, another is being learnt from
    child = start(tmp_path / "killed", child.port)
    until(killed, lambda: killed.told("policy_version") >= 1, "an actor")
    for _ in range(2):
        killed.episode()
    until(killed, lambda: killed.told("episodes_done") >= 3, "three episodes")
    child.kill()  # with a checkpoint of some of them
    child = start(tmp_path / "killed", child.port)
    until(killed, lambda: killed.told("policy_version") == 4, "all five")
    child.kill()
    for version in (1, 2, 3, 4):
        one = weights(tmp_path / "whole", version)
        assert one == weights(tmp_path / "killed", version), version
    assert weights(killed.path, 4) == weights(whole.path, 4)
    for it in (whole, killed):
        it.close()
    host.gone()

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A learner's host and arms that learn there, in small; real doors, links and stores."""

import time

from toy_run import CONFIG, ToyRun

from roboreward_ros.dsrl.compute import Compute
from roboreward_ros.dsrl.duty import DutyConfig
from roboreward_ros.dsrl.fleet import FleetLearner
from roboreward_ros.dsrl.fleet_desk import FleetService
from roboreward_ros.dsrl.remote_duty import RemoteConfig, RemoteDuty
from roboreward_ros.remote.door import Door
from roboreward_ros.remote.door_config import DoorConfig
from roboreward_ros.remote.endpoint import Endpoint
from roboreward_ros.session.brakes import AbstainBrakeConfig
from roboreward_ros.session.monitor import MonitorConfig
from roboreward_ros.types import Abstain, AbstainReason, LabelRecord, Provenance

PATIENCE_S = 60.0
"""A host that is there answers within that; a busy machine makes no cut of it."""


def duty_config(root, **changes):
    values = {
        "run_dir": root, "learner": CONFIG, "seed": 0, "source": "", "policy": "",
        "compute": Compute(), "exact_resume": True, "keep_actors": 0, "adapt": False,
        "monitor": MonitorConfig(), "brake": AbstainBrakeConfig(), "board": False,
    }  # fmt: skip
    return DutyConfig(**{**values, **changes})


class Host:
    """The learner's host; may go away and come back. It saves when it is asked to."""

    def __init__(self, root, port=0, **door):
        self.root = root
        self.fleet = FleetLearner(duty_config(root), steady_s=lambda: 0.0)
        config = DoorConfig(port=port, **{"dead_s": PATIENCE_S, **door})
        self.door = Door(config, FleetService(self.fleet.desk)).__enter__()

    def gone(self):
        """Stop, without a save, as after a kill."""
        self.door.__exit__(None, None, None)
        self.fleet.close()
        return self.door.port


class ArmRun(ToyRun):
    """An arm's run that is learnt elsewhere."""

    def __init__(self, path, name, seed, port, **endpoint):
        super().__init__(path)
        self.name, self.seed, self.count = name, seed, 0
        place = {"url": f"ws://127.0.0.1:{port}", **endpoint}
        config = RemoteConfig(
            path, Endpoint(dead_s=PATIENCE_S, **place), name, seed, deadline_s=PATIENCE_S
        )
        self.duty = RemoteDuty(config, lambda: 0.0)

    def episode(self):
        self.score(self.commit(self.count + 100 * self.seed))
        self.count += 1

    def decline(self):
        toy = self.commit(self.count + 100 * self.seed)
        declined = Abstain(AbstainReason.ENTROPY, Provenance("toy"))
        self.ledger.append(LabelRecord(-1, toy.summary.meta.episode_id, declined, 0))
        self.count += 1

    def finds_nobody(self):
        """Send while the host is away, with less patience than at other times."""
        port = self.duty.shipper._port
        port._deadline_s, patience_s = 0.2, port._deadline_s
        worked = self.duty.advance(20)
        port._deadline_s = patience_s
        return not worked

    def told(self, name):
        return self.duty.bulletin().figures.get(name, 0)

    def close(self):
        self.duty.close()
        super().close()


def turns(what):
    """Goes on until the caller has what it waits for; in vain, it fails with what() says then."""
    end = time.monotonic() + 2 * PATIENCE_S
    while time.monotonic() < end:
        yield
    raise AssertionError(what())


def settle(host, *arms):
    """Let everybody work until all episodes are learnt and everybody has heard of it."""
    for _ in turns(lambda: [arm.duty.bulletin() for arm in arms]):
        busy = host.fleet.advance()
        for arm in arms:
            arm.duty.advance(20)
            trouble = arm.duty.bulletin().trouble
            assert not trouble, trouble
        newest = host.fleet._duty.follower.status.actor
        version = newest.version if newest else 0
        done = all(
            arm.told("episodes_done") == arm.count and arm.told("policy_version") == version
            for arm in arms
        )
        if done and not busy:
            return


def make(stack, tmp_path, names="ab", **door):
    host = Host(tmp_path / "learner", **door)
    arms = [
        ArmRun(tmp_path / name, f"arm-{name}", seed, host.door.port)
        for seed, name in enumerate(names, start=1)
    ]
    for arm in arms:
        stack.callback(arm.close)
    return host, arms

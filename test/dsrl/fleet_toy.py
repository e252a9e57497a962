# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A learner's host and arms that learn there, in small; real doors, links and stores."""

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


def duty_config(root, **changes):
    values = {
        "run_dir": root, "learner": CONFIG, "seed": 0, "source": "", "policy": "",
        "compute": Compute(), "exact_resume": True, "keep_actors": 0, "adapt": False,
        "monitor": MonitorConfig(), "brake": AbstainBrakeConfig(), "board": False,
    }  # fmt: skip
    return DutyConfig(**{**values, **changes})


class Host:
    """The learner's host; may go away and come back."""

    def __init__(self, root, port=0, **door):
        self.root = root
        self.fleet = FleetLearner(duty_config(root), checkpoint_s=1e9)
        config = DoorConfig(port=port, **{"dead_s": 1.0, **door})
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
        place = (
            Endpoint(f"ws://127.0.0.1:{port}", dead_s=1.0) if not endpoint else Endpoint(**endpoint)
        )
        config = RemoteConfig(path, place, name, seed, deadline_s=2.0)
        self.duty = RemoteDuty(config, lambda: 0.0)

    def episode(self):
        self.score(self.commit(self.count + 100 * self.seed))
        self.count += 1

    def decline(self):
        toy = self.commit(self.count + 100 * self.seed)
        declined = Abstain(AbstainReason.ENTROPY, Provenance("toy"))
        self.ledger.append(LabelRecord(-1, toy.summary.meta.episode_id, declined, 0))
        self.count += 1

    def told(self, name):
        return self.duty.bulletin().figures.get(name, 0)

    def close(self):
        self.duty.close()
        super().close()


def settle(host, *arms):
    """Let everybody work until all episodes are learnt and everybody has heard of it."""
    for _ in range(3000):
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
    raise AssertionError([arm.duty.bulletin() for arm in arms])


def make(stack, tmp_path, names="ab", **door):
    host = Host(tmp_path / "learner", **door)
    arms = [
        ArmRun(tmp_path / name, f"arm-{name}", seed, host.door.port)
        for seed, name in enumerate(names, start=1)
    ]
    for arm in arms:
        stack.callback(arm.close)
    return host, arms

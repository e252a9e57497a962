# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Two twins, each a whole stack in its own namespace, and one learner behind a door."""

import threading

import pytest

from roboreward_ros.dsrl.compute import Compute
from roboreward_ros.dsrl.config import DsrlConfig
from roboreward_ros.dsrl.duty import DutyConfig
from roboreward_ros.dsrl.fleet import FleetLearner
from roboreward_ros.dsrl.fleet_desk import FleetService
from roboreward_ros.episodes.ledger import Ledger
from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.episodes.verify import verify_episode
from roboreward_ros.nodes.learner_node import LearnerNode
from roboreward_ros.nodes.policy_node import PolicyNode
from roboreward_ros.nodes.recorder_node import RecorderNode
from roboreward_ros.nodes.reward_node import RewardNode
from roboreward_ros.nodes.session_node import SessionNode
from roboreward_ros.nodes.sim_node import SimNode
from roboreward_ros.remote.door import Door
from roboreward_ros.remote.door_config import DoorConfig
from roboreward_ros.ros.stop import StopSignal
from roboreward_ros.session.brakes import AbstainBrakeConfig
from roboreward_ros.session.monitor import MonitorConfig

pytestmark = pytest.mark.ros
EPISODES = 2
ARMS = ("arm1", "arm2")
CONFIG = DsrlConfig(
    hidden=(16,), ensemble=2, warmup_episodes=2, warmup_updates=4, updates_per_episode=3,
    critic_only_updates=2,
)  # fmt: skip


@pytest.fixture
def learner(tmp_path):
    config = DutyConfig(
        run_dir=tmp_path / "learner", learner=CONFIG, seed=0, source="", policy="demo",
        compute=Compute(), exact_resume=True, keep_actors=0, adapt=False,
        monitor=MonitorConfig(), brake=AbstainBrakeConfig(), board=False,
    )  # fmt: skip
    fleet, stop = FleetLearner(config), threading.Event()
    thread = threading.Thread(target=fleet.run, args=(stop,), name="fleet")
    with Door(DoorConfig(port=0), FleetService(fleet.desk)) as door:
        thread.start()
        yield door
        stop.set()
        fleet.wake()
        thread.join(30.0)
    fleet.close()


def bring_up(ros, arm, run_dir, seed, door):
    """Every node of one twin's stack; returns them by class."""
    kinds = {
        SimNode: {"speed": "max", "image_size": 128, "action_timeout_s": 120.0},
        RecorderNode: {},
        PolicyNode: {"policy": "demo"},
        RewardNode: {"source": "ground_truth"},
        LearnerNode: {"learner": f"ws://127.0.0.1:{door.port}", "seed": seed, "poll_s": 0.2},
        SessionNode: {
            "task": "open the drawer",
            "episodes": EPISODES,
            "seed": seed,
            "max_steps": 8,
            "wait_for_learner": True,
            "wait_for_reward": True,
        },
    }
    nodes = {}
    for kind, values in kinds.items():
        parameters = {"run_dir": str(run_dir), **values}
        nodes[kind] = node = kind(context=ros.context, parameters=parameters, namespace=f"/{arm}")
        node.stop = StopSignal()
        assert ros.add(node).bring_up(), node.failure
    return nodes


@pytest.mark.slow
def test_two_twins_by_namespace_are_steered_by_one_learner(ros, learner, tmp_path):
    stacks = [
        bring_up(ros, arm, tmp_path / arm, seed, learner) for seed, arm in enumerate(ARMS, start=1)
    ]
    sessions = [nodes[SessionNode] for nodes in stacks]
    ros.spin_until(lambda: all(it.stop for it in sessions), "all episodes of both arms")
    for it in sessions:
        assert (it.stop.code, it.stop.reason) == (0, f"{EPISODES} episodes are committed")

    root = tmp_path / "learner"
    ros.spin_until(
        lambda: all(nodes[PolicyNode]._shelf.version == 3 for nodes in stacks), "version 3 at both"
    )
    for seed, arm in enumerate(ARMS, start=1):
        own, mirror = EpisodeStore(tmp_path / arm), EpisodeStore(root / "arms" / arm)
        assert list(own.ids()) == list(mirror.ids()) == ["ep_000000", "ep_000001"]
        assert [e.summary.meta.seed for e in own] == [seed * 100_000 + k for k in range(EPISODES)]
        assert Ledger(root / "arms" / arm).records() == Ledger(tmp_path / arm).records()
        assert [verify_episode(episode.folder) for episode in mirror] == [[], []]
        for actor in (tmp_path / arm / "policies").glob("actor_*.safetensors"):
            assert actor.read_bytes() == (root / "policies" / actor.name).read_bytes()
    taken = (root / "intake.jsonl").read_text()
    assert [taken.count(f"{arm}/ep_") for arm in ARMS] == [EPISODES, EPISODES]

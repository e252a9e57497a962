# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Ground truth is walled off: a run is the same, to the last bit, whatever the twin claims."""

import hashlib

import numpy as np
import pytest

from roboreward_ros.dsrl.config import DsrlConfig
from roboreward_ros.episodes.reader import StoredEpisode
from roboreward_ros.episodes.requests import reward_request
from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.nodes import learner_node
from roboreward_ros.nodes.learner_node import LearnerNode
from roboreward_ros.nodes.policy_node import PolicyNode
from roboreward_ros.nodes.recorder_node import RecorderNode
from roboreward_ros.nodes.reward_node import RewardNode
from roboreward_ros.nodes.session_node import SessionNode
from roboreward_ros.nodes.sim_node import SimNode
from roboreward_ros.ros.stop import StopSignal
from roboreward_ros.sim.twin import Twin
from roboreward_ros.testing.conformance_episode_store import make_meta, record
from roboreward_ros.testing.fake_rewards import FakeSource
from roboreward_ros.types import EndCause, GroundTruth, RewardSpec, ScoreScale

EPISODES, STEPS = 3, 16
LEARNER = DsrlConfig(
    hidden=(16,), ensemble=2, batch_size=8, warmup_episodes=1, warmup_updates=20,
    updates_per_episode=10, critic_only_updates=0,
)  # fmt: skip


class PictureSource(FakeSource):
    """Scores what the stored pictures look like."""

    def misbehave(self):
        return self.answer()

    def score(self, request):
        assert request.truth is None
        digest = hashlib.sha256(b"".join(bytes(frame) for frame in request.frames)).digest()
        self.config = type(self.config)(value=1.0 + digest[0] % 5)
        return self.answer()


def run_stack(ros, run_dir):
    """Real nodes on the twin with the shipped policy; what was done and learnt, by name."""
    run = {"run_dir": str(run_dir)}
    kinds = {
        SimNode: {"speed": "max", "image_size": 128, "action_timeout_s": 120.0},
        RecorderNode: {"closing_s": 60.0},
        PolicyNode: {"policy": "demo"},
        RewardNode: {"source": f"{__name__}:PictureSource"},
        LearnerNode: {},
        SessionNode: {
            "task": "open the drawer",
            "episodes": EPISODES,
            "max_steps": STEPS,
            "wait_for_learner": True,
            "wait_for_reward": True,
        },
    }
    nodes = [kind(context=ros.context, parameters={**run, **more}) for kind, more in kinds.items()]
    for node in nodes:
        node.stop = StopSignal()
        assert ros.add(node).bring_up(), node.failure
    ros.spin_until(lambda: nodes[-1].stop, "the episodes")
    assert nodes[-1].stop.code == 0, nodes[-1].stop.reason
    for node in reversed(nodes):
        node.wind_down("done")
    done = {p.name: p.read_bytes() for p in sorted((run_dir / "policies").iterdir())}
    for episode in EpisodeStore(run_dir):
        name = episode.summary.meta.episode_id
        done[f"{name} actions"] = np.asarray(episode.actions()).tobytes()
        done[f"{name} proprio"] = np.asarray(episode.proprio()).tobytes()
        done[f"{name} frames"] = b"".join(bytes(frame) for frame in episode.frames())
        for chunk in episode.chunks():
            done[f"{name} chunk {chunk.index}"] = (
                chunk.features.tobytes() + chunk.noise.tobytes() + chunk.actions.tobytes()
            )
    return done


@pytest.mark.slow
def test_a_lying_twin_changes_no_action_and_no_weight(ros, tmp_path, monkeypatch):
    monkeypatch.setattr(learner_node, "load_profile", lambda _: LEARNER)
    honest = run_stack(ros, tmp_path / "honest")

    read_truth = StoredEpisode.truth

    def closed(*_):
        raise AssertionError("somebody looked behind the wall")

    lie = GroundTruth(0.987, True, 5, "done")
    monkeypatch.setattr(Twin, "truth", lambda _: lie)
    monkeypatch.setattr(Twin, "object_state", closed)
    monkeypatch.setattr(StoredEpisode, "truth", closed)
    lying = run_stack(ros, tmp_path / "lying")

    assert {name for name in honest if name.startswith("actor_")}, "nothing was learnt"
    assert [name for name in honest if honest[name] != lying.get(name)] == []
    assert honest.keys() == lying.keys()
    stored = EpisodeStore(tmp_path / "lying").open("ep_000000")
    assert list(read_truth(stored)) == [lie] * (STEPS + 1)


def test_a_source_gets_the_truth_only_if_it_declares_that_it_reads_it(tmp_path, monkeypatch):
    store = EpisodeStore(tmp_path, "w")
    writer = store.create(make_meta())
    record(writer)
    writer.commit(EndCause.TIME)
    asks = RewardSpec("oracle", ScoreScale.RUBRIC, needs_truth=True)
    assert reward_request(store.open("ep_000000"), asks).truth

    def closed(_):
        raise AssertionError("somebody looked behind the wall")

    monkeypatch.setattr(StoredEpisode, "truth", closed)
    request = reward_request(store.open("ep_000000"), RewardSpec("model", ScoreScale.RUBRIC))
    assert request.truth is None
    store.close()

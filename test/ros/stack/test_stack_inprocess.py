# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""All real nodes in one process: the twin, the shipped policy, recorder, reward and learner."""

import numpy as np
import pytest

from roboreward_ros.dsrl.actor import SteeringActor
from roboreward_ros.dsrl.config import DsrlConfig, RewardForm
from roboreward_ros.dsrl.replay import ReplayView
from roboreward_ros.episodes.ledger import Ledger
from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.nodes.learner_node import LearnerNode
from roboreward_ros.nodes.policy_node import PolicyNode
from roboreward_ros.nodes.recorder_node import RecorderNode
from roboreward_ros.nodes.reward_node import RewardNode
from roboreward_ros.nodes.session_node import SessionNode
from roboreward_ros.nodes.sim_node import SimNode
from roboreward_ros.policies.noise import prior_noise
from roboreward_ros.ros.stop import StopSignal
from roboreward_ros.types import Provenance, Score, ScoreKind, ScoreScale

pytestmark = pytest.mark.ros
TASK = "open the drawer"


@pytest.mark.slow
def test_two_episodes_of_the_real_stack(ros, tmp_path):
    run = {"run_dir": str(tmp_path)}
    kinds = {
        SimNode: {"speed": "max", "image_size": 128, "action_timeout_s": 120.0},
        RecorderNode: {"closing_s": 60.0},
        PolicyNode: {"policy": "demo"},
        RewardNode: {"source": "ground_truth"},
        LearnerNode: {},
        SessionNode: {
            "task": TASK,
            "episodes": 2,
            "seed": 3,
            "max_steps": 16,
            "wait_for_learner": True,
            "wait_for_reward": True,
        },
    }
    for kind, values in kinds.items():
        node = kind(context=ros.context, parameters={**run, **values})
        node.stop = StopSignal()
        assert ros.add(node).bring_up(), node.failure
    ros.spin_until(lambda: node.stop, "both episodes")
    assert (node.stop.code, node.stop.reason) == (0, "2 episodes are committed")

    store = EpisodeStore(tmp_path)
    assert list(store.ids()) == ["ep_000000", "ep_000001"]
    assert len(Ledger(tmp_path).records()) == 2
    for index, episode in enumerate(store):
        summary = episode.summary
        assert (summary.complete, summary.taint, summary.n_steps) == (True, (), 16)
        assert (summary.meta.seed, summary.meta.task) == (300_000 + index, TASK)
        assert len(episode.frames()) == len(episode.truth()) == 17
        steps = np.diff(np.asarray(episode.stamps_ns()))
        assert (steps == 200_000_000).all(), "simulated time between pictures"
        *ran, closing = episode.chunks()
        assert (closing.step, closing.executed, closing.actions.any()) == (16, 0, False)
        for chunk in ran:
            horizon = chunk.noise.shape[0]
            actor = SteeringActor.prior(summary.meta.policy_id, horizon)
            expected = (
                actor.steer(chunk.features, 1.0, summary.meta.seed, chunk.index)
                if chunk.steered
                else prior_noise(summary.meta.seed, chunk.index, horizon)
            )
            np.testing.assert_array_equal(chunk.noise, expected)

    for form in ("step_cost", "progress"):  # the time limit ended both: the last chunk trains
        replay = ReplayView(
            DsrlConfig(reward=RewardForm(form)), ran[0].features.size, ran[0].noise.size
        )
        for episode in store:
            progress = tuple(truth.progress for truth in episode.truth())
            score = Score(
                progress[-1], ScoreScale.UNIT, ScoreKind.NONE, Provenance("t"), per_step=progress
            )
            assert replay.add(episode, score)
        stored = replay.episodes["ep_000000"]
        last = stored.start + stored.rows - 2
        assert last in replay.trainable_rows()
        assert replay.masks[last] == 1
        np.testing.assert_array_equal(
            replay.features[last + 1], store.open("ep_000000").chunks()[-1].features
        )

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From auditors who find steering worse to the person at the arm: learner, weights, session."""

import pytest
import roboreward_ros.msg as msg
from ros_fakes import EACH, write_episode
from session_stack import TASK
from std_srvs.srv import Trigger

from roboreward_ros.dsrl.actor import load_actor
from roboreward_ros.dsrl.follow import actor_path
from roboreward_ros.episodes.ledger import Ledger
from roboreward_ros.episodes.promoted import promote
from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.nodes.learner_node import LearnerNode
from roboreward_ros.nodes.session_node import SessionNode
from roboreward_ros.types import LabelRecord, Provenance, Score, ScoreKind, ScoreScale

pytestmark = pytest.mark.ros
PROFILE = """
hidden: [8]
ensemble: 2
batch_size: 8
warmup_episodes: 2
warmup_updates: 2
updates_per_episode: 2
critic_only_updates: 0
"""
WORSE = "steering is worse than the base policy"


@pytest.fixture
def commit(tmp_path):
    """Writes a judged episode: what the source claims, and what ground truth says of it."""
    store, ledger = EpisodeStore(tmp_path, "w"), Ledger(tmp_path, "w")
    promote(tmp_path, "vlm", ScoreScale.RUBRIC)

    def score(name, source, success, shadow=False):
        value = Score(
            5.0 if success else 2.0, ScoreScale.RUBRIC, ScoreKind.NONE, Provenance(source)
        )
        ledger.append(LabelRecord(-1, name, value, 0, shadow=shadow))

    def write(index, *, truth, **arguments):
        write_episode(store, index, **arguments)
        score(f"ep_{index:06d}", "vlm", True)
        score(f"ep_{index:06d}", "ground_truth", truth, shadow=True)

    yield write
    store.close()
    ledger.close()


def test_a_person_is_told_on_the_session_that_the_base_policy_acts(ros, tmp_path, commit):
    profile = tmp_path / "small.yaml"
    profile.write_text(PROFILE)
    heard, states = [], []
    client = ros.node()
    client.create_subscription(msg.LearnerStatus, "learner", heard.append, EACH)
    client.create_subscription(msg.SessionState, "session", states.append, EACH)
    release = client.create_client(Trigger, "learner_node/release")
    own = {
        "run_dir": str(tmp_path),
        "profile": str(profile),
        "audit_share": 1.0,
        "false_share": 0.9,
    }
    quick = {"poll_s": 0.05, "tensorboard": False, "adapt_updates": False}
    learner = ros.add(LearnerNode(context=ros.context, parameters={**own, **quick}))
    values = {"run_dir": str(tmp_path), "task": TASK, "auto_start": False}
    session = ros.add(SessionNode(context=ros.context, parameters=values))
    for node in (learner, session):
        assert node.bring_up(), node.failure
    for index in range(3):
        commit(index, truth=True)
    ros.spin_until(lambda: heard and heard[-1].policy_version >= 1, "an actor")
    ros.spin_until(lambda: states, "the session")
    assert states[-1].notice == ""

    for index in range(3, 27):
        canary = index % 2 == 0
        commit(index, truth=canary, canary=canary, version=0 if canary else 1)
    ros.spin_until(lambda: WORSE in states[-1].notice, "the notice")
    ros.spin_until(lambda: heard[-1].base_acts, "the fall-back")
    assert heard[-1].holding
    ros.spin_until(lambda: states[-1].notice == heard[-1].alarm, "the same words")
    acting = load_actor(actor_path(tmp_path, heard[-1].policy_version))
    assert acting.version > 1
    assert not acting.weights, "the newest actor is the prior"

    assert ros.call(release, Trigger.Request()).success
    ros.spin_until(lambda: states[-1].notice == "", "a person let go of it")

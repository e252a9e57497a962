# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The recorder keeps a run within its disk budget, and says on /diagnostics where it cannot."""

import json

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.parameter import Parameter
from safetensors.numpy import save_file

from roboreward_ros.dsrl.learned import CHECKPOINT
from roboreward_ros.episodes.ledger import Ledger
from roboreward_ros.episodes.promoted import promote
from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.errors import ConfigError
from roboreward_ros.nodes.recorder_node import RecorderNode
from roboreward_ros.ros.diagnostics import Level
from roboreward_ros.ros.qos import EVENT
from roboreward_ros.testing.conformance_episode_store import make_meta, record
from roboreward_ros.types import EndCause, LabelRecord, Provenance, Score, ScoreKind, ScoreScale

pytestmark = pytest.mark.ros
IDS = [f"ep_{index:06d}" for index in range(4)]
LEARNED = IDS[:2]


@pytest.fixture
def run(tmp_path):
    store, ledger = EpisodeStore(tmp_path, "w"), Ledger(tmp_path, "w")
    promote(tmp_path, "s", ScoreScale.RUBRIC)
    for index, name in enumerate(IDS):
        writer = store.create(make_meta(index))
        record(writer, steps=3)
        writer.commit(EndCause.TIME)
        score = Score(3.0, ScoreScale.RUBRIC, ScoreKind.NONE, Provenance("s"))
        ledger.append(LabelRecord(-1, name, score, 1))
    store.close()
    ledger.close()
    path = tmp_path / CHECKPOINT
    path.parent.mkdir()
    seen = {"learner": json.dumps({"seen": dict.fromkeys(LEARNED, True)})}
    save_file({"x": np.zeros(1, np.float32)}, path, seen)
    return tmp_path


@pytest.fixture
def disk(ros):
    """What /diagnostics says of the disk."""
    said = []

    def hear(message):
        said.extend(it for it in message.status if "disk" in it.name)

    ros.node().create_subscription(DiagnosticArray, "/diagnostics", hear, EVENT)
    return said


def recorder(ros, run, **parameters):
    node = ros.add(
        RecorderNode(context=ros.context, parameters={"run_dir": str(run), **parameters})
    )
    assert node.bring_up()
    return node


def test_what_was_learned_from_goes_and_the_rest_is_an_alarm(ros, run, disk):
    recorder(ros, run, disk_budget_gb=1e-6, keep_pictures=1)
    ros.spin_until(lambda: disk and "over the disk budget" in disk[-1].message, "the alarm")
    store = EpisodeStore(run)
    assert [name for name in IDS if store.open(name).has_pictures] == IDS[2:]
    assert int.from_bytes(disk[-1].level) == Level.WARN
    assert "1 were not learned from, 1 are among the newest" in disk[-1].message
    values = {it.key: it.value for it in disk[-1].values}
    assert values["pictures_removed"] == "2"


def test_without_a_budget_nothing_goes(ros, run, disk):
    recorder(ros, run)
    ros.spin_until(lambda: disk and "GB free" in disk[-1].message, "a look")
    assert all(EpisodeStore(run).open(name).has_pictures for name in IDS)


@pytest.mark.parametrize(
    "bad", [{"disk_budget_gb": -1.5}, {"keep_pictures": -1}, {"pictures_need": "luck"}]
)
def test_a_budget_that_makes_no_sense_is_refused(ros, run, bad):
    ((name, value),) = bad.items()
    with pytest.raises(ConfigError, match=rf"{name}.*got.*{value}"):
        recorder(ros, run, **bad)


def test_a_budget_is_not_changed_while_the_recorder_runs(ros, run):
    (answer,) = recorder(ros, run).set_parameters([Parameter("disk_budget_gb", value=1.0)])
    assert not answer.successful
    assert "disk_budget_gb" in answer.reason
    assert "read-only" in answer.reason

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A recorded run through the real nodes: as it was, with a script, and with things going wrong."""

from pathlib import Path

import pytest
import yaml

from roboreward_ros.episodes.ledger import OPERATOR, Ledger
from roboreward_ros.episodes.marks import Marks
from roboreward_ros.episodes.run import open_run
from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.nodes.learner_node import LearnerNode
from roboreward_ros.nodes.player_node import PlayerNode
from roboreward_ros.nodes.policy_node import PolicyNode
from roboreward_ros.nodes.recorder_node import RecorderNode
from roboreward_ros.nodes.reward_node import RewardNode
from roboreward_ros.nodes.session_node import SessionNode
from roboreward_ros.nodes.sim_node import SimNode
from roboreward_ros.rehearsal.compare import compare
from roboreward_ros.rehearsal.faults import load_faults
from roboreward_ros.rehearsal.notes import NoteKind, NoteReader
from roboreward_ros.rehearsal.recording import StoredRecording
from roboreward_ros.rehearsal.verdict import causes, faulty_episodes, figures_of, judge
from roboreward_ros.ros.stop import StopSignal
from roboreward_ros.types import EndCause

pytestmark = [pytest.mark.ros, pytest.mark.slow]
TASK = "open the drawer"
STEPS = 8
PATIENT = {"action_timeout_s": 120.0}  # in lock-step a busy machine may take its time
SCRIPT = {
    "cues": [
        {"episode": 0, "verb": "label", "text": "3", "operator": "ann"},
        {"episode": 0, "verb": "undo", "operator": "ann"},
        {"episode": 0, "verb": "discard", "text": "looked away"},
        {"episode": 1, "step": 5, "verb": "label", "text": "s"},
    ]
}
FAULTS = {
    "faults": [
        {"fault": "arm_fault", "episode": 0, "step": 3},
        {"fault": "camera_freezes", "episode": 1, "step": 2, "steps": 9},
        {"fault": "camera_drops", "episode": 7},
    ]
}


def run_stack(ros, run_dir: Path, owner: dict[type, dict], session: dict) -> None:
    """Real nodes in one process, in a namespace of their own, until the session leaves."""
    run = {"run_dir": str(run_dir)}
    kinds = {
        **owner,
        RecorderNode: {},
        PolicyNode: {"policy": "demo"},
        RewardNode: {"source": "ground_truth"},
        LearnerNode: {},
        SessionNode: {
            "task": TASK,
            "episodes": 2,
            "seed": 3,
            "max_steps": STEPS,
            "wait_for_learner": True,
            "wait_for_reward": True,
            **session,
        },
    }
    nodes = []
    for kind, values in kinds.items():
        node = kind(context=ros.context, parameters={**run, **values}, namespace=f"/{run_dir.name}")
        node.stop = StopSignal()
        assert ros.add(node).bring_up(), node.failure
        nodes.append(node)
    ros.spin_until(lambda: node.stop, "the session's end")
    assert node.stop.code == 0
    for node in reversed(nodes):
        node.wind_down("over")


def rehearse(ros, recording: StoredRecording, run_dir: Path, **options: str) -> None:
    open_run(run_dir, {"sim": True, "task": TASK, "seed": 3})
    player = {PlayerNode: {"recording": str(recording.run_dir), **PATIENT, **options}}
    run_stack(ros, run_dir, player, {"stop_when_done": False})


def test_a_session_of_the_twin_is_rehearsed_with_and_without_faults(ros, tmp_path):
    recorded = tmp_path / "recorded"
    open_run(recorded, {"sim": True, "task": TASK, "seed": 3})
    run_stack(ros, recorded, {SimNode: {"speed": "max", "image_size": 128, **PATIENT}}, {})
    recording = StoredRecording(recorded)

    # The same policy over the same pictures: nothing but JPEG stands between the two.
    script = tmp_path / "script.yaml"
    script.write_text(yaml.safe_dump(SCRIPT))
    first = tmp_path / "first"
    rehearse(ros, recording, first, script=str(script))
    plain, ended = compare(recording, first, real_time=False)
    assert plain.different == ()
    assert plain.translation_mm.median < 1.0
    assert plain.reward[0] == plain.reward[1]
    assert ended.end == (EndCause.TIME, EndCause.OPERATOR)
    assert ended.steps == (STEPS, 6)
    assert [r.operator for r in Ledger(first, "r", OPERATOR).records()] == ["ann", "ann", "script"]
    assert Marks(first).discarded("ep_000000")

    # The operator's keys are part of a recording: rehearsed again, they are pressed again.
    faults = tmp_path / "faults.yaml"
    faults.write_text(yaml.safe_dump(FAULTS))
    again, second = StoredRecording(first), tmp_path / "second"
    rehearse(ros, again, second, faults=str(faults))
    broken, same = compare(again, second, real_time=False)
    assert broken.end[1] is EndCause.FAULT
    assert broken.taint == ("fault",)
    assert broken.steps == (STEPS, 4)
    assert same.different == ()
    keys = [(r.episode_id, r.retracts) for r in Ledger(second, "r", OPERATOR).records()]
    assert keys == [("ep_000000", -1), ("ep_000000", 0), ("ep_000001", -1)]
    frames = EpisodeStore(second).open("ep_000001").frames()
    assert len(set(frames[2:])) == 1
    assert len(set(frames[:3])) == 3

    listed, notes = load_faults(faults), NoteReader(second).new()
    figures = figures_of([broken, same], notes, 0, faulty_episodes(listed, notes))
    assert (figures.episodes, figures.different, figures.unexplained) == (2, 1, 0)
    assert judge(figures, []) == []
    refused, frozen, never = causes(listed, notes, [broken, same])
    assert any("the arm refuses" in text for text in refused.seen)
    assert frozen.begun
    assert not never.begun
    assert not [note for note in notes if note.kind is NoteKind.REFUSED]

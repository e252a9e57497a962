# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""An episode on disk is whole or absent, whatever happens to the nodes around the recorder."""

import dataclasses
import shutil
import threading
from types import SimpleNamespace

import pytest
from action_msgs.msg import GoalStatus
from rclpy.action import ActionClient
from roboreward_ros.action import RecordEpisode, RunPolicy
from roboreward_ros.srv import BeginEpisode, EndEpisode
from ros_fakes import FakeArm, FakePolicy

from roboreward_ros import msg
from roboreward_ros.episodes.assembly import EpisodeAssembler
from roboreward_ros.episodes.store import EpisodeStore, open_uri
from roboreward_ros.nodes import recorder_node
from roboreward_ros.nodes.recorder_node import RecorderNode
from roboreward_ros.ros.qos import EVENT
from roboreward_ros.ros.work import UNEXPECTED
from roboreward_ros.testing.faults import troubled_disk
from roboreward_ros.types import EndCause

pytestmark = pytest.mark.ros
Result = RecordEpisode.Result


@pytest.fixture
def settle_s():
    """How long the recorder waits for what is missing after the end."""
    return 60.0


@pytest.fixture
def stack(request, ros, tmp_path, settle_s):
    """Recorder, fake arm and fake policy with the clients that a session would have."""
    patience = {"stall_s": 60.0, "match_s": 60.0, "settle_s": settle_s}
    made = SimpleNamespace(
        recorder=ros.add(
            RecorderNode(context=ros.context, parameters={"run_dir": str(tmp_path), **patience})
        ),
        arm=ros.add(FakeArm(ros.context)),
        policy=ros.add(FakePolicy(ros.context)),
        store=None,
        events=[],
        steps=[],  # told by the recorder
        path=tmp_path,
    )
    made.arm.knows_truth = getattr(request, "param", True)
    for node in (made.recorder, made.arm, made.policy):
        assert node.bring_up()
    made.store = EpisodeStore(tmp_path, "r")
    client = ros.node()
    client.create_subscription(msg.EpisodeEvent, "episode", made.events.append, EVENT)
    made.record = ActionClient(client, RecordEpisode, "record_episode")
    made.run = ActionClient(client, RunPolicy, "run_policy")
    made.begin = client.create_client(BeginEpisode, "begin_episode")
    made.end = client.create_client(EndEpisode, "end_episode")
    return made


def begin(ros, stack, episode_id="ep_000000", max_steps=10, seed=7):
    """Arm recorder and policy and begin; returns both goal handles."""
    ready, armed = [], []

    def hear(message):
        ready.append(message)
        stack.steps.append(message.feedback.steps)

    index = int(episode_id[-6:])
    record = ros.send(
        stack.record,
        RecordEpisode.Goal(
            episode_id=episode_id, index=index, task="t", seed=seed, max_steps=max_steps
        ),
        hear,
    )
    assert record.accepted
    run = ros.send(
        stack.run,
        RunPolicy.Goal(episode_id=episode_id, seed=seed, max_steps=max_steps),
        armed.append,
    )
    ros.spin_until(lambda: ready and armed, "recorder and policy ready")
    assert ready[0].feedback.ready
    ros.call(stack.begin, BeginEpisode.Request(episode_id=episode_id, max_steps=max_steps))
    return record, run


def kinds(stack):
    return [event.event for event in stack.events]


def test_an_episode_is_stored_whole(ros, stack):
    record, _ = begin(ros, stack)
    answer = ros.result(record)
    assert answer.status == GoalStatus.STATUS_SUCCEEDED
    result = answer.result
    assert (result.error_code, result.steps, result.complete) == (0, 10, True)
    episode = open_uri(result.uri)
    meta = episode.summary.meta
    assert (meta.seed, meta.policy_id, meta.chunk_size, meta.task) == (7, "fake", 4, "t")
    assert len(episode.frames()) == 11
    assert [c.executed for c in episode.chunks()] == [4, 4, 2]
    assert episode.truth()[-1].success
    ros.spin_until(lambda: len(stack.events) == 2, "events")
    assert kinds(stack) == [msg.EpisodeEvent.OPENED, msg.EpisodeEvent.COMMITTED]


def test_nothing_is_visible_while_an_episode_runs_and_after_a_cancel(ros, stack):
    stack.arm.mute_at = 5
    record, _ = begin(ros, stack)
    ros.spin_until(lambda: list((stack.path / "episodes/.journal").iterdir()), "journal")
    assert stack.store.ids() == []
    ros.spin_future(record.cancel_goal_async())
    answer = ros.result(record)
    assert answer.status == GoalStatus.STATUS_CANCELED
    assert answer.result.error_code == Result.ABORTED
    assert stack.store.ids() == []
    assert not list((stack.path / "episodes/.journal").iterdir())
    ros.spin_until(lambda: msg.EpisodeEvent.ABORTED in kinds(stack), "event")


def test_a_cancel_before_the_end_wins_over_the_last_state(ros, stack):
    stack.arm.mute_at = 5
    record, _ = begin(ros, stack)
    ros.spin_future(record.cancel_goal_async())
    ros.call(stack.end, EndEpisode.Request(episode_id="ep_000000", end_cause=1))
    assert ros.result(record).result.error_code == Result.ABORTED
    assert stack.store.ids() == []


def test_goals_are_exclusive_and_the_next_episode_is_taken(ros, stack):
    stack.arm.mute_at = 5
    first, run = begin(ros, stack)
    assert not ros.send(stack.record, RecordEpisode.Goal(episode_id="ep_000001")).accepted
    ros.call(stack.end, EndEpisode.Request(episode_id="ep_000000", end_cause=1))
    assert ros.result(first).result.error_code == 0
    ros.result(run)
    stack.arm.mute_at = -1
    second, _ = begin(ros, stack, "ep_000001")
    assert ros.result(second).result.error_code == 0
    assert list(stack.store.ids()) == ["ep_000000", "ep_000001"]


def lose_patience_after(ros, stack, step):
    """The recorder, which has heard the arm so far, waits no longer for more."""
    ros.spin_until(lambda: stack.steps[-1] == step, "all steps")
    listening = stack.recorder._recording
    listening.patience = dataclasses.replace(listening.patience, stall_s=0.2)


def test_silence_drops_the_episode(ros, stack):
    stack.arm.mute_at = 5
    record, _ = begin(ros, stack)
    lose_patience_after(ros, stack, 4)
    answer = ros.result(record)
    assert answer.status == GoalStatus.STATUS_ABORTED
    assert answer.result.error_code == Result.STALLED
    assert "after step 4" in answer.result.error_msg
    assert stack.store.ids() == []


real_arm = pytest.mark.parametrize("stack", [False], indirect=True)


@real_arm
def test_an_arm_that_falls_silent_leaves_what_happened(ros, stack):
    stack.arm.mute_at = 5
    record, _ = begin(ros, stack)
    lose_patience_after(ros, stack, 4)
    result = ros.result(record).result
    assert result.error_code == 0
    (episode,) = stack.store
    assert episode.summary.end_cause is EndCause.FAULT
    assert set(episode.summary.taint) >= {"fault", "lost: everything"}
    assert (episode.summary.n_steps, len(episode.frames())) == (4, 5)


@real_arm
@pytest.mark.parametrize("victim", ["arm", "policy"])
def test_a_node_that_is_gone_or_new_when_the_session_lets_go_is_a_fault(ros, stack, victim):
    stack.arm.mute_at = 5
    record, _ = begin(ros, stack)
    ros.spin_until(lambda: stack.steps[-1] == 4, "all steps")
    getattr(stack, victim).wind_down("killed")
    lost = {"arm": "state", "policy": "chunk"}[victim]
    topic = next(s for s in stack.recorder._sources if lost in s.topic_name)
    ros.spin_until(lambda: not topic.get_publisher_count(), "the graph to know")
    ros.spin_future(record.cancel_goal_async())
    answer = ros.result(record)
    assert answer.status == GoalStatus.STATUS_SUCCEEDED
    (episode,) = stack.store
    assert episode.summary.end_cause is EndCause.FAULT
    assert any(lost in text for text in episode.summary.taint)


@real_arm
def test_an_episode_that_is_let_go_of_because_its_camera_is_blind_is_kept(ros, stack, monkeypatch):
    stack.arm.mute_at = 5
    publish = stack.arm._images.publish
    monkeypatch.setattr(
        stack.arm._images, "publish", lambda m: publish(m) if m.data[0] < 3 else None
    )
    record, _ = begin(ros, stack)
    ros.spin_until(lambda: stack.steps[-1] == 4, "all steps")
    ros.spin_future(record.cancel_goal_async())
    assert ros.result(record).result.error_code == 0
    (episode,) = stack.store
    assert set(episode.summary.taint) >= {"fault", "lost: the camera"}
    assert episode.summary.n_steps == 2


@real_arm
def test_a_person_who_drops_an_arm_s_episode_leaves_nothing(ros, stack):
    stack.arm.mute_at = 5
    record, _ = begin(ros, stack)
    ros.spin_until(lambda: list((stack.path / "episodes/.journal").iterdir()), "journal")
    ros.spin_future(record.cancel_goal_async())
    assert ros.result(record).result.error_code == Result.ABORTED
    assert stack.store.ids() == []


def test_sources_that_never_come_are_named(ros, tmp_path):
    recorder = RecorderNode(
        context=ros.context, parameters={"run_dir": str(tmp_path), "match_s": 0.2}
    )
    assert ros.add(recorder).bring_up()
    client = ActionClient(ros.node(), RecordEpisode, "record_episode")
    result = ros.result(ros.send(client, RecordEpisode.Goal(episode_id="ep_000000"))).result
    assert result.error_code == Result.STALLED
    assert "/image, /state, /chunk" in result.error_msg


def test_an_id_is_never_used_twice(ros, stack):
    record, run = begin(ros, stack)
    ros.result(record), ros.result(run)
    again = ros.send(stack.record, RecordEpisode.Goal(episode_id="ep_000000"))
    assert ros.result(again).result.error_code == Result.EXISTS


@pytest.mark.parametrize("settle_s", [0.3])
def test_an_image_that_is_lost_makes_the_episode_incomplete(ros, stack, monkeypatch):
    publish = stack.arm._images.publish
    monkeypatch.setattr(
        stack.arm._images, "publish", lambda m: publish(m) if m.data[0] != 3 else None
    )
    record, _ = begin(ros, stack)
    result = ros.result(record).result
    assert result.error_code == 0
    assert not result.complete
    assert "no image" in result.taint


def test_a_fault_of_the_arm_taints_the_episode(ros, stack):
    stack.arm.mute_at = 5
    record, _ = begin(ros, stack)
    ros.call(stack.end, EndEpisode.Request(episode_id="ep_000000", end_cause=3))
    result = ros.result(record).result
    assert list(result.taint) == ["fault"]
    assert result.end_cause == 3


def test_messages_of_another_episode_are_not_stored(ros, stack):
    record, _ = begin(ros, stack)
    stack.arm._states.publish(msg.RobotState(episode_id="ep_000099", step=77))
    assert ros.result(record).result.complete


@pytest.mark.parametrize("when", ["begin", "commit"])
def test_a_full_disk_is_named_and_leaves_nothing(ros, stack, monkeypatch, when):
    if when == "begin":
        full = SimpleNamespace(free=1 << 20)
        monkeypatch.setattr(shutil, "disk_usage", lambda _: full)
        record = ros.send(stack.record, RecordEpisode.Goal(episode_id="ep_000000"))
    else:
        record, _ = begin_over(ros, stack)
    result = ros.result(record).result
    assert result.error_code == Result.DISK
    assert stack.store.ids() == []


def test_a_slow_disk_is_named_and_costs_nothing_but_time(ros, stack, monkeypatch):
    monkeypatch.setattr(recorder_node, "SLOW", 4)
    going_on = threading.Event()
    with troubled_disk(lambda _: going_on.wait(60.0), stack.path):
        record, _ = begin(ros, stack)
        ros.spin_until(lambda: "the disk is slow" in stack.recorder._health().message, "its name")
        going_on.set()
        result = ros.result(record).result
    assert (result.error_code, result.steps, result.complete) == (0, 10, True)
    assert stack.recorder._health().message == "idle"


def test_an_error_that_nobody_expected_leaves_nothing_in_the_way_of_the_next_try(
    ros, stack, monkeypatch
):
    with monkeypatch.context() as patch:
        patch.setattr(EpisodeAssembler, "commit", lambda _: 1 / 0)
        record, _ = begin(ros, stack)
        assert ros.result(record).result.error_code == UNEXPECTED
    assert not list((stack.path / "episodes" / ".journal").iterdir())
    record, _ = begin(ros, stack)
    assert ros.result(record).result.error_code == 0
    assert stack.store.ids() == ["ep_000000"]


def begin_over(ros, stack):
    """Begin an episode whose folder cannot become visible."""
    (stack.path / "episodes" / "ep_000000").write_text("in the way")
    return begin(ros, stack)


def test_a_stop_in_the_middle_leaves_nothing_visible(ros, stack):
    stack.arm.mute_at = 5
    begin(ros, stack)
    stack.recorder.wind_down("SIGINT")
    assert stack.store.ids() == []


def test_a_second_recorder_is_refused_by_the_lock(ros, stack):
    other = ros.add(RecorderNode(context=ros.context, parameters={"run_dir": str(stack.path)}))
    assert not other.bring_up()
    assert "another process" in str(other.failure) or "writes" in str(other.failure)

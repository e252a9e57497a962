# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The session over real topics, services and actions; the arm and the policy are fakes."""

import dataclasses
import threading
from dataclasses import dataclass, field

import pytest
from action_msgs.msg import GoalStatus
from rclpy.action import ActionClient
from roboreward_ros.action import RecordEpisode, RunEpisode, RunPolicy
from roboreward_ros.srv import BeginEpisode, Discard, Label
from ros_fakes import FakePolicy, write_episode
from session_stack import PATIENT, TASK, Stack

from roboreward_ros.episodes.assembly import EpisodeAssembler
from roboreward_ros.episodes.ledger import OPERATOR, Ledger
from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.nodes.reward_node import RewardNode
from roboreward_ros.nodes.session_node import SessionNode
from roboreward_ros.session.memory import load_memory

pytestmark = pytest.mark.ros


@pytest.fixture
def stack(ros, tmp_path):
    return Stack(ros, tmp_path)


def test_two_episodes_run_by_themselves_and_the_node_leaves_with_zero(ros, stack):
    stack.arm.success = {"ep_000001": False}
    stack.up().start()
    ros.spin_until(lambda: stack.session.stop, "leaving")
    assert stack.session.stop.code == 0
    assert stack.ids == ["ep_000000", "ep_000001"]
    assert stack.arm.seeds == [0, 1]
    stack.until("DONE")
    state = stack.state
    assert (state.committed, state.labelled, state.claimed_successes) == (2, 2, 1)
    assert (state.reward_source, state.last_reward) == ("ground_truth", 2.0)
    assert state.motion_s > 0
    assert [r.outcome.value for r in Ledger(stack.path).records()] == [5.0, 2.0]
    idle = load_memory(stack.path).idle
    assert idle.motion_s == pytest.approx(state.motion_s, abs=0.5)


def test_the_task_of_the_twin_brings_its_own_time_limit(ros, stack):
    stack.up().start(max_steps=0, episodes=1)
    ros.spin_until(lambda: stack.ids, "an episode")
    assert EpisodeStore(stack.path).open("ep_000000").summary.n_steps == 44


def test_a_resumed_session_goes_on_at_the_next_index(ros, stack):
    store = EpisodeStore(stack.path, "w")
    write_episode(store, 0)
    write_episode(store, 1)
    store.close()
    stack.up().start(episodes=3, seed=4)
    ros.spin_until(lambda: len(stack.ids) == 3, "the third")
    assert stack.arm.seeds == [400_002]
    assert stack.arm.begun == ["ep_000002"]


def test_an_episode_that_nobody_had_scored_is_scored_after_a_restart(ros, stack):
    stack.up("recorder")  # reward_node has looked at the store and found nothing
    store = EpisodeStore(stack.path, "w")
    write_episode(store, 0)
    store.close()
    assert ros.add(stack.recorder).bring_up()
    stack.start(episodes=1)
    ros.spin_until(lambda: stack.session.stop, "done")
    assert [r.episode_id for r in Ledger(stack.path).records()] == ["ep_000000"]


def leave_an_episode(ros, stack, moving_at=-1):
    """What a session that is killed leaves: goals of ep_000000; returns the recorder's."""
    orphan = ros.node("killed_session")
    goals = {"episode_id": "ep_000000", "task": TASK, "max_steps": 8}
    record = ActionClient(orphan, RecordEpisode, "record_episode")
    policy = ActionClient(orphan, RunPolicy, "run_policy")
    ready = []
    handle = ros.send(record, RecordEpisode.Goal(**goals), ready.append)
    ros.send(policy, RunPolicy.Goal(**goals), ready.append)
    ros.spin_until(lambda: len(ready) >= 2, "both ready")
    stack.arm.mute_at = moving_at
    begin = orphan.create_client(BeginEpisode, "begin_episode")
    ros.call(begin, BeginEpisode.Request(episode_id="ep_000000", max_steps=8))
    return handle


def require_two_whole_episodes(ros, stack):
    ros.spin_until(lambda: stack.session.stop, "done")
    assert stack.session.stop.code == 0
    assert stack.ids == ["ep_000000", "ep_000001"]
    assert all(episode.summary.n_steps == 8 for episode in EpisodeStore(stack.path))
    assert len(Ledger(stack.path).records()) == 2


def test_what_a_killed_session_left_moving_is_dropped_and_run_again(ros, stack):
    leave_an_episode(ros, stack.up(), moving_at=5)
    ros.spin_until(lambda: stack.arm._step == 5, "the arm moves")
    stack.start()
    ros.spin_until(lambda: stack.arm.ended, "the end of the orphan")
    stack.arm.mute_at = -1
    require_two_whole_episodes(ros, stack)
    assert stack.arm.begun == ["ep_000000", "ep_000000", "ep_000001"]


def test_what_a_killed_session_left_committed_is_not_run_again(ros, stack):
    ros.result(leave_an_episode(ros, stack.up()))
    stack.start()
    require_two_whole_episodes(ros, stack)
    assert stack.arm.begun == ["ep_000000", "ep_000001"]


@dataclass
class Gate:
    """Holds the recorder back before an episode becomes visible, until it is opened."""

    reached: threading.Event = field(default_factory=threading.Event)
    opened: threading.Event = field(default_factory=threading.Event)


@pytest.fixture
def gate(monkeypatch):
    gate, commit = Gate(), EpisodeAssembler.commit

    def late(assembler):
        gate.reached.set()
        gate.opened.wait(120.0)
        return commit(assembler)

    monkeypatch.setattr(EpisodeAssembler, "commit", late)
    yield gate
    gate.opened.set()


def test_what_a_killed_session_left_half_saved_is_waited_for(ros, stack, gate):
    leave_an_episode(ros, stack.up())
    ros.spin_until(gate.reached.is_set, "saving")
    stack.start()
    looks = []
    block = stack.session._leftovers.block
    stack.session._leftovers.block = lambda *a: looks.append(bool(stack.arm.ended)) or block(*a)
    ros.spin_until(lambda: sum(looks) > 5, "patience")
    assert not stack.arm.seeds, "the arm moves although the episode may still become visible"
    gate.opened.set()
    require_two_whole_episodes(ros, stack)
    assert stack.arm.begun == ["ep_000000", "ep_000001"]


def test_an_episode_whose_recorder_was_given_up_while_it_saved_is_not_run_again(ros, stack, gate):
    stack.up().start()
    ros.spin_until(gate.reached.is_set, "saving")
    driver = stack.session._driver
    driver._config = dataclasses.replace(PATIENT, abort_s=0.5)
    stack.session._loop.post(lambda: [call.renew(0.1) for call in driver._attempt.calls])
    stack.until("FAULT")
    gate.opened.set()
    require_two_whole_episodes(ros, stack)
    assert stack.arm.begun == ["ep_000000", "ep_000001"]


def test_nothing_starts_before_all_nodes_are_there(ros, stack):
    stack.up("policy").start()
    ros.spin_until(lambda: "policy_node" in stack.state.message, "message")
    assert stack.arm.seeds == []
    assert stack.ros.add(stack.policy).bring_up()
    ros.spin_until(lambda: len(stack.ids) == 2, "both episodes")


def test_a_peer_that_disappears_pauses_the_session_which_then_runs_the_same_episode(ros, stack):
    stack.arm.mute_at = 3
    stack.up().start()
    stack.until("RUNNING")
    stack.policy.wind_down("killed")
    stack.until("PAUSED")
    assert "policy_node" in stack.state.message
    assert stack.ids == []
    stack.arm.mute_at = -1
    again = ros.add(FakePolicy(ros.context))
    assert again.bring_up()
    ros.spin_until(lambda: len(stack.ids) == 2, "both episodes")
    assert stack.arm.begun == ["ep_000000", "ep_000000", "ep_000001"]
    assert stack.state.fault_s > 0


def test_a_failed_reset_is_tried_again(ros, stack):
    stack.arm.reset_error = "joint 3 is hot"
    stack.up().start()
    stack.until("FAULT")
    assert "joint 3 is hot" in stack.state.message
    stack.arm.reset_error = ""
    ros.spin_until(lambda: stack.ids, "an episode")


def test_stop_drops_the_episode_and_start_runs_it_again(ros, stack):
    stack.arm.mute_at = 3
    stack.up().start()
    stack.until("RUNNING")
    assert stack.call("stop").success
    stack.until("IDLE")
    assert stack.ids == []
    assert not stack.call("stop").success
    stack.arm.mute_at = -1
    assert stack.call("start").success
    ros.spin_until(lambda: len(stack.ids) == 2, "both")
    assert stack.arm.seeds == [0, 0, 1]


def test_success_pressed_in_a_running_episode_ends_and_labels_it(ros, stack):
    stack.arm.mute_at = 6
    stack.up().start(episodes=1)
    stack.until("RUNNING")
    ros.spin_until(lambda: stack.arm._step == 6, "six steps")
    assert stack.call("label", Label.Request(key="s", operator_name="ada")).error_code == 0
    ros.spin_until(lambda: stack.ids, "an episode")
    ros.spin_until(lambda: stack.session.stop, "done")
    (record,) = Ledger(stack.path, "r", OPERATOR).records()
    assert (record.episode_id, record.operator, record.outcome.text) == ("ep_000000", "ada", "s")
    assert EpisodeStore(stack.path).open("ep_000000").summary.end_cause == "operator"


def test_labels_are_refused_by_name(ros, stack):
    stack.up().start(auto_start=False)
    stack.until("IDLE")
    codes = Label.Response
    for request, code in (
        (Label.Request(key="x"), codes.BAD_KEY),
        (Label.Request(key="s"), codes.NO_EPISODE),
        (Label.Request(key="s", episode_id="ep_000099"), codes.NO_EPISODE),
        (Label.Request(key="u"), codes.NOTHING_TO_UNDO),
    ):
        answer = stack.call("label", request)
        assert (answer.error_code, bool(answer.error_msg)) == (code, True), request.key


def test_redo_runs_the_episode_again_and_discard_marks_a_committed_one(ros, stack):
    stack.arm.mute_at = 3
    stack.up().start(stop_when_done=False, episodes=1)
    stack.until("RUNNING")
    assert stack.call("discard", Discard.Request(reason="bumped")).error_code == 0
    stack.arm.mute_at = -1
    stack.until("DONE")
    assert stack.arm.begun == ["ep_000000", "ep_000000"]
    assert stack.call("discard", Discard.Request(reason="bad light")).error_code == 0
    assert EpisodeStore(stack.path).open("ep_000000").summary.discarded
    assert stack.call("discard", Discard.Request(episode_id="x")).error_code


def test_an_arm_waits_for_the_operator(ros, stack):
    stack.up().start(auto_reset=False, episodes=1)
    stack.until("WAIT_RESET")
    assert stack.arm.seeds == []
    assert stack.call("confirm_reset").success
    ros.spin_until(lambda: stack.ids, "an episode")
    assert stack.state.operator_s > 0


def test_one_episode_by_action_with_its_own_seed(ros, stack):
    stack.up().start(auto_start=False, episodes=5)
    stack.until("IDLE")
    ros.spin_until(lambda: not stack.session._machine.missing, "all peers")
    goal = RunEpisode.Goal(seed=77, canary=True)
    handle = ros.send(stack.run, goal)
    assert not ros.send(stack.run, goal).accepted, "goals are exclusive"
    answer = ros.result(handle)
    assert answer.status == GoalStatus.STATUS_SUCCEEDED
    result = answer.result
    assert (result.termination_reason, result.outcome, result.value) == ("time", 0, 5.0)
    assert stack.arm.seeds == [77]
    assert stack.policy.canaries == [True]
    assert stack.ids == ["ep_000000"]


def test_one_episode_can_be_cancelled(ros, stack):
    stack.arm.mute_at = 3
    stack.up().start(auto_start=False)
    ros.spin_until(lambda: not stack.session._machine.missing, "all peers")
    handle = ros.send(stack.run, RunEpisode.Goal())
    stack.until("RUNNING")
    ros.spin_future(handle.cancel_goal_async())
    answer = ros.result(handle)
    assert answer.status == GoalStatus.STATUS_CANCELED
    assert answer.result.termination_reason == "canceled"
    assert stack.ids == []


def test_one_episode_that_fails_says_who_failed(ros, stack):
    stack.arm.reset_error = "joint 3 is hot"
    stack.up().start(auto_start=False)
    ros.spin_until(lambda: not stack.session._machine.missing, "all peers")
    result = ros.result(ros.send(stack.run, RunEpisode.Goal())).result
    assert result.error_code == RunEpisode.Result.ROBOT_FAILED
    assert "joint 3 is hot" in result.error_msg


def test_while_the_loop_runs_a_single_episode_is_refused(ros, stack):
    stack.arm.mute_at = 3
    stack.up().start()
    stack.until("RUNNING")
    result = ros.result(ros.send(stack.run, RunEpisode.Goal())).result
    assert result.error_code == RunEpisode.Result.NOT_READY


def test_a_source_that_fails_leaves_the_loop_alive(ros, stack):
    stack.reward = RewardNode(
        context=ros.context,
        parameters={
            "run_dir": str(stack.path),
            "source": "roboreward_ros.testing.fake_rewards:RaisingSource",
        },
    )
    stack.up().start()
    ros.spin_until(lambda: stack.session.stop, "done")
    stack.until("DONE")
    assert (stack.state.committed, stack.state.labelled, stack.state.errors) == (2, 0, 2)


def test_a_session_without_a_task_is_refused(ros, tmp_path):
    node = ros.add(SessionNode(context=ros.context, parameters={"run_dir": str(tmp_path)}))
    assert not node.bring_up()
    assert "task" in str(node.failure)

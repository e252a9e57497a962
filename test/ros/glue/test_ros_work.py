# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Work slots: exclusive goals, cancel in every state, one clean result whatever happens."""

import threading

import pytest
from action_msgs.msg import GoalStatus
from rclpy.action import ActionClient
from rclpy.logging import LoggingSeverity
from roboreward_ros.action import ResetRobot

from roboreward_ros.errors import RobotError
from roboreward_ros.ros import work
from roboreward_ros.ros.lifecycle import HostNode
from roboreward_ros.ros.params import HostConfig
from roboreward_ros.ros.work import STOPPING, UNEXPECTED, Goal, WorkServer


class Worker(HostNode[HostConfig]):
    """Works until it is released or its goal should end; raises when told to by the task."""

    def __init__(self, context, capacity=1):
        super().__init__("worker_node", HostConfig, context=context)
        self.capacity = capacity
        self.release = threading.Event()
        self.started: list[int] = []
        self.reasons: list[str | None] = []

    def _setup(self):
        self.server = WorkServer(self, ResetRobot, "reset_robot", self.work, capacity=self.capacity)

    def _stop(self, reason):
        self.server.end_all(STOPPING)

    def _teardown(self):
        if hasattr(self, "server"):
            self.server.close()

    def work(self, goal: Goal[ResetRobot.Goal]) -> ResetRobot.Result:
        self.started.append(goal.request.seed)
        goal.feedback(ResetRobot.Feedback(stage="begun"))
        if goal.request.task == "raise":
            raise RobotError("the arm is gone", got="nothing", next_step="Plug it in.")
        if goal.request.task == "bug":
            raise ZeroDivisionError("bug")
        while not self.release.is_set():
            if goal.wait_cancel(0.01):
                self.reasons.append(goal.cancel_reason)
                return goal.canceled(ResetRobot.Result(error_msg=str(goal.cancel_reason)))
        return ResetRobot.Result(duration_s=1.0)


@pytest.fixture
def worker(ros):
    node = ros.add(Worker(ros.context))
    assert node.bring_up()
    return node


@pytest.fixture
def client(ros):
    return ActionClient(ros.node(), ResetRobot, "reset_robot")


def test_goals_are_exclusive_and_the_next_is_taken_after_the_result(ros, worker, client):
    first = ros.send(client, ResetRobot.Goal(seed=1))
    assert first.accepted
    assert not ros.send(client, ResetRobot.Goal(seed=2)).accepted
    worker.release.set()
    answer = ros.result(first)
    assert answer.status == GoalStatus.STATUS_SUCCEEDED
    assert answer.result.duration_s == 1.0
    again = ros.send(client, ResetRobot.Goal(seed=3))
    assert again.accepted
    ros.result(again)
    assert worker.started == [1, 3]


def test_a_cancel_reaches_the_goal_it_names(ros, worker, client):
    first = ros.send(client, ResetRobot.Goal(seed=1))
    ros.spin_future(first.cancel_goal_async())
    assert ros.result(first).status == GoalStatus.STATUS_CANCELED
    second = ros.send(client, ResetRobot.Goal(seed=2))
    stale = ros.spin_future(first.cancel_goal_async())
    assert not stale.goals_canceling, "the first goal is over"
    worker.release.set()
    assert ros.result(second).status == GoalStatus.STATUS_SUCCEEDED
    assert worker.reasons == ["canceled"]


def test_a_cancel_right_after_the_goal_is_not_lost(ros, worker, client):
    ros.connected(client)
    sent = client.send_goal_async(ResetRobot.Goal(seed=1))
    handle = ros.spin_future(sent)
    ros.spin_future(handle.cancel_goal_async())
    assert ros.result(handle).status == GoalStatus.STATUS_CANCELED


def test_waiting_goals_run_in_order_and_can_be_canceled(ros, client):
    node = ros.add(Worker(ros.context, capacity=3))
    assert node.bring_up()
    handles = [ros.send(client, ResetRobot.Goal(seed=n)) for n in (1, 2, 3)]
    assert not ros.send(client, ResetRobot.Goal(seed=4)).accepted
    ros.spin_future(handles[1].cancel_goal_async())
    node.release.set()
    answers = [ros.result(handle).status for handle in handles]
    assert node.started[0] == 1
    assert answers[0] == answers[2] == GoalStatus.STATUS_SUCCEEDED
    assert not node.server.busy


@pytest.mark.parametrize(
    ("task", "named"), [("raise", "the arm is gone; got 'nothing'"), ("bug", "ZeroDivisionError")]
)
def test_work_that_raises_gives_an_error_result(ros, worker, client, task, named):
    answer = ros.result(ros.send(client, ResetRobot.Goal(task=task)))
    assert answer.status == GoalStatus.STATUS_ABORTED
    assert answer.result.error_code == UNEXPECTED
    assert named in answer.result.error_msg


def test_stopping_ends_the_goal_with_its_own_reason(ros, worker, client):
    handle = ros.send(client, ResetRobot.Goal(seed=1))
    worker.trigger_deactivate()
    answer = ros.result(handle)
    assert answer.status == GoalStatus.STATUS_ABORTED, "nobody asked for a cancel"
    assert worker.reasons == [STOPPING]
    assert not ros.send(client, ResetRobot.Goal(seed=2)).accepted, "not active"


def test_feedback_reaches_the_client(ros, worker, client):
    stages = []
    handle = ros.send(client, ResetRobot.Goal(), lambda m: stages.append(m.feedback.stage))
    ros.spin_until(lambda: stages == ["begun"])
    worker.release.set()
    ros.result(handle)


def test_feedback_is_said_again_until_it_is_answered(ros, worker, client, monkeypatch):
    monkeypatch.setattr(work, "REPEAT_S", 0.05)
    stages, answers = [], iter((False, False, True))
    release = threading.Event()

    def serve(goal):
        goal.feedback_until(ResetRobot.Feedback(stage="ready"), lambda _: next(answers), 60.0)
        release.wait(60.0)
        return ResetRobot.Result()

    worker.server._work = serve
    handle = ros.send(client, ResetRobot.Goal(), lambda m: stages.append(m.feedback.stage))
    ros.spin_until(lambda: len(stages) == 3, "all feedback")
    release.set()
    ros.result(handle)
    assert stages == ["ready"] * 3


def test_what_rclpy_says_of_clients_that_are_gone_is_no_news_while_stopping(ros, worker):
    log = worker.server._server._logger  # warns whenever a result finds nobody
    assert log.is_enabled_for(LoggingSeverity.WARN)
    worker._stop("test")
    assert not log.is_enabled_for(LoggingSeverity.WARN)
    assert log.is_enabled_for(LoggingSeverity.ERROR)

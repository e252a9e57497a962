# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The ROS side of whoever owns an arm: the reset action, the episode services, the action topic.

Shared by sim_node and robot_node. Callbacks only hand over to the arm's loop.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import CancelledError, Future, wait
from typing import TypeVar

import numpy as np
from geometry_msgs.msg import PoseStamped, TwistStamped
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64
from std_srvs.srv import SetBool, Trigger

import roboreward_ros.msg as msg
import roboreward_ros.srv as srv
from roboreward_ros.action import ResetRobot
from roboreward_ros.errors import ConfigError, RoboRewardError
from roboreward_ros.robot.supervisor import ArmSupervisor
from roboreward_ros.ros.arm_beat import Refusal
from roboreward_ros.ros.arm_loop import ArmLoop
from roboreward_ros.ros.convert import (
    action_from_msg,
    beat_to_msg,
    end_cause_from_code,
    joints_to_msg,
    pose_to_msg,
)
from roboreward_ros.ros.diagnostics import Health, Level
from roboreward_ros.ros.lifecycle import HostNode
from roboreward_ros.ros.params import HostConfig
from roboreward_ros.ros.qos import EVENT, SENSOR
from roboreward_ros.ros.work import UNEXPECTED, Goal, WorkServer
from roboreward_ros.types import Beat, RobotState

ConfigT = TypeVar("ConfigT", bound=HostConfig)

_REFUSED = {
    Refusal.NOT_RESET: srv.BeginEpisode.Response.NOT_RESET,
    Refusal.BUSY: srv.BeginEpisode.Response.BUSY,
    Refusal.FAULT: srv.BeginEpisode.Response.FAULT,
}
_POLL_S = 0.05
END_NS = 3_000_000_000


class StatePublisher:
    """Publishes what every arm measures: ``state``, ``joint_states``, ``ee_pose``.

    Args:
        node: host.
    """

    def __init__(self, node: HostNode[ConfigT]) -> None:
        self._state = node.create_publisher(msg.RobotState, "state", EVENT)
        self._joints = node.create_publisher(JointState, "joint_states", SENSOR)
        self._pose = node.create_publisher(PoseStamped, "ee_pose", SENSOR)

    def publish(self, beat: Beat) -> None:
        """One beat; from the arm's thread. The standard topics cost nothing when nobody listens."""
        if self._joints.get_subscription_count():
            self._joints.publish(joints_to_msg(beat.state))
        if self._pose.get_subscription_count():
            self._pose.publish(pose_to_msg(beat.state))
        self._state.publish(beat_to_msg(beat))

    def idle(self, state: RobotState) -> None:
        """A state outside episodes."""
        self.publish(Beat("", 0, state))


class PersonServices:
    """``~/halt``, ``~/release`` and ``~/clear_fault`` of an arm that people stand beside.

    Args:
        node: host, in its ``_setup``.
        arm: stopped and released; its methods return at once.
    """

    def __init__(self, node: HostNode[ConfigT], arm: ArmSupervisor) -> None:
        self._arm = arm
        verbs = {"halt": arm.stop, "release": arm.release, "clear_fault": arm.clear}
        for name, verb in verbs.items():
            node.create_service(Trigger, f"~/{name}", self._answer(verb))

    def _answer(
        self, verb: Callable[[], None]
    ) -> Callable[[Trigger.Request, Trigger.Response], Trigger.Response]:
        def answer(request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
            del request
            verb()
            status = self._arm.status
            latched = ", the stop is latched" if status.stopped else ""
            response.success, response.message = True, f"{status.state.value}{latched}"
            return response

        return answer


class ArmServer:
    """See the module's text.

    Args:
        node: host, in its ``_setup``.
        loop: the arm's loop, started.
        reset_timeout_s: longest reset.
    """

    def __init__(self, node: HostNode[ConfigT], loop: ArmLoop, reset_timeout_s: float) -> None:
        self._node = node
        self._loop = loop
        self._reset_timeout_s = reset_timeout_s
        self._warned_drop = 0
        self.resets: WorkServer[ResetRobot.Goal, ResetRobot.Result] = WorkServer(
            node, ResetRobot, "reset_robot", self._reset
        )
        node.create_service(srv.BeginEpisode, "begin_episode", self._begin)
        node.create_service(srv.EndEpisode, "end_episode", self._end)
        node.create_subscription(msg.EefAction, "action", self._on_action, EVENT)
        node.create_service(SetBool, "take_over", self._hand_over)
        node.create_subscription(TwistStamped, "teleop", self._on_twist, SENSOR)
        node.create_subscription(Float64, "teleop_gripper", self._on_gripper, EVENT)

    def health(self) -> Health:
        """The beat's figures."""
        status, jitter, interval = (
            self._loop.status,
            self._loop.ticks.jitter,
            self._loop.ticks.interval,
        )
        values: dict[str, str | float | int] = {
            "episode": status.episode_id,
            "step": status.step,
            "interval_p50_ms": interval.p50_ms,
            "jitter_p50_ms": jitter.p50_ms,
            "jitter_p99_ms": jitter.p99_ms,
            "jitter_max_ms": jitter.max_ms,
            "overruns": self._loop.ticks.overruns,
            "periods_without_action": status.late,
            "actions_dropped": status.dropped,
        }
        if status.fault:
            return Health(Level.ERROR, status.fault, values)
        if status.episode_id:
            return Health(Level.OK, f"step {status.step} of {status.episode_id}", values)
        return Health(Level.OK, "holding" if status.ready else "waiting for a reset", values)

    def _on_action(self, message: msg.EefAction) -> None:
        if not self._loop.offer(action_from_msg(message)) and not message.episode_id:
            self._node.get_logger().warning("an action without an episode was dropped")

    def _hand_over(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        response.message = self._loop.hand_over(to_person=bool(request.data))
        response.success = not response.message
        return response

    def _on_twist(self, message: TwistStamped) -> None:
        """Of a person: base frame, m/s and rad/s about base axes."""
        linear, angular = message.twist.linear, message.twist.angular
        parts = (linear.x, linear.y, linear.z, angular.x, angular.y, angular.z)
        self._obey(lambda: self._loop.move(np.array(parts, dtype=np.float64)))

    def _on_gripper(self, message: Float64) -> None:
        self._obey(lambda: self._loop.grip(float(message.data)))

    def _obey(self, command: Callable[[], None]) -> None:
        try:
            command()
        except ConfigError as error:
            self._node.get_logger().warning(str(error), throttle_duration_sec=2.0)

    def _begin(
        self, request: srv.BeginEpisode.Request, response: srv.BeginEpisode.Response
    ) -> srv.BeginEpisode.Response:
        if not self._node.active:
            response.error_code, response.error_msg = response.FAULT, "the node is not active"
            return response
        try:
            refusal = self._loop.begin(request.episode_id, int(request.max_steps))
        except ConfigError as error:
            response.error_code, response.error_msg = UNEXPECTED, str(error)
            return response
        if refusal is not None:
            fault = self._loop.status.fault
            response.error_code = _REFUSED[refusal]
            response.error_msg = f"{refusal.value}: {fault}" if fault else refusal.value
        return response

    def _end(
        self, request: srv.EndEpisode.Request, response: srv.EndEpisode.Response
    ) -> srv.EndEpisode.Response:
        try:
            ended = self._loop.end(request.episode_id, end_cause_from_code(int(request.end_cause)))
        except ConfigError as error:
            response.error_code, response.error_msg = UNEXPECTED, str(error)
            return response
        if not ended:
            # It is over: that is what was asked for, so it is no error.
            response.error_msg = f"episode {request.episode_id} is not running"
        return response

    def _reset(self, goal: Goal[ResetRobot.Goal]) -> ResetRobot.Result:
        """On the work server's thread."""
        result = ResetRobot.Result()
        request = goal.request
        self._await_end()
        if self._loop.status.episode_id:
            result.error_code = result.FAULT
            result.error_msg = f"episode {self._loop.status.episode_id} is running; end it first"
            return result
        goal.feedback(ResetRobot.Feedback(stage="start pose"))
        clock = self._node.clock
        began_ns = clock.steady_ns()
        future = self._loop.reset(request.task, int(request.seed))
        cancelled = False
        while not future.done():
            if goal.cancel_reason and not cancelled:
                if future.cancel():
                    return goal.canceled(result)
                cancelled = True
                self._loop.cancel_reset()
            wait([future], _POLL_S)
            if (clock.steady_ns() - began_ns) * 1e-9 > self._reset_timeout_s:
                future.cancel()
                self._loop.cancel_reset()
                result.error_code = result.TIMEOUT
                result.error_msg = f"the reset took longer than {self._reset_timeout_s:g} s"
                return result
        result.duration_s = (clock.steady_ns() - began_ns) * 1e-9
        self._judge(future, result)
        return goal.canceled(result) if goal.cancel_reason else result

    def _await_end(self) -> None:
        """An episode that is ending is no reason to refuse: whoever ended it asks at once."""
        clock = self._node.clock
        due_ns = clock.steady_ns() + END_NS
        while self._loop.status.ending and clock.steady_ns() < due_ns:
            clock.sleep(_POLL_S)

    def _judge(self, future: Future[RobotState], result: ResetRobot.Result) -> None:
        try:
            future.result()
        except ConfigError as error:
            result.error_code, result.error_msg = result.UNKNOWN_TASK, str(error)
        except (RoboRewardError, CancelledError) as error:
            result.error_code, result.error_msg = result.FAULT, str(error) or "cancelled"

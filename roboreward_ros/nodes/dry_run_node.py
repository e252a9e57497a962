# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Visits the corners of the workspace box slowly; ``roboreward calibrate workspace``.

Usage::

    python -m roboreward_ros.nodes.dry_run_node --ros-args --disable-stdout-logs -p profile:=wx250s

Takes session's and policy's place beside robot_node. Each corner is an episode from the start pose.
Enter while the arm moves, Ctrl-C, or ``/robot_node/halt`` make it hold.
"""

from __future__ import annotations

import json
import queue
import threading
from dataclasses import dataclass
from pathlib import Path

from rclpy.action import ActionClient

from roboreward_ros import msg
from roboreward_ros.action import ResetRobot
from roboreward_ros.errors import ConfigError, PersonLeftError, RobotError
from roboreward_ros.files import write_atomic
from roboreward_ros.robot.dry_run import CornerVisit, DryRunConfig, corners
from roboreward_ros.robot.profile import RobotProfile, load_profile
from roboreward_ros.ros import convert
from roboreward_ros.ros.client import send_goal
from roboreward_ros.ros.dialogue import Terminal, end_of
from roboreward_ros.ros.lifecycle import HostNode
from roboreward_ros.ros.params import HostConfig, option
from roboreward_ros.ros.qos import COMMAND, EVENT
from roboreward_ros.ros.session_client import call
from roboreward_ros.ros.spin import run
from roboreward_ros.srv import BeginEpisode, EndEpisode
from roboreward_ros.types import Beat, EndCause, StepAction, StepFlag

ANSWER_S, CONNECT_S, CLOSE_S, POLL_S = 5.0, 60.0, 5.0, 0.1
MAX_STEPS = 400


@dataclass(frozen=True, slots=True)
class DryRunNodeConfig(HostConfig):
    """Parameters of dry_run_node; help texts are the fields' metadata."""

    profile: str = option("wx250s", "robot profile, config/robots/<profile>.yaml")
    workspace: str = option("", "box of the profile to visit; empty: its default")
    step_m: float = option(0.01, "motion of a control period, m")
    reset_timeout_s: float = option(180.0, "longest reset, s")

    def __post_init__(self) -> None:
        HostConfig.__post_init__(self)
        self.visits()
        if not 1.0 <= self.reset_timeout_s <= 3600.0:
            raise ConfigError(
                "reset_timeout_s out of range", got=self.reset_timeout_s, allowed="1..3600"
            )

    def visits(self) -> DryRunConfig:
        """How corners are visited."""
        return DryRunConfig(step_m=self.step_m)

    def arm(self) -> RobotProfile:
        """The profile with the box in force; raises ConfigError."""
        profile = load_profile(self.profile)
        return profile.with_workspace(self.workspace) if self.workspace else profile


class DryRunNode(HostNode[DryRunNodeConfig]):
    """See the module's text.

    Args:
        terminal: where the person is; None: this process's own.
        arguments: of HostNode.
    """

    def __init__(self, terminal: Terminal | None = None, **arguments: object) -> None:
        super().__init__("dry_run_node", DryRunNodeConfig, **arguments)  # type: ignore[arg-type]
        self._leaving = threading.Event()
        self._terminal = terminal or Terminal(self._leaving)
        self._beats: queue.SimpleQueue[Beat] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._running = ""

    def _setup(self) -> None:
        self._profile = self.config.arm()
        self._corners = corners(self._profile.box, self.config.visits().inset_m)
        self._reset = ActionClient(self, ResetRobot, "reset_robot")
        self._begin = self.create_client(BeginEpisode, "begin_episode")
        self._end = self.create_client(EndEpisode, "end_episode")
        self._actions = self.create_publisher(msg.EefAction, "action", COMMAND)
        self.create_subscription(msg.RobotState, "state", self._on_state, EVENT)
        self._leaving.clear()
        self._thread = threading.Thread(target=self._serve, name="dry run", daemon=True)

    def _start(self) -> None:
        assert self._thread is not None
        self._thread.start()

    def _stop(self, reason: str) -> None:
        del reason
        self._leaving.set()
        if self._running:  # without waiting: this is the thread that would hear the answer
            self._end.call_async(self._end_request())
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(CLOSE_S)

    def _on_state(self, message: msg.RobotState) -> None:
        if message.episode_id and message.episode_id == self._running:
            self._beats.put(convert.beat_from_msg(message))

    # In the person's thread.

    def _serve(self) -> None:
        code, reason = end_of(self._visit_all, self.get_logger().error)
        try:
            self._terminal.say(reason)
        finally:  # where nobody reads, too
            self.stop.set(reason, code=code)

    def _connect(self) -> None:
        for _ in range(round(CONNECT_S / POLL_S)):
            if self._reset.server_is_ready() and self._begin.service_is_ready():
                return
            if self._leaving.wait(POLL_S):
                raise PersonLeftError
        raise RobotError("robot_node does not answer", got=f"nothing within {CONNECT_S:g} s")

    def _visit_all(self) -> tuple[int, str]:
        self._connect()
        say, box = self._terminal.say, self._profile.box
        say(
            f"box {self._profile.workspace}: {box.low.tolist()} .. {box.high.tolist()} m. Clear "
            "the table, a hand on the power switch; Enter while it moves makes the arm hold."
        )
        rows: list[dict[str, object]] = []
        for number, corner in enumerate(self._corners, 1):
            place = ", ".join(f"{value:.2f}" for value in corner)
            answer = self._terminal.ask(f"corner {number} of 8 at ({place}): Enter goes, q quits: ")
            if answer == "q":
                raise PersonLeftError
            visit = CornerVisit(corner, self.config.visits())
            stopped = self._go(number, visit)
            told = "reached" if visit.reached else f"{100 * visit.distance_m:.1f} cm away"
            limits = f" ({visit.refused!r})" if visit.refused else ""
            say(f"  {'stopped' if stopped else told}{limits}")
            free = self._terminal.ask("  was the way free, with a hand's breadth to spare (y/n)? ")
            rows.append(
                {
                    "corner_m": corner.tolist(),
                    "reached": visit.reached,
                    "distance_m": round(visit.distance_m, 4),
                    "refused": int(visit.refused),
                    "stopped": stopped,
                    "free": free == "y",
                }
            )
            self._keep(rows)
        bad = [row for row in rows if not (row["free"] and row["reached"])]
        if bad:
            say(f"{len(bad)} corners are not good: choose or write a smaller box in config/robots")
        return (1, "the box is not free") if bad else (0, "all corners are visited")

    def _keep(self, rows: list[dict[str, object]]) -> None:
        body = {"robot": self._profile.name, "workspace": self._profile.workspace, "corners": rows}
        path = Path(self.config.run_dir) / "workspace_check.json"
        write_atomic(path, json.dumps(body, indent=1))

    def _go(self, number: int, visit: CornerVisit) -> bool:
        """From the start pose to a corner; True when the person stopped it."""
        self._terminal.say("  to the start pose")
        self._to_start()
        self._running, self._beats = f"dry_run_{number}", queue.SimpleQueue()  # none of the last's
        request = BeginEpisode.Request(episode_id=self._running, max_steps=MAX_STEPS)
        answer = call(self, self._begin, request, ANSWER_S)
        if answer is None or answer.error_code:
            self._running = ""
            raise RobotError("the arm refused", got=answer.error_msg if answer else "no answer")
        try:
            return self._drive(visit)
        finally:
            call(self, self._end, self._end_request(), ANSWER_S)
            self._running = ""

    def _drive(self, visit: CornerVisit) -> bool:
        while True:
            if self._leaving.is_set():
                raise PersonLeftError
            if self._terminal.typed() is not None:
                return True
            try:
                beat = self._beats.get(timeout=POLL_S)
            except queue.Empty:
                continue
            if beat.end_cause is not None:
                fault = beat.report.fault if beat.report is not None else ""
                raise RobotError("the arm ended the motion", got=fault or beat.end_cause.value)
            flags = StepFlag.NONE if beat.report is None else beat.report.flags
            action = visit.act(beat.state.ee_pose, beat.state.gripper, flags)
            if action is None:
                return False
            order = StepAction(beat.episode_id, beat.step, action, beat.state.stamp_ns)
            self._actions.publish(convert.action_to_msg(order))

    def _to_start(self) -> None:
        answers: queue.SimpleQueue[str] = queue.SimpleQueue()

        def done(status: int | None, result: ResetRobot.Result | None) -> None:
            del status
            answers.put("refused" if result is None else result.error_msg)

        goal = ResetRobot.Goal(task="dry run", seed=0)
        sent = send_goal(self, self._reset, goal, on_done=done)
        for _ in range(round(self.config.reset_timeout_s / POLL_S)):
            try:
                problem = answers.get(timeout=POLL_S)
            except queue.Empty:
                if self._leaving.is_set() or self._terminal.typed() is not None:
                    sent.cancel()
                    raise PersonLeftError from None
                continue
            if problem:
                raise RobotError("the arm did not reach its start pose", got=problem)
            return
        sent.cancel()
        raise RobotError("the reset takes too long", got=f"{self.config.reset_timeout_s:g} s")

    def _end_request(self) -> EndEpisode.Request:
        cause = convert.end_cause_to_code(EndCause.OPERATOR)
        return EndEpisode.Request(episode_id=self._running, end_cause=cause)


def main() -> int:
    return run(DryRunNode)


if __name__ == "__main__":
    raise SystemExit(main())

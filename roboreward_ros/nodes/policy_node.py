# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Answers every state of an episode with an action: the frozen policy, steered by its noise.

Usage::

    python -m roboreward_ros.nodes.policy_node --ros-args -p policy:=demo

Serves ``run_policy``; listens to ``state``, ``image`` and ``policy_update``; publishes ``chunk`` at
each decision and ``action`` at each step. Callbacks only store; the goal's worker computes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from sensor_msgs.msg import Image

import roboreward_ros.msg as msg
from roboreward_ros.action import RunPolicy
from roboreward_ros.dsrl.answering import AnswerOrder, EpisodeAnswerer
from roboreward_ros.dsrl.steering import ActorShelf, release, warm_up
from roboreward_ros.errors import CameraError, ConfigError, RoboRewardError
from roboreward_ros.policies.observations import ObservationQueue
from roboreward_ros.protocols import Policy
from roboreward_ros.ros import convert
from roboreward_ros.ros.diagnostics import Diagnostics, Health, Level
from roboreward_ros.ros.lifecycle import HostNode
from roboreward_ros.ros.params import HostConfig, option
from roboreward_ros.ros.qos import COMMAND, EVENT, LATCHED
from roboreward_ros.ros.rates import Samples
from roboreward_ros.ros.sources import one_publisher
from roboreward_ros.ros.spin import run
from roboreward_ros.ros.work import Goal, WorkServer
from roboreward_ros.types import Chunk, Frame, StepAction


@dataclass(frozen=True, slots=True)
class PolicyNodeConfig(HostConfig):
    """Parameters of policy_node; help texts are the fields' metadata."""

    policy: str = option("demo", "folder of a policy checkpoint, or demo: the shipped one")
    device: str = option("cpu", "torch device: cpu, cuda, cuda:1")
    actor: bool = option(True, "follow the run's steering actors; false: the base policy")
    max_skew_s: float = option(0.2, "largest time between a state and a real camera's image, s")
    version_timeout_s: float = option(60.0, "longest wait for the version a goal asks for, s")
    picture_s: float = option(5.0, "longest wait for a fresh picture before an episode, s")
    stall_s: float = option(60.0, "silence of the arm that ends a goal, s")

    def __post_init__(self) -> None:
        HostConfig.__post_init__(self)
        if not self.policy:
            raise ConfigError(
                "policy is empty",
                allowed="a checkpoint's folder, or demo",
                next_step="Give policy:=, or train one with: roboreward policy train --sim.",
            )
        for name in ("max_skew_s", "version_timeout_s", "picture_s", "stall_s"):
            if not 0 < getattr(self, name) <= 3600:
                raise ConfigError(
                    f"{name} out of range", got=getattr(self, name), allowed="0..3600"
                )


def load(config: PolicyNodeConfig) -> Policy:
    """The policy of the configuration; loads torch."""
    from roboreward_ros.policies.loading import load_any_policy

    return load_any_policy(config.policy, config.device)


class PolicyNode(HostNode[PolicyNodeConfig]):
    """See the module's text.

    Args:
        load_policy: makes the policy; for tests and other frameworks.
        arguments: of HostNode.
    """

    def __init__(
        self, load_policy: Callable[[PolicyNodeConfig], Policy] = load, **arguments: object
    ) -> None:
        super().__init__("policy_node", PolicyNodeConfig, **arguments)  # type: ignore[arg-type]
        self._load_policy = load_policy
        self._server: WorkServer[RunPolicy.Goal, RunPolicy.Result] | None = None
        self._latency = Samples()
        self._frame_age = Samples()
        self._dropped = 0

    def _setup(self) -> None:
        config = self.config
        self._policy = self._load_policy(config)
        spec = self._policy.spec
        warm_up(self._policy)
        self._shelf = ActorShelf(Path(config.run_dir) / "policies", spec)
        self._queue = ObservationQueue(self.clock, config.max_skew_s)
        if config.actor:
            self._shelf.scan()
            self.create_subscription(msg.PolicyUpdate, "policy_update", self._on_update, LATCHED)
        self._chunks = self.create_publisher(msg.ActionChunk, "chunk", EVENT)
        self._actions = self.create_publisher(msg.EefAction, "action", COMMAND)
        self.create_subscription(msg.RobotState, "state", self._on_state, EVENT)
        self.create_subscription(Image, "image", self._on_image, EVENT)
        self._server = WorkServer(
            self, RunPolicy, "run_policy", self._run, on_cancel=lambda _: self._queue.wake()
        )
        Diagnostics(self, {"policy": self._health}, hardware_id=spec.policy_id[:12])

    def _stop(self, reason: str) -> None:
        del reason
        if self._server is not None:
            self._server.end_all()

    def _teardown(self) -> None:
        if self._server is not None:
            self._server.close()
            release(self._policy)
        self._server = None

    # In the executor's thread.

    def _on_state(self, message: msg.RobotState) -> None:
        try:
            self._queue.add_beat(convert.beat_from_msg(message))
        except ConfigError as error:
            self._queue.spoil(message.episode_id, f"step {message.step}: {error}")

    def _on_image(self, message: Image) -> None:
        try:
            self._queue.add_image(convert.image_from_msg(message))
        except CameraError as error:
            self.get_logger().error(str(error), throttle_duration_sec=5.0)

    def _on_update(self, message: msg.PolicyUpdate) -> None:
        try:
            if message.policy_id != self._policy.spec.policy_id:
                raise ConfigError(
                    f"policy_update {message.version} steers another policy",
                    got=message.policy_id,
                    allowed=self._policy.spec.policy_id,
                )
            self._shelf.take(Path(message.uri), int(message.version), message.sha256)
        except RoboRewardError as error:
            self.get_logger().error(f"actor {message.version} refused: {error}")

    def _health(self) -> Health:
        latency, age = self._latency.summary(), self._frame_age.summary()
        values: dict[str, str | float | int] = {
            "actor_version": self._shelf.version,
            "decision_p50_ms": latency.p50_ms,
            "decision_p99_ms": latency.p99_ms,
            "frame_age_p50_ms": age.p50_ms,
            "late_answers_dropped": self._dropped,
        }
        busy = self._server is not None and self._server.busy
        return Health(Level.OK, "running" if busy else "ready", values)

    # In the goal's worker thread.

    def _run(self, goal: Goal[RunPolicy.Goal]) -> RunPolicy.Result:
        result = RunPolicy.Result()
        self._queue.open(goal.request.episode_id, by_stamp=self._own_images())
        if goal.cancel_reason:
            self._queue.wake()  # the cancel came before the queue was open
        try:
            code, problem = self._missing(goal.request, goal.wait_cancel)
            if problem and not goal.cancel_reason:
                result.error_code, result.error_msg = code, problem
                return result
            return self._answer_all(goal, result)
        finally:
            self._queue.close()

    def _missing(
        self, request: RunPolicy.Goal, wait_cancel: Callable[[float], bool]
    ) -> tuple[int, str]:
        """Wait for what an episode needs; code and words where it does not come."""
        config, tasks, refused = self.config, self._policy.spec.tasks, RunPolicy.Result
        if tasks and request.task not in tasks:
            problem = f"the policy was not trained on this task; got '{request.task}'"
            return refused.UNKNOWN_TASK, f"{problem}; allowed: {', '.join(tasks)}"
        if config.actor and not request.canary:
            version, limit_s = int(request.min_policy_version), config.version_timeout_s
            problem = self._shelf.wait_for(version, limit_s, self.clock, wait_cancel)
            if problem:
                return refused.VERSION_TIMEOUT, problem
        return refused.STALLED, self._queue.await_picture(config.picture_s, self._own_images)

    def _own_images(self) -> bool:
        """Where one node publishes both, an image has the stamp of its state."""
        return one_publisher(self, "image", "state")

    def _answer_all(self, goal: Goal[RunPolicy.Goal], result: RunPolicy.Result) -> RunPolicy.Result:
        request = goal.request
        actor = None if request.canary or not self.config.actor else self._shelf.actor
        answerer = EpisodeAnswerer(
            self._policy, actor, self._queue, self, self.clock, self.config.stall_s
        )
        goal.feedback_until(RunPolicy.Feedback(), self._queue.await_beat, self.config.stall_s)
        sizes = int(request.max_steps), int(request.seed)
        order = AnswerOrder(request.episode_id, request.task, *sizes)
        cause = answerer.run(order)
        goal.afterwards = partial(answerer.close, order)
        result.policy_version, result.decisions = answerer.version, answerer.decisions
        if cause is not None:
            result.termination_reason = str(cause)
        elif goal.cancel_reason:
            result.termination_reason = "canceled"
            return goal.canceled(result)
        else:
            result.error_code = result.STALLED
            result.error_msg = f"no state of {request.episode_id} for {self.config.stall_s:g} s"
        return result

    # AnswerSink, on the worker's thread.

    def decided(self, chunk: Chunk, frame: Frame, latency_ns: int) -> None:
        """Publish a decision."""
        self._latency.add_ns(latency_ns)
        self._frame_age.add_ns(max(self.clock.now_ns() - frame.stamp_ns, 0))
        self._publish(self._queue.episode_id, replace(chunk, latency_s=latency_ns * 1e-9), frame)

    def closed(self, episode_id: str, chunk: Chunk, frame: Frame) -> None:
        """Publish what was seen of the last state."""
        self._publish(episode_id, chunk, frame)

    def _publish(self, episode_id: str, chunk: Chunk, frame: Frame) -> None:
        spec = self._policy.spec
        known = (spec.policy_id, spec.chunk_size, frame.stamp_ns)
        self._chunks.publish(convert.decision_to_msg(convert.Decision(episode_id, chunk, *known)))

    def act(self, action: StepAction) -> None:
        """Publish an action."""
        self._actions.publish(convert.action_to_msg(action))

    def late(self, step: int, what: str) -> None:
        """Note what could not be answered."""
        self._dropped += 1
        self.get_logger().warning(f"step {step}: {what}", throttle_duration_sec=2.0)


def main() -> int:
    return run(PolicyNode)


if __name__ == "__main__":
    raise SystemExit(main())

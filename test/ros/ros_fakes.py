# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The owner of an arm and a policy as real nodes without physics or networks, in lock-step."""

import threading

import numpy as np
from rclpy.qos import QoSProfile
from roboreward_ros.action import ResetRobot, RunPolicy
from roboreward_ros.srv import BeginEpisode, EndEpisode
from sensor_msgs.msg import Image

from roboreward_ros import msg
from roboreward_ros.ros import convert
from roboreward_ros.ros.lifecycle import HostNode
from roboreward_ros.ros.params import HostConfig
from roboreward_ros.ros.qos import COMMAND, EVENT, LATCHED
from roboreward_ros.ros.work import WorkServer
from roboreward_ros.types import (
    Chunk,
    EndCause,
    EpisodeMeta,
    GroundTruth,
    RobotState,
    StepFlag,
    StepReport,
)

CHUNK, HORIZON, FEATURES = 4, 4, 16
EACH = QoSProfile(
    reliability=LATCHED.reliability, durability=LATCHED.durability, history=LATCHED.history,
    depth=EVENT.depth,
)  # fmt: skip
"""For a test that must not miss a phase which came and went while it was busy."""
T0 = 1_700_000_000_000_000_000


def robot_state(step):
    return RobotState(
        stamp_ns=T0 + step * 200_000_000,
        q=np.full(6, 0.01 * step),
        dq=np.zeros(6),
        effort=np.full(6, np.nan),
        gripper=1.0,
        ee_pose=np.eye(4),
        proprio=np.full(7, 0.1 * step),
    )


class FakeArm(HostNode[HostConfig]):
    """Answers each action with the next state. Faults are switched on by attributes.

    Attributes:
        reset_error: error message of the next resets.
        mute_at: step at which it stops to publish.
        success: what the ground truth says at the end, by episode id; True where not given.
        seeds: of the resets.
        knows_truth: it is a twin; set it before the node comes up.
    """

    def __init__(self, context):
        super().__init__("sim_node", HostConfig, context=context)
        self.reset_error = ""
        self.mute_at = -1
        self.knows_truth = True
        self.success = {}
        self.seeds = []
        self.begun = []
        self.ended = []
        self.running = set()
        self._episode = ""
        self._step = 0
        self._limit = 0

    def _setup(self):
        self._images = self.create_publisher(Image, "image", EVENT)
        self._states = self.create_publisher(msg.RobotState, "state", EVENT)
        self._truth = (
            self.create_publisher(msg.GroundTruth, "ground_truth", EVENT)
            if self.knows_truth
            else None
        )
        self.create_subscription(msg.EefAction, "action", self._on_action, COMMAND)
        self.create_service(BeginEpisode, "begin_episode", self._begin)
        self.create_service(EndEpisode, "end_episode", self._end)
        self.server = WorkServer(self, ResetRobot, "reset_robot", self._reset)

    def _stop(self, reason):
        self.server.end_all()

    def _teardown(self):
        if hasattr(self, "server"):
            self.server.close()

    def _reset(self, goal):
        self.seeds.append(goal.request.seed)
        code = ResetRobot.Result.FAULT if self.reset_error else 0
        return ResetRobot.Result(error_code=code, error_msg=self.reset_error)

    def _begin(self, request, response):
        assert not self.running, "two episodes run"
        self._episode, self._step, self._limit = request.episode_id, 0, request.max_steps
        self.begun.append(request.episode_id)
        self.running.add(request.episode_id)
        self.publish_step(0)
        return response

    def _end(self, request, response):
        self.ended.append(request.episode_id)
        if self._episode and self._episode == request.episode_id:
            self.publish_step(self._step, convert.end_cause_from_code(request.end_cause))
        return response

    def _on_action(self, action):
        if action.episode_id == self._episode and action.step == self._step:
            self._step += 1
            self.publish_step(self._step, EndCause.TIME if self._step == self._limit else None)

    def publish_step(self, step, end_cause=None):
        if step == self.mute_at and end_cause is None:
            return
        state = robot_state(step)
        action = np.zeros(7)
        report = StepReport(action, action, np.eye(4), np.zeros(6), StepFlag.NONE, state)
        image = np.full((32, 32, 3), step, dtype=np.uint8)
        self._images.publish(convert.image_to_msg(image, state.stamp_ns))
        won = end_cause is not None and self.success.get(self._episode, True)
        truth = GroundTruth(1.0 if won else 0.1, won, 5 if won else 2, "goal" if won else "far")
        if self._truth is not None:
            self._truth.publish(convert.truth_to_msg(truth, self._episode, step, state.stamp_ns))
        beat = convert.Beat(self._episode, step, state, report if step else None, end_cause)
        self._states.publish(convert.beat_to_msg(beat))
        if end_cause is not None:
            self.running.discard(self._episode)
            self._episode = ""


class FakePolicy(HostNode[HostConfig]):
    """Answers every state; the noise is a function of seed and decision only.

    Attributes:
        stuck: it never becomes ready.
        versions: wished minimum version of each goal.
    """

    def __init__(self, context, policy_id="fake"):
        super().__init__("policy_node", HostConfig, context=context)
        self.policy_id = policy_id
        self.stuck = False
        self.versions = []
        self.canaries = []
        self._goal = None
        self._over = threading.Event()

    def _setup(self):
        self._chunks = self.create_publisher(msg.ActionChunk, "chunk", EVENT)
        self._actions = self.create_publisher(msg.EefAction, "action", COMMAND)
        self.create_subscription(msg.RobotState, "state", self._on_state, EVENT)
        self.server = WorkServer(self, RunPolicy, "run_policy", self._run)

    def _stop(self, reason):
        self.server.end_all()

    def _teardown(self):
        if hasattr(self, "server"):
            self.server.close()

    def _run(self, goal):
        self.versions.append(goal.request.min_policy_version)
        self.canaries.append(goal.request.canary)
        self._over.clear()
        self._goal = goal
        if not self.stuck:
            goal.feedback(RunPolicy.Feedback())
        while not self._over.wait(0.01):
            if goal.cancel_reason:
                self._goal = None
                return goal.canceled(RunPolicy.Result(termination_reason="canceled"))
        return RunPolicy.Result(termination_reason="time")

    def _on_state(self, state):
        goal = self._goal
        if goal is None or state.episode_id != goal.request.episode_id:
            return
        if state.last:
            self._goal = None
            self._over.set()
            return
        chunk, position = divmod(state.step, CHUNK)
        if position == 0:
            rng = np.random.default_rng((goal.request.seed, chunk))
            noise = rng.standard_normal((HORIZON, 7)).astype(np.float32)
            features = rng.standard_normal(FEATURES).astype(np.float32)
            decision = Chunk(
                chunk, state.step, noise, features, noise, goal.request.min_policy_version, True
            )
            self._chunks.publish(
                convert.decision_to_msg(
                    convert.Decision(state.episode_id, decision, self.policy_id, CHUNK, T0)
                )
            )
        action = convert.StepAction(state.episode_id, state.step, np.zeros(7), 0, chunk, position)
        self._actions.publish(convert.action_to_msg(action))


def write_episode(store, index, success=True, steps=8, taint=(), canary=False, version=0):
    """Commit an episode as the recorder would; returns its uri."""
    name = f"ep_{index:06d}"
    meta = EpisodeMeta(name, index, "t", index, steps, 5.0, "twin", "fake", CHUNK, T0, canary)
    writer = store.create(meta)
    action, joints = np.zeros(7), np.zeros(6)
    jpeg = bytes(convert.image_to_compressed(np.zeros((8, 8, 3), np.uint8), 0).data)
    for step in range(steps + 1):
        state = robot_state(step)
        if step:
            report = StepReport(action, action, np.eye(4), joints, StepFlag.NONE, state)
            writer.add_step(step - 1, report)
        writer.add_observation(step, state.stamp_ns, jpeg, state.proprio, state.q)
        won = success and step == steps
        writer.add_truth(step, GroundTruth(1.0 if won else 0.1, won, 5 if won else 2, "s"))
    for chunk in range(steps // CHUNK):
        rng = np.random.default_rng((index, chunk))
        noise = rng.standard_normal((HORIZON, 7)).astype(np.float32)
        features = rng.standard_normal(FEATURES).astype(np.float32)
        writer.add_chunk(Chunk(chunk, chunk * CHUNK, noise, features, noise, version, steered=True))
    return writer.commit(EndCause.TIME, taint)

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Who moves the arm within an episode, and the seams between them: policy, person, policy.

A person commands velocities and the gripper; here they become the actions of control periods, so
that every limit of the arm holds for both. The person begins at the speed that the policy had, and
speeds change within bounds. A person who falls silent stands still: the arm never goes back to the
policy by itself. Given back, it stands still until the policy's next decision, which sees where the
arm is then. Knows nothing about rclpy.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from enum import Enum

import numpy as np

from roboreward_ros.clock import Clock
from roboreward_ros.errors import ConfigError
from roboreward_ros.types import ACTION_DIM, FloatArray, StepAction, require_shape


@dataclass(frozen=True, slots=True)
class HandConfig:
    """Bounds of what a person commands.

    Attributes:
        speed: largest of the gripper, m/s and rad/s.
        rise: how fast a speed may grow, m/s^2 and rad/s^2.
        brake: how fast it may shrink.
        silence_s: a command that is older counts no more.
    """

    speed: tuple[float, float] = (0.15, 0.9)
    rise: tuple[float, float] = (0.3, 2.0)
    brake: tuple[float, float] = (0.75, 5.0)
    silence_s: float = 0.5


class Hands(Enum):
    """Who moves the arm."""

    POLICY = "policy"
    PERSON = "person"
    RETURNING = "returning"  # the person has let go, the policy's next decision is awaited


class TakeOver:
    """See the module's text. ``begin`` to ``choose`` are for the arm's thread, the rest is for any.

    Args:
        clock: how old a command is.
        period_s: control period.
        config: bounds.
    """

    def __init__(self, clock: Clock, period_s: float, config: HandConfig | None = None) -> None:
        self._clock = clock
        self._period_s = period_s
        self._config = config or HandConfig()
        self._mutex = threading.Lock()
        self._hands = Hands.POLICY
        self._goal: FloatArray = np.zeros(6)
        self._heard_ns = 0
        self._gripper: float | None = None
        self._speed: FloatArray = np.zeros(6)
        self._width = 1.0

    @property
    def hands(self) -> Hands:
        """Who moves the arm now."""
        return self._hands

    def take(self) -> None:
        """The person moves it from the next control period on."""
        with self._mutex:
            self._hands = Hands.PERSON
            self._goal, self._gripper = np.zeros(6), None

    def give_back(self) -> None:
        """The policy moves it from its next decision on."""
        with self._mutex:
            if self._hands is Hands.PERSON:
                self._hands = Hands.RETURNING
                self._gripper = None

    def move(self, velocity: FloatArray) -> None:
        """How fast the person wants the gripper to move from now on.

        Args:
            velocity: ``[6]``, m/s and rad/s, base frame and about base axes.

        Raises:
            ConfigError: not six finite numbers.
        """
        require_shape("velocity", velocity, (6,))
        if not np.isfinite(velocity).all():
            raise ConfigError("a person's velocity", got=velocity, allowed="finite numbers")
        with self._mutex:
            self._goal, self._heard_ns = velocity.copy(), self._clock.steady_ns()

    def grip(self, opening: float) -> None:
        """How far the person wants the gripper open, 0 closed .. 1 open; raises ConfigError."""
        if not 0.0 <= opening <= 1.0:
            raise ConfigError("a person's gripper opening", got=opening, allowed="0..1")
        with self._mutex:
            if self._hands is Hands.PERSON:
                self._gripper = opening

    # On the arm's thread.

    def begin(self, width: float) -> None:
        """An episode begins at rest, with the gripper open by ``width``."""
        with self._mutex:
            self._speed, self._width = np.zeros(6), float(np.clip(width, 0.0, 1.0))

    def end(self) -> None:
        """An episode is over: the next begins in the policy's hands."""
        with self._mutex:
            self._hands, self._gripper = Hands.POLICY, None

    def executed(self, action: FloatArray) -> None:
        """What the arm did last ``[7]``: where the seam begins."""
        with self._mutex:
            if self._hands is Hands.POLICY:
                self._speed = action[:6] / self._period_s
                self._width = float(np.clip(action[6], 0.0, 1.0))

    def choose(self, answer: StepAction | None) -> FloatArray | None:
        """The person's action ``[7]`` of this control period; None where the policy acts.

        Args:
            answer: the policy's for this period; None while it has none.
        """
        with self._mutex:
            decides = answer is not None and answer.chunk_step == 0
            if self._hands is Hands.RETURNING and decides:
                self._hands = Hands.POLICY
            if self._hands is Hands.POLICY:
                return None
            age_s = (self._clock.steady_ns() - self._heard_ns) * 1e-9
            wants = self._hands is Hands.PERSON and age_s <= self._config.silence_s
            goal = self._goal if wants else np.zeros(6)
            for axes, kind in ((slice(0, 3), 0), (slice(3, 6), 1)):
                self._speed[axes] = self._approach(self._speed[axes], goal[axes], kind)
            if self._gripper is not None:
                self._width = self._gripper
            action = np.empty(ACTION_DIM)
            action[:6], action[6] = self._speed * self._period_s, self._width
            return action

    def _approach(self, now: FloatArray, goal: FloatArray, kind: int) -> FloatArray:
        """The speed ``[3]`` one period later."""
        config = self._config
        size = float(np.linalg.norm(goal))
        if size > config.speed[kind]:
            goal = goal * (config.speed[kind] / size)
        grows = float(np.linalg.norm(goal)) > float(np.linalg.norm(now))
        limit = (config.rise if grows else config.brake)[kind] * self._period_s
        change = goal - now
        length = float(np.linalg.norm(change))
        return goal if length <= limit else now + change * (limit / length)

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Watches measured states for what no command check can see: jams, silence, impossible readings."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np

from roboreward_ros.clock import Clock
from roboreward_ros.errors import ConfigError, RobotError
from roboreward_ros.robot.profile import RobotProfile
from roboreward_ros.types import FloatArray, RobotState


class FaultKind(Enum):
    """Why an arm must not go on."""

    JAM = "jam"
    STALE_STATE = "stale_state"
    LIMIT = "limit"
    NOT_FINITE = "not_finite"
    MOTOR = "motor"
    CAMERA = "camera"
    LINK = "link"


@dataclass(frozen=True, slots=True)
class Fault:
    """One reason to stop, in words with figures and units."""

    kind: FaultKind
    message: str


class ArmFaultError(RobotError):
    """The arm must not go on; it holds.

    Attributes:
        faults: why; one or more.
    """

    def __init__(self, *faults: Fault, next_step: str | None = None) -> None:
        self.faults = faults
        super().__init__("; ".join(fault.message for fault in faults), next_step=next_step)


@dataclass(frozen=True, slots=True)
class SafetyLimits:
    """When a measured state is a fault.

    Attributes:
        max_state_age_s: longest time without a new state, s.
        jam_states: states in a row with an effort above the profile's limit that make a jam.
        limit_margin_rad: measured joints may pass their limits by this much, rad.
        overspeed: measured joint speeds may pass the profile's limit by this factor.
        jump_rad: from one state to the next, joints may turn farther than such a speed allows by
            this much, rad; more is another arm, a restarted driver or a slipped encoder.
    """

    max_state_age_s: float = 0.1
    jam_states: int = 3
    limit_margin_rad: float = 0.1
    overspeed: float = 1.5
    jump_rad: float = 0.3

    def __post_init__(self) -> None:
        if not 0.0 < self.max_state_age_s <= 10.0:
            raise ConfigError(
                "max_state_age_s out of range",
                got=self.max_state_age_s,
                allowed="above 0, at most 10",
            )
        if self.jam_states < 1:
            raise ConfigError("jam_states out of range", got=self.jam_states, allowed="1 or more")
        if not 0.0 <= self.limit_margin_rad <= 0.5:
            raise ConfigError(
                "limit_margin_rad out of range", got=self.limit_margin_rad, allowed="0..0.5"
            )
        if self.overspeed < 1.0:
            raise ConfigError("overspeed out of range", got=self.overspeed, allowed="1 or more")


class SafetyGuard:
    """Judges a stream of measured states. One thread uses it.

    Args:
        profile: limits of the arm.
        limits: see ``SafetyLimits``.
        clock: source of time; ages are by the steady clock, never by the states' stamps.
    """

    def __init__(self, profile: RobotProfile, limits: SafetyLimits, clock: Clock) -> None:
        self._profile = profile
        self._limits = limits
        self._clock = clock
        self.restart()

    def restart(self) -> None:
        """Forget what was seen: after connecting and after a recovery."""
        self._loaded = np.zeros(6, dtype=np.int64)
        self._q: FloatArray | None = None
        self._stamp_ns: int | None = None
        self._fresh_ns = self._clock.steady_ns()

    def observe(self, state: RobotState) -> tuple[Fault, ...]:
        """Faults that the newest measured state shows; empty when all is well.

        A state seen before (the same stamp) counts for its age only.
        """
        fresh = state.stamp_ns != self._stamp_ns
        before_ns = self._fresh_ns
        if fresh:
            self._stamp_ns = state.stamp_ns
            self._fresh_ns = self._clock.steady_ns()
        if not (np.isfinite(state.q).all() and np.isfinite(state.gripper)):
            return (Fault(FaultKind.NOT_FINITE, f"joints read {state.q}, gripper {state.gripper}"),)
        found = (*self._stale(), *self._outside(state), *self._too_fast(state))
        if fresh:
            found += self._jumped(state, (self._fresh_ns - before_ns) * 1e-9)
        return (*found, *self._jam(state, fresh))

    def _stale(self) -> tuple[Fault, ...]:
        age = (self._clock.steady_ns() - self._fresh_ns) * 1e-9
        if age <= self._limits.max_state_age_s:
            return ()
        text = f"no new joint state for {age:.3f} s, limit {self._limits.max_state_age_s:g} s"
        return (Fault(FaultKind.STALE_STATE, text),)

    def _outside(self, state: RobotState) -> tuple[Fault, ...]:
        profile, margin = self._profile, self._limits.limit_margin_rad
        bad = (state.q < profile.q_min - margin) | (state.q > profile.q_max + margin)
        return tuple(
            Fault(
                FaultKind.LIMIT,
                f"{profile.joint_names[joint]} at {state.q[joint]:.3f} rad, limits "
                f"{profile.q_min[joint]:.3f}..{profile.q_max[joint]:.3f}",
            )
            for joint in np.flatnonzero(bad)
        )

    def _too_fast(self, state: RobotState) -> tuple[Fault, ...]:
        limit = self._profile.velocity_limit * self._limits.overspeed
        return tuple(  # speeds that are not measured are NaN and pass
            Fault(
                FaultKind.LIMIT,
                f"{self._profile.joint_names[joint]} moves at {state.dq[joint]:.2f} rad/s, "
                f"limit {limit[joint]:.2f}",
            )
            for joint in np.flatnonzero(np.abs(state.dq) > limit)
        )

    def _jumped(self, state: RobotState, after_s: float) -> tuple[Fault, ...]:
        before, self._q = self._q, state.q
        if before is None:
            return ()
        limit = self._profile.velocity_limit * self._limits.overspeed * after_s
        jumped = np.abs(state.q - before) > limit + self._limits.jump_rad
        return tuple(
            Fault(
                FaultKind.LIMIT,
                f"{self._profile.joint_names[joint]} jumped from {before[joint]:.2f} to "
                f"{state.q[joint]:.2f} rad within {after_s:.3f} s",
            )
            for joint in np.flatnonzero(jumped)
        )

    def _jam(self, state: RobotState, fresh: bool) -> tuple[Fault, ...]:
        if fresh:
            over = np.abs(state.effort) > self._profile.effort_limit  # NaN compares false
            self._loaded = np.where(over, self._loaded + 1, 0)
        return tuple(
            Fault(
                FaultKind.JAM,
                f"{self._profile.joint_names[joint]} effort {state.effort[joint]:.0f} for "
                f"{self._loaded[joint]} states, limit {self._profile.effort_limit[joint]:.0f}",
            )
            for joint in np.flatnonzero(self._loaded >= self._limits.jam_states)
        )

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the arm's loop is told and tells: configuration, status, refusals, the driver's clock."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from roboreward_ros.clock import Clock
from roboreward_ros.errors import ConfigError
from roboreward_ros.types import Beat, RobotState


@dataclass(frozen=True, slots=True)
class ArmLoopConfig:
    """The beat.

    Attributes:
        control_hz: control periods per second.
        lock_step: the next step waits for its action instead of the clock.
        paced: ``robot.step`` itself lasts until the period ends (an arm); False: it returns at
            once (the twin) and is called at the end of the period.
        action_timeout_s: an episode without an action for that long ends with a fault.
    """

    control_hz: float = 5.0
    lock_step: bool = False
    paced: bool = False
    action_timeout_s: float = 10.0

    def __post_init__(self) -> None:
        if not 1.0 <= self.control_hz <= 50.0:
            raise ConfigError("control_hz out of range", got=self.control_hz, allowed="1..50")
        if not 0.1 <= self.action_timeout_s <= 600.0:
            raise ConfigError(
                "action_timeout_s out of range", got=self.action_timeout_s, allowed="0.1..600"
            )
        if self.lock_step and self.paced:
            raise ConfigError("an arm cannot run in lock-step", allowed="the twin only")

    @property
    def period_ns(self) -> int:
        """Length of a control period."""
        return round(1e9 / self.control_hz)


class BeatSink(Protocol):
    """Takes what the loop measures; called on the loop's thread."""

    def publish(self, beat: Beat) -> None:
        """One step of an episode."""

    def idle(self, state: RobotState) -> None:
        """A control period outside episodes, at real time only."""


@dataclass(frozen=True, slots=True)
class ArmStatus:
    """What the loop is doing, for services and diagnostics.

    Attributes:
        ready: reset, and no episode since.
        episode_id: running or about to; "" for none.
        step: of the running episode.
        ending: its end was asked for and comes within a control period or two.
        fault: why the last episode or reset failed; cleared by a reset that works.
        dropped: actions for another step or episode since start.
        late: control periods without their action since start.
    """

    ready: bool = False
    episode_id: str = ""
    step: int = 0
    ending: bool = False
    fault: str = ""
    dropped: int = 0
    late: int = 0


class Refusal(Enum):
    """Why an episode cannot begin."""

    NOT_RESET = "the arm was not reset since its last episode"
    BUSY = "an episode is running"
    FAULT = "the arm is in a fault; reset it first"


class PeriodClock:
    """The clock of an arm's driver: a sleep during a control period ends with the period."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.end_ns: int | None = None

    def steady_ns(self) -> int:
        return self._clock.steady_ns()

    def now_ns(self) -> int:
        return self._clock.now_ns()

    def sleep(self, duration_s: float) -> None:
        if self.end_ns is not None:
            duration_s = max(self.end_ns - self._clock.steady_ns(), 0) * 1e-9
        self._clock.sleep(duration_s)

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The error tree of the package.

Every message says what is wrong, what was got, what is allowed and what to do next::

    RoboRewardError
    +-- ConfigError        a value of a configuration, argument or parameter
    +-- FormatError        a file or store that cannot be read (corrupt, newer, foreign)
    |   +-- PicturesGoneError  an episode whose pictures were removed to keep a disk budget
    +-- StoreError         a store that cannot be written
    |   +-- LockedError    one that another process holds
    +-- CheckpointError    policy or learner weights that do not fit
    +-- RobotError         link, limits, faults of an arm or of the twin
    |   +-- SafetyError    a command that the safety core refused
    +-- CameraError        no frame, stale or frozen frames, wrong size
    +-- SimulationError    the twin: no OpenGL backend, diverged physics
    +-- RewardSourceError  a reward source that cannot answer
    +-- LearnerError       data or state that the learner refuses
    +-- SessionError       a request that the session's state does not allow
    +-- StackError         processes, domains, missing parts of a launch
    +-- LinkError          another host cannot be reached, or does not answer in time
        +-- RefusedError   another host answered, and said no

``PersonLeftError`` stands apart: a person's end of a dialogue is no failure.
"""

from __future__ import annotations

from collections.abc import Iterable


class RoboRewardError(Exception):
    """Base of all errors that the package raises on purpose.

    Args:
        what: what is wrong, as a sentence without a final full stop.
        got: the offending value.
        allowed: what would have been accepted; an iterable is joined by commas.
        next_step: what the reader should do now.
    """

    def __init__(
        self,
        what: str,
        *,
        got: object = None,
        allowed: object = None,
        next_step: str | None = None,
    ) -> None:
        self.what = what
        self.got = got
        self.allowed = allowed
        self.next_step = next_step
        parts = [what]
        if got is not None:
            parts.append(f"got {got!r}" if isinstance(got, str) else f"got {got}")
        if allowed is not None:
            if not isinstance(allowed, str) and isinstance(allowed, Iterable):
                allowed = ", ".join(str(item) for item in allowed)
            parts.append(f"allowed: {allowed}")
        text = "; ".join(parts)
        if next_step is not None:
            text = f"{text}. {next_step}"
        super().__init__(text)


class ConfigError(RoboRewardError):
    """A value of a configuration file, an argument or a parameter is not acceptable."""


class FormatError(RoboRewardError):
    """A file or store cannot be read: corrupt, of a newer format, or not ours."""


class PicturesGoneError(FormatError):
    """An episode's pictures were removed on purpose, to keep a disk budget; the rest is there."""


class StoreError(RoboRewardError):
    """A store cannot be written or does not hold what is asked of it."""


class LockedError(StoreError):
    """Another process writes the store now; asking again may help."""


class CheckpointError(RoboRewardError):
    """Policy or learner weights are missing or do not fit what they are loaded into."""


class RobotError(RoboRewardError):
    """The link to the arm, its limits or its state do not allow what was asked."""


class SafetyError(RobotError):
    """The safety core refused a command; the arm holds."""


class CameraError(RoboRewardError):
    """A camera gives no frame, stale or frozen frames, or frames of the wrong size."""


class SimulationError(RoboRewardError):
    """The twin cannot run: no OpenGL backend, or diverged physics."""


class RewardSourceError(RoboRewardError):
    """A reward source cannot answer; the episode stays unlabelled."""


class LearnerError(RoboRewardError):
    """The learner refuses data or state by name; it goes on with the rest."""


class SessionError(RoboRewardError):
    """The session's present phase does not allow the request."""


class StackError(RoboRewardError):
    """The stack cannot be started or kept running: a process, a domain, a missing part."""


class LinkError(RoboRewardError):
    """Another host cannot be reached or does not answer in time; asking again may help."""


class RefusedError(LinkError):
    """Another host does not let us in or refuses what was asked; asking again does not help.

    Attributes:
        kind: class name of the error over there; "" where the connection itself was refused.
    """

    kind: str = ""


class PersonLeftError(Exception):
    """The person ended a dialogue, or its input is at its end; what was done so far is on disk."""

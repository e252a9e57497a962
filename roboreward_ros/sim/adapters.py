# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The twin behind the seams of the real parts: Robot and Camera over one Twin."""

from __future__ import annotations

from roboreward_ros.errors import CameraError, RobotError
from roboreward_ros.sim.twin import Twin
from roboreward_ros.types import FloatArray, Frame, RobotState, StepReport


class TwinRobot:
    """``protocols.Robot`` over a twin; each step simulates one control period at once.

    Args:
        twin: shared with a ``TwinCamera``; closed by ``close``.
    """

    def __init__(self, twin: Twin) -> None:
        self.twin = twin
        self._connected = False

    def connect(self) -> None:
        self._connected = True

    def reset(self, task: str, seed: int) -> RobotState:
        self._require_link()
        return self.twin.reset(task, seed)

    def step(self, action: FloatArray) -> StepReport:
        self._require_link()
        return self.twin.step(action)

    def hold(self) -> StepReport:
        self._require_link()
        return self.twin.hold()

    def state(self) -> RobotState:
        self._require_link()
        return self.twin.state()

    def close(self) -> None:
        self._connected = False
        self.twin.close()

    def _require_link(self) -> None:
        if not self._connected:
            raise RobotError("the twin is not connected", next_step="Call connect() first")


class TwinCamera:
    """``protocols.Camera`` over a twin: every read draws the present state, with its stamp.

    Reading the same state again adds a nanosecond, since stamps of a camera go forward.

    Args:
        twin: shared with a ``TwinRobot``.
        width: of the pictures, pixels.
        height: of the pictures, pixels.
        name: of the camera.
    """

    def __init__(
        self, twin: Twin, width: int = 256, height: int = 256, name: str = "image"
    ) -> None:
        self.twin = twin
        self._size = (width, height)
        self._name = name
        self._open = False
        self._last: tuple[int, int] = (-1, -1)  # stamp of the state, stamp given out

    def open(self) -> None:
        self._open = True

    def read(self, timeout_s: float) -> Frame:  # noqa: ARG002 - a picture never has to be waited for
        if not self._open:
            raise CameraError("the twin's camera is closed", next_step="Call open() first")
        try:
            stamp = self.twin.state().stamp_ns
        except RobotError as error:
            raise CameraError(
                "the twin has nothing to show", next_step="Reset the robot before reading"
            ) from error
        given = self._last[1] + 1 if stamp == self._last[0] else stamp
        self._last = (stamp, given)
        return Frame(self.twin.render(*self._size), given, self._name)

    def close(self) -> None:
        self._open = False

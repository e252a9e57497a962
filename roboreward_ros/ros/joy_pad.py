# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A gamepad or foot pedal at the robot: the topic ``joy`` becomes keys and motions of a console."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from sensor_msgs.msg import Joy

from roboreward_ros.ros.qos import SENSOR
from roboreward_ros.types import FloatArray, SessionView

if TYPE_CHECKING:
    from collections.abc import Mapping

    from roboreward_ros.ros.lifecycle import HostNode

GRIPPER = {"open": 1.0, "close": 0.0}
PRESSED = {"enter": "\n", "space": " "}


class Pad(Protocol):
    """Numbers of axes and buttons and what each does."""

    @property
    def axes(self) -> Mapping[int, str]: ...
    @property
    def buttons(self) -> Mapping[int, str]: ...


class Hands(Protocol):
    """What the pad means, see ``console.hands.HandMap``."""

    @property
    def joy(self) -> Pad: ...

    def velocity(self, deflections: Mapping[str, float]) -> FloatArray: ...

    def beyond_rest(self, value: float) -> float: ...


class JoyPad:
    """See the module's text. Keys are pressed on a thread of its own, since they wait for answers.

    Args:
        node: subscribes.
        hands: what axes and buttons mean.
        press: presses a key of a console, with the state that was seen.
        view: the session's present state.
        move: moves the arm; without effect while the policy has it.
        grip: opens and closes the gripper.
    """

    def __init__(
        self,
        node: HostNode,  # type: ignore[type-arg]
        hands: Hands,
        press: Callable[[str, SessionView], None],
        view: Callable[[], SessionView],
        move: Callable[[FloatArray], None],
        grip: Callable[[float], None],
    ) -> None:
        self._hands = hands
        self._press = press
        self._view = view
        self._move = move
        self._grip = grip
        self._down: set[int] = set()
        self._moving = False
        self._keys: queue.SimpleQueue[tuple[str, SessionView] | None] = queue.SimpleQueue()
        node.create_subscription(Joy, "joy", self._heard, SENSOR)
        self._thread = threading.Thread(target=self._serve, name="pad worker", daemon=True)
        self._thread.start()

    def close(self, timeout_s: float = 2.0) -> None:
        """No more keys; idempotent."""
        self._keys.put(None)
        self._thread.join(timeout_s)

    def _heard(self, joy: Joy) -> None:
        self.feed(list(joy.axes), list(joy.buttons))

    def feed(self, axes: Sequence[float], buttons: Sequence[int]) -> None:
        """Where everything is now."""
        view = self._view()
        push: dict[str, float] = {}
        for k, motion in self._hands.joy.axes.items():
            value = self._hands.beyond_rest(axes[k]) if k < len(axes) else 0.0
            way = motion[:-1] + ("-" if motion.endswith("+") else "+") if value < 0 else motion
            push[way] = max(push.get(way, 0.0), abs(value))
        down = {k for k, value in enumerate(buttons) if value}
        for k, word in self._hands.joy.buttons.items():
            moves = word in GRIPPER or word[-1:] in ("+", "-")
            if k in down and moves:
                push[word] = 1.0
            elif k in down - self._down and not moves:
                self._keys.put((PRESSED.get(word, word), view))
        self._down = down
        velocity = self._hands.velocity(push)
        if self._moving or velocity.any():  # rest is said once: another device may move the arm
            self._move(velocity)
        self._moving = bool(velocity.any())
        for word, opening in GRIPPER.items():
            if word in push:
                self._grip(opening)

    def _serve(self) -> None:
        while (item := self._keys.get()) is not None:
            self._press(*item)

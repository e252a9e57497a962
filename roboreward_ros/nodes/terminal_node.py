# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The operator's console in a terminal; `roboreward console` starts it.

Usage::

    python -m roboreward_ros.nodes.terminal_node --ros-args --disable-stdout-logs
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

from roboreward_ros.console.hands import load_hands
from roboreward_ros.console.terminal import Keyboard, run_terminal
from roboreward_ros.ros.hand import RosHand
from roboreward_ros.ros.joy_pad import JoyPad
from roboreward_ros.ros.lifecycle import HostNode
from roboreward_ros.ros.params import HostConfig, option
from roboreward_ros.ros.session_client import RosSession
from roboreward_ros.ros.spin import run

CLOSE_S = 2.0


@dataclass(frozen=True, slots=True)
class TerminalConfig(HostConfig):
    """Parameters of terminal_node; help texts are the fields' metadata."""

    operator: str = option("", "name that the labels carry")
    hands: str = option("default", "config/hands/<hands>.yaml: what keys, pads and pedals do")


class TerminalNode(HostNode[TerminalConfig]):
    """See the module's text."""

    def __init__(self, **arguments: object) -> None:
        super().__init__("terminal_node", TerminalConfig, **arguments)  # type: ignore[arg-type]
        self._thread: threading.Thread | None = None
        self._pad: JoyPad | None = None
        self._closing = threading.Event()

    def _setup(self) -> None:
        self._closing.clear()
        self._session = RosSession(self)
        hands, hand = load_hands(self.config.hands), RosHand(self)
        self._keyboard = Keyboard(self._session, self.clock, self.config.operator, hand, hands)
        pad = Keyboard(self._session, self.clock, self.config.operator, hand, hands)
        self._pad = JoyPad(self, hands, pad.press, self._session.view, hand.move, hand.grip)
        self._thread = threading.Thread(target=self._serve, name="terminal worker", daemon=True)

    def _start(self) -> None:
        assert self._thread is not None
        self._thread.start()

    def _serve(self) -> None:
        code, reason = 0, "the person left"
        try:
            run_terminal(self._session, self._keyboard, self._closing.is_set)
        except Exception as error:
            code, reason = 1, str(error)
            self.get_logger().error(reason)
        self.stop.set(reason, code=code)

    def _teardown(self) -> None:
        self._closing.set()
        if self._pad is not None:
            self._pad.close()
        if self._thread is not None and self._thread.is_alive():
            self._thread.join(CLOSE_S)
        self._thread = None


def main() -> int:
    return run(TerminalNode)


if __name__ == "__main__":
    raise SystemExit(main())

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The chair of an operator who is a program: hears the session, presses its keys, tells the log."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Protocol

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.parameter import Parameter
from rclpy.parameter_client import AsyncParameterClient
from rclpy.task import Future

from roboreward_ros import msg
from roboreward_ros.ros.convert import session_from_msg
from roboreward_ros.ros.qos import EVENT, LATCHED
from roboreward_ros.srv import Verb
from roboreward_ros.types import SessionView, VerbRequest

if TYPE_CHECKING:
    from roboreward_ros.ros.lifecycle import HostNode

LOOK_S = 0.2
ANSWER_S = 10.0
ENDING = ("label", "hold", "stop", "discard")
"""Keys that end a running episode: its next step waits for that, not for the answer alone."""


class Script(Protocol):
    """Who decides what is pressed."""

    def committed(self, episode: int) -> list[VerbRequest]: ...

    def answered(self) -> None: ...

    def look(self, view: SessionView, now_s: float) -> VerbRequest | None: ...


class SeatLog(Protocol):
    """Who writes down what happened."""

    def pressed(self, text: str) -> None: ...

    def refused(self, text: str) -> None: ...

    def phase(self, text: str) -> None: ...

    def over(self, episode: int) -> None: ...

    def part(self, text: str) -> None: ...


class ScriptedSeat:
    """See the module's text; all in the executor's thread.

    Args:
        node: host, in its ``_setup``.
        script: decides.
        log: is told.
        effect: called when a key has had its effect, or will have none.
        changing: nodes of which a parameter will be set.
    """

    def __init__(
        self,
        node: HostNode,  # type: ignore[type-arg]
        script: Script,
        log: SeatLog,
        effect: Callable[[], None],
        changing: Collection[str] = (),
    ) -> None:
        self._parameters = {name: AsyncParameterClient(node, name) for name in changing}
        self._clock = node.clock
        self._script = script
        self._log = log
        self._effect = effect
        self._view: SessionView | None = None
        self._parts: dict[str, int] = {}
        self._queue: deque[tuple[VerbRequest, bool]] = deque()
        self._busy = False
        self._asked_ns = 0
        self._committed = 0
        self._settle: Callable[[str], None] = lambda _: None
        self._verbs = node.create_client(Verb, "session_node/verb")
        node.create_subscription(msg.SessionState, "session", self._on_session, LATCHED)
        node.create_subscription(DiagnosticArray, "/diagnostics", self._on_health, EVENT)
        node.create_timer(LOOK_S, self._look)

    def press(self, requests: Sequence[VerbRequest], *, scripted: bool = True) -> None:
        """Ask the session, one key after the other's answer.

        Args:
            requests: what to press.
            scripted: the script waits for the answers.
        """
        self._queue.extend((request, scripted) for request in requests)
        self._next()

    def set_parameter(self, node: str, name: str, value: object) -> None:
        """Set a parameter of another node, and tell the log what it says to that."""
        what = f"{node}: {name} set to {value}"
        client = self._parameters[node]
        if not client.services_are_ready():
            self._told(f"{what}: it is not there")
            return

        def answered(future: Future) -> None:
            if future.exception() is not None:
                self._told(f"{what}: no answer")
                return
            (result,) = future.result().results
            said = "taken" if result.successful else f"refused: {result.reason}"
            self._told(f"{what}: {said}")

        client.set_parameters([Parameter(name, value=value)]).add_done_callback(answered)

    def _told(self, text: str) -> None:
        self._log.part(text)
        self._effect()

    def _next(self) -> None:
        if self._queue and not self._busy:
            self._busy = True
            self._ask(*self._queue.popleft())

    def _ask(self, request: VerbRequest, scripted: bool) -> None:
        what = " ".join(filter(None, (request.verb, request.text, request.episode_id)))
        self._log.pressed(what)
        self._asked_ns = asked_ns = self._clock.steady_ns()

        def settled(problem: str) -> None:
            if not self._busy or self._asked_ns != asked_ns:
                return  # it was given up
            self._busy = False
            if scripted:
                self._script.answered()
            if problem and scripted:
                self._log.refused(f"{what}: {problem}")
            if problem or request.verb not in ENDING:
                self._effect()
            self._next()

        def answered(future: Future) -> None:
            settled(future.result().error_msg if future.exception() is None else "no answer")

        self._settle = settled
        if not self._verbs.service_is_ready():
            settled("session_node is not there")
            return
        words = Verb.Request(verb=request.verb, text=request.text, episode_id=request.episode_id)
        words.operator_name = request.operator
        self._verbs.call_async(words).add_done_callback(answered)

    def _look(self) -> None:
        if self._busy and self._clock.steady_ns() - self._asked_ns > ANSWER_S * 1e9:
            self._settle(f"no answer within {ANSWER_S:g} s")
        if self._view is not None:
            request = self._script.look(self._view, self._clock.steady_ns() * 1e-9)
            if request is not None:
                self.press([request], scripted=False)

    def _on_session(self, state: msg.SessionState) -> None:
        before, self._view = self._view, session_from_msg(state)
        if before is None or (before.phase, before.message) != (state.phase, state.message):
            self._log.phase(f"{state.phase}: {state.message}")
        # Its own count: before it knows of an episode's end, a key would bring that end about.
        while self._committed < int(state.committed):
            self._log.over(self._committed)
            self.press(self._script.committed(self._committed))
            self._committed += 1

    def _on_health(self, array: DiagnosticArray) -> None:
        for status in array.status:
            level = int.from_bytes(status.level, "little")
            if level != self._parts.get(status.name, 0):
                well = "well again: " if level == 0 else ""
                self._log.part(f"{status.name}: {well}{status.message}")
            self._parts[status.name] = level

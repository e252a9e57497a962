# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How the session is, in one word with reasons; calls a person when one is needed.

Usage::

    python -m roboreward_ros.nodes.health_node --ros-args -p run_dir:=runs/first

Subscribes ``/diagnostics`` and ``session``; publishes the latched ``health`` (the state first, then
each reason with when it began and what to do), appends what came and went to
``run_dir/logs/health.jsonl``, and runs the hooks; a hook that fails is a reason, too. A process of
its own: it must be there to say that another one is not. It leaves with its launcher: where that
died or gave up, its last act is a page about it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from diagnostic_msgs.msg import DiagnosticArray

import roboreward_ros.msg as msg
from roboreward_ros.errors import ConfigError
from roboreward_ros.processes import launch_id
from roboreward_ros.ros.convert import session_from_msg
from roboreward_ros.ros.diagnostics import health_to_msg
from roboreward_ros.ros.lifecycle import HostNode
from roboreward_ros.ros.params import HostConfig, option
from roboreward_ros.ros.qos import EVENT, LATCHED
from roboreward_ros.ros.spin import run
from roboreward_ros.session.health import HealthBoard, HealthConfig, HealthEvent
from roboreward_ros.session.health_log import HealthLog
from roboreward_ros.session.health_session import of_notice, of_phase
from roboreward_ros.session.launch_end import end_to_tell, read_ends
from roboreward_ros.session.pager import Pager, PagerConfig
from roboreward_ros.types import HealthLevel, HealthView

PERIOD_S = 1.0
PAGE_LEVELS = {"warn": HealthLevel.WARN, "error": HealthLevel.STALE}
"""From which level on a person is called; an error and a part that fell silent rank above."""
SESSION = "session_node"
LAST_S = 8.0
"""For the last page: ends before either front end kills what does not stop."""
LAST_WORDS = (
    "ERROR launch: {reason}, and nobody asked for that. The nodes hold the arm and leave by "
    "themselves. Look at the arm and the machine; the same command goes on with the run."
)


@dataclass(frozen=True, slots=True)
class HealthNodeConfig(HostConfig):
    """Parameters of health_node; help texts are the fields' metadata."""

    rise_s: float = option(5.0, "trouble for so long becomes a reason, s")
    clear_s: float = option(15.0, "health for so long ends it, s")
    silent_s: float = option(10.0, "a part is silent after so long, s")
    idle_s: float = option(600.0, "a robot that waits for a person for so long is a reason; 0: no")
    page_command: str = option("", "program that calls a person; the words are on its input")
    page_url: str = option("", "web hook that calls a person, a POST of JSON with a text")
    page_every_s: float = option(300.0, "shortest time between two pages, s")
    page_level: str = option("error", "call from here on: error, or warn")

    def __post_init__(self) -> None:
        HostConfig.__post_init__(self)
        if self.page_level not in PAGE_LEVELS:
            raise ConfigError("page_level", got=self.page_level, allowed=tuple(PAGE_LEVELS))
        if not 0.0 <= self.idle_s <= 86400.0:
            raise ConfigError("idle_s", got=self.idle_s, allowed="0..86400")
        self.board()
        self.pager()

    def board(self) -> HealthConfig:
        """When trouble counts."""
        return HealthConfig(self.rise_s, self.clear_s, self.silent_s)

    def pager(self) -> PagerConfig:
        """Whom to call."""
        return PagerConfig(self.page_command, self.page_url, self.page_every_s, self.run_dir)


class HealthNode(HostNode[HealthNodeConfig]):
    """See the module's text."""

    def __init__(self, **arguments: object) -> None:
        super().__init__("health_node", HealthNodeConfig, **arguments)  # type: ignore[arg-type]
        self._pager: Pager | None = None

    def _setup(self) -> None:
        config = self.config
        self._board = HealthBoard(config.board(), self.clock, self._changed)
        self._log = HealthLog(Path(config.run_dir))
        self._phase, self._since_ns = "", 0
        self._pager = Pager(config.pager(), self.clock, self.get_logger().warning)
        self._health = self.create_publisher(DiagnosticArray, "health", LATCHED)
        self.create_subscription(DiagnosticArray, "/diagnostics", self._on_parts, EVENT)
        self.create_subscription(msg.SessionState, "session", self._on_session, LATCHED)
        self.create_timer(PERIOD_S, self._look)

    def _stop(self, reason: str) -> None:
        if self._pager is None:
            return
        if not self.stop.orphaned:
            ends = read_ends(Path(self.config.run_dir))
            end = end_to_tell(ends, launch_id(), self.config.page_every_s)
            reason = end.words if end is not None else ""
        if reason:
            self._pager.say_last(LAST_WORDS.format(reason=reason))
            self._pager.close(LAST_S)
            self._pager = None

    def _teardown(self) -> None:
        if self._pager is not None:
            self._pager.close()
        self._pager = None

    def _on_parts(self, array: DiagnosticArray) -> None:
        own = self.get_namespace().strip("/")
        for status in array.status:
            name, _, part = status.name.partition(": ")
            namespace, _, node = name.rpartition("/")
            number = int.from_bytes(status.level, "little")
            if namespace == own and part and number in list(HealthLevel):
                self._board.heard(node, part, HealthLevel(number), status.message)

    def _on_session(self, state: msg.SessionState) -> None:
        view, now_ns = session_from_msg(state), self.clock.steady_ns()
        if view.phase != self._phase:
            self._phase, self._since_ns = view.phase, now_ns
        phase_s = (now_ns - self._since_ns) * 1e-9
        said = of_phase(view, phase_s, self.config.idle_s)
        self._board.heard(SESSION, "session", said.level, said.what, said.do)
        said = of_notice(view)
        self._board.heard(SESSION, "alarm", said.level, said.what, said.do)

    def _look(self) -> None:
        if self._pager is None:
            return
        for way, problem in self._pager.problems.items():
            level = HealthLevel.ERROR if problem else HealthLevel.OK
            self._board.heard(self.get_name(), f"pager {way}", level, problem or "works again")
        view = self._board.view()
        self._health.publish(health_to_msg(view, self.clock.now_ns()))
        self._pager.look(self._page(view))

    def _page(self, view: HealthView) -> str:
        """Why a person is to be called; the same words as long as it is the same trouble."""
        from_rank = PAGE_LEVELS[self.config.page_level].rank
        urgent = [reason for reason in view.reasons if reason.level.rank >= from_rank]
        return "\n".join(f"{r.level.name} {r.name}: {r.what}. {r.do}" for r in urgent)

    def _changed(self, event: HealthEvent) -> None:
        reason = event.reason
        if event.raised:
            self.get_logger().warning(f"{reason.level.name} {reason.name}: {reason.what}")
        else:
            self.get_logger().info(f"{reason.name} is well again")
        if problem := self._log.add(event):
            self.get_logger().warning(problem, throttle_duration_sec=60.0)


CONFIG = HealthNodeConfig


def main() -> int:
    return run(HealthNode)


if __name__ == "__main__":
    raise SystemExit(main())

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""``/diagnostics`` once a second: what a person looks at first when something is wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

from roboreward_ros.ros.convert.stamps import header
from roboreward_ros.ros.qos import EVENT
from roboreward_ros.types import HealthLevel, HealthReason, HealthView

if TYPE_CHECKING:
    from roboreward_ros.ros.lifecycle import HostNode

PERIOD_S = 1.0


class Level(IntEnum):
    """How bad it is, by the numbers of diagnostic_msgs."""

    OK = 0
    WARN = 1
    ERROR = 2
    STALE = 3


@dataclass(frozen=True, slots=True)
class Health:
    """State of one part.

    Attributes:
        level: how bad.
        message: one line for people.
        values: figures with their unit in the name, such as ``jitter_p99_ms``.
    """

    level: Level
    message: str
    values: Mapping[str, str | float | int] = field(default_factory=dict)


class Diagnostics:
    """Publishes the health of the parts of one node; make it in ``_setup``.

    Args:
        node: host; its timer and publisher are destroyed with its other entities.
        parts: REP-107 style part name -> what tells its health; called in the executor's thread
            and therefore quick.
        hardware_id: serial number or profile, "" for software.
    """

    def __init__(
        self,
        node: HostNode,  # type: ignore[type-arg]
        parts: Mapping[str, Callable[[], Health]],
        hardware_id: str = "",
    ) -> None:
        self._node = node
        self._parts = dict(parts)
        self._hardware_id = hardware_id
        self._publisher = node.create_publisher(DiagnosticArray, "/diagnostics", EVENT)
        self._timer = node.create_timer(PERIOD_S, self.publish)

    def publish(self) -> None:
        """Ask every part and publish; a part that raises is itself an error."""
        message = DiagnosticArray(header=header(self._node.clock.now_ns()))
        message.status = [self._status(name, ask) for name, ask in self._parts.items()]
        self._publisher.publish(message)

    def _status(self, name: str, ask: Callable[[], Health]) -> DiagnosticStatus:
        try:
            health = ask()
        except Exception as error:
            health = Health(Level.ERROR, f"no diagnosis: {error}")
        status = DiagnosticStatus(
            name=f"{self._node.get_fully_qualified_name().lstrip('/')}: {name}",
            message=health.message,
            hardware_id=self._hardware_id,
        )
        status.level = _byte(health.level)
        status.values = [
            KeyValue(key=key, value=f"{value:.6g}" if isinstance(value, float) else str(value))
            for key, value in health.values.items()
        ]
        return status


SINCE, DO = "since_ns", "do"
MOST_DIGITS = 19
"""Of nanoseconds in 63 bits; Python refuses to read numbers of thousands."""


def health_to_msg(view: HealthView, stamp_ns: int, name: str = "health") -> DiagnosticArray:
    """The state first, under ``name``, then its reasons with when they began and what to do."""
    message = DiagnosticArray(header=header(stamp_ns))
    whole = DiagnosticStatus(name=name, message=view.headline or "well", level=_byte(view.level))
    message.status = [whole, *(_reason_to_status(reason) for reason in view.reasons)]
    return message


def health_from_msg(message: DiagnosticArray) -> HealthView:
    """The inverse; a message without a status is a state that nobody knows."""
    if not message.status:
        return HealthView()
    whole, *reasons = message.status
    return HealthView(_level(whole), tuple(_reason_from_status(status) for status in reasons))


def _byte(level: int) -> bytes:
    return bytes([level])


def _level(status: DiagnosticStatus) -> HealthLevel:
    number = int.from_bytes(status.level, "little")
    return HealthLevel(number) if number in list(HealthLevel) else HealthLevel.STALE


def _reason_to_status(reason: HealthReason) -> DiagnosticStatus:
    status = DiagnosticStatus(name=reason.name, message=reason.what, level=_byte(reason.level))
    values = {SINCE: str(reason.since_ns), DO: reason.do}
    status.values = [KeyValue(key=key, value=value) for key, value in values.items()]
    return status


def _reason_from_status(status: DiagnosticStatus) -> HealthReason:
    node, _, part = status.name.partition(": ")
    values = {value.key: value.value for value in status.values}
    since = values.get(SINCE, "0")
    since_ns = int(since) if since.isdecimal() and len(since) <= MOST_DIGITS else 0
    what, do = str(status.message), str(values.get(DO, ""))
    return HealthReason(node, part, _level(status), what, since_ns, do)

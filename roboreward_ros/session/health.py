# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From what every part says of itself, and from silence, to one state with reasons.

Nobody is called for a blip: a part must have been in trouble for a while before it becomes a
reason, and well for longer before it ceases to be one. A part that is in trouble now and then is
in trouble: short spells of health in between do not start its time anew. Trouble that was milder
for as long as health must last becomes a milder reason; nobody is called for that. One thread uses
it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from roboreward_ros.clock import Clock
from roboreward_ros.errors import ConfigError
from roboreward_ros.types import HealthLevel, HealthReason, HealthView

_NS = 1e9
REMEDIES: Mapping[str, str] = {
    "camera": "Look at its cable and light; roboreward doctor --robot tests it.",
    "link": "Look at the arm's power and cable, and whether its driver runs.",
    "arm": "Look at the arm; then call robot_node/clear_fault or release.",
    "beat": "Look whether policy_node answers in time; see its log.",
    "twin": "The session tries again; see its log.",
    "recorder": "Look at the disk of run_dir; see its log.",
    "disk": "Free space, or move episodes that are exported.",
    "reward": "Look at the source's process or endpoint; another one can be set from the console.",
    "learner": "See its log; episodes are kept and learned from later.",
    "policy": "Look whether pictures and states arrive; see its log.",
    "session": "Look at the console.",
    "pager": "Look at page_command, page_url and the network; it is tried again by itself.",
}
"""What to do about a part, by the first word of its name."""
SILENT = "A node that ended is started again; one that hangs must be killed: logs/{node}.log."


@dataclass(frozen=True, slots=True)
class HealthConfig:
    """When trouble counts.

    Attributes:
        rise_s: trouble for so long becomes a reason.
        clear_s: health for so long ends it.
        silent_s: a part that was heard of before is silent after so long.
    """

    rise_s: float = 5.0
    clear_s: float = 15.0
    silent_s: float = 10.0

    def __post_init__(self) -> None:
        for name in ("rise_s", "clear_s", "silent_s"):
            if not 0.0 <= getattr(self, name) <= 3600.0:
                raise ConfigError(name, got=getattr(self, name), allowed="0..3600")


@dataclass(slots=True)
class _Part:
    """One part: what it said last, and since when it is in or out of trouble (steady ns)."""

    level: HealthLevel
    what: str
    do: str
    heard_ns: int
    bad_ns: int | None = None
    bad_stamp_ns: int = 0
    good_ns: int | None = None
    milder_ns: int | None = None
    reason: HealthReason | None = None


@dataclass(frozen=True, slots=True)
class HealthEvent:
    """A reason that came up or went away.

    Attributes:
        stamp_ns: when, ns since the epoch.
        raised: False: the part is well again.
        reason: what it is or was.
    """

    stamp_ns: int
    raised: bool
    reason: HealthReason


class HealthBoard:
    """See the module's text.

    Args:
        config: when trouble counts.
        clock: steady for durations, wall for stamps.
        changed: told of every reason that comes up, gets worse, or goes.
    """

    def __init__(
        self, config: HealthConfig, clock: Clock, changed: Callable[[HealthEvent], None]
    ) -> None:
        self._config = config
        self._clock = clock
        self._changed = changed
        self._parts: dict[tuple[str, str], _Part] = {}

    def heard(
        self, node: str, part: str, level: HealthLevel, what: str, do: str = "",
    ) -> None:  # fmt: skip
        """A part speaks.

        Args:
            node: process.
            part: of the node.
            level: how bad.
            what: one line.
            do: what a person should do; "" for what ``REMEDIES`` or the node's log says.
        """
        do = (
            do
            or REMEDIES.get(part.split(" ")[0], "")
            or f"See logs/{node.rsplit('/', 1)[-1]}.log of the run."
        )
        now_ns = self._clock.steady_ns()
        known = self._parts.setdefault((node, part), _Part(level, what, do, now_ns))
        known.level, known.what, known.do, known.heard_ns = level, what, do, now_ns

    def view(self) -> HealthView:
        """The state now; called about once a second."""
        for key, part in self._parts.items():
            self._judge(key, part)
        reasons = [part.reason for part in self._parts.values() if part.reason is not None]
        reasons.sort(key=lambda reason: (-reason.level.rank, reason.since_ns))
        if not self._parts:
            return HealthView()
        level = reasons[0].level if reasons else HealthLevel.OK
        return HealthView(level, tuple(reasons))

    def _judge(self, key: tuple[str, str], part: _Part) -> None:
        config, now_ns = self._config, self._clock.steady_ns()
        level, what, do = part.level, part.what, part.do
        if now_ns - part.heard_ns > config.silent_s * _NS:
            level, what, do = HealthLevel.STALE, "silent", SILENT.format(node=key[0])
        milder = part.reason is not None and level.rank < part.reason.level.rank
        began_ns = now_ns if part.milder_ns is None else part.milder_ns
        part.milder_ns = began_ns if milder else None
        if level is HealthLevel.OK:
            part.good_ns = now_ns if part.good_ns is None else part.good_ns
            if now_ns - part.good_ns >= config.clear_s * _NS:
                if part.reason is not None:
                    self._tell(part.reason, raised=False)
                part.bad_ns = part.reason = None
            return
        part.good_ns = None
        if part.bad_ns is None:
            part.bad_ns, part.bad_stamp_ns = now_ns, self._clock.now_ns()
        if now_ns - part.bad_ns < config.rise_s * _NS:
            return
        if part.reason is None or level.rank > part.reason.level.rank:
            part.reason = HealthReason(*key, level, what, part.bad_stamp_ns, do)
            self._tell(part.reason, raised=True)
        elif milder and now_ns - began_ns >= config.clear_s * _NS:
            part.reason, part.milder_ns = replace(part.reason, level=level, what=what, do=do), None

    def _tell(self, reason: HealthReason, *, raised: bool) -> None:
        self._changed(HealthEvent(self._clock.now_ns(), raised, reason))

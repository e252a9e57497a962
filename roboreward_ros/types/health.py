# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One word on how a session is, and why."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class HealthLevel(IntEnum):
    """How bad it is, by the numbers of diagnostic_msgs."""

    OK = 0
    WARN = 1
    ERROR = 2
    STALE = 3

    @property
    def rank(self) -> int:
        """Order of urgency: an error that is said comes before silence."""
        return {0: 0, 1: 1, 3: 2, 2: 3}[int(self)]


@dataclass(frozen=True, slots=True)
class HealthReason:
    """Why a session is not well.

    Attributes:
        node: process that it is about.
        part: of the node.
        level: how bad.
        what: one line for people, as it was when the reason came up.
        since_ns: when it began, ns since the epoch.
        do: what a person should do.
    """

    node: str
    part: str
    level: HealthLevel
    what: str
    since_ns: int
    do: str

    @property
    def name(self) -> str:
        """Node and part."""
        return f"{self.node}: {self.part}"


@dataclass(frozen=True, slots=True)
class HealthView:
    """The health of a session.

    Attributes:
        level: of the worst reason; OK without any, STALE while nothing has been heard.
        reasons: the worst first, among equals the oldest.
    """

    level: HealthLevel = HealthLevel.STALE
    reasons: tuple[HealthReason, ...] = ()

    @property
    def headline(self) -> str:
        """One line: the worst reason and what to do about it; "" where all is well."""
        if not self.reasons:
            return "" if self.level is HealthLevel.OK else "nothing has been heard yet"
        first, more = self.reasons[0], len(self.reasons) - 1
        others = f" (and {more} more)" if more else ""
        return f"{first.name}: {first.what}{others}. {first.do}"

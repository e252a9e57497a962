# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How many updates an episode is worth in real time: more while the robot stands still anyway.

The quota of an episode stays what the configuration says. Where the session reports idle time
(reset, reward, operator), updates that fit into it are added; where episodes that were committed
under this process wait for the updates of older ones, those are dropped, since a robot never waits
for the learner. With ``speed:=max`` none of this runs: there a run must not depend on the machine.
"""

from __future__ import annotations

from dataclasses import dataclass

from roboreward_ros.errors import ConfigError


@dataclass(frozen=True, slots=True)
class PacingConfig:
    """Limits.

    Attributes:
        most: largest number of updates an episode may get, in quotas.
        share: of the idle time that may be used; the rest is left to the other processes.
        backlog: episodes that may wait before updates of older ones are dropped.
    """

    most: float = 3.0
    share: float = 0.5
    backlog: int = 2

    def __post_init__(self) -> None:
        if self.most < 1 or not 0 <= self.share <= 1 or self.backlog < 1:
            raise ConfigError(
                "pacing of the updates",
                got=f"most {self.most}, share {self.share}, backlog {self.backlog}",
                allowed="most and backlog 1 or more, share in [0, 1]",
            )


class Pacing:
    """One thread uses it.

    Args:
        config: limits.
    """

    def __init__(self, config: PacingConfig | None = None) -> None:
        self._config = config or PacingConfig()
        self._idle_s = self._seen_s = 0.0
        self._committed = self._before = -1
        self._called_for = 0

    def session(self, idle_s: float, committed: int) -> None:
        """What the session reports.

        Args:
            idle_s: reset, reward and operator time of the run; motion and fault do not count.
            committed: episodes of the run.
        """
        if not committed and not idle_s:
            return  # no session was heard of
        if self._before < 0:  # what lies there at the start is learnt in full
            self._before, self._seen_s = committed, idle_s
        self._idle_s, self._committed = idle_s, committed

    def grant(self, episodes: int, called_for: int, owed: int, updates_per_s: float) -> int:
        """Updates to add to what is owed; negative ones are to be dropped.

        Args:
            episodes: taken in so far.
            called_for: updates that episodes have called for under this process, by their quotas.
            owed: updates not done yet.
            updates_per_s: measured rate; 0 while unknown.
        """
        if self._before < 0:
            return 0
        config = self._config
        if self._committed - max(self._before, episodes) > config.backlog:
            return -owed
        fresh, self._called_for = called_for - self._called_for, called_for
        if fresh <= 0 or updates_per_s <= 0:
            return 0
        idle_s, self._seen_s = self._idle_s - self._seen_s, self._idle_s
        fits = int(config.share * max(0.0, idle_s) * updates_per_s)
        return max(0, min(fits - owed, int((config.most - 1) * fresh)))

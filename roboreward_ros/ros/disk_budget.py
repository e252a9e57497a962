# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Parameters of a node that keeps a run within the disk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from roboreward_ros.errors import ConfigError
from roboreward_ros.ros.diagnostics import Health, Level
from roboreward_ros.ros.params import HostConfig, option

NEEDS = ("learned", "exported", "both")


@dataclass(frozen=True, slots=True)
class DiskBudgetConfig(HostConfig):
    """See ``episodes.retention``; help texts are the fields' metadata."""

    min_free_mb: int = option(200, "free space below which no episode is begun, MB")
    disk_budget_gb: float = option(0.0, "the run may take so much before pictures go, GB; 0: any")
    keep_pictures: int = option(50, "newest episodes that keep their pictures whatever happens")
    pictures_need: str = option("learned", "before pictures may go: learned, exported or both")

    def __post_init__(self) -> None:
        HostConfig.__post_init__(self)
        if self.disk_budget_gb < 0 or self.keep_pictures < 0:
            raise ConfigError(
                "disk_budget_gb or keep_pictures",
                got=f"{self.disk_budget_gb:g}, {self.keep_pictures}",
                allowed="0 or more",
            )
        if self.pictures_need not in NEEDS:
            raise ConfigError("pictures_need", got=self.pictures_need, allowed=NEEDS)

    @property
    def budget_bytes(self) -> int:
        """The budget in bytes; 0: none."""
        return round(self.disk_budget_gb * 1e9)


def disk_health(report: Callable[[], tuple[int, int, int, str]]) -> Health:
    """Of a run's disk.

    Args:
        report: bytes of the run, bytes free, episodes whose pictures went, what is wrong.
    """
    run, free, removed, problem = report()
    values = {"run_gb": run / 1e9, "free_gb": free / 1e9, "pictures_removed": removed}
    level = Level.WARN if problem else Level.OK
    return Health(level, problem or f"{free / 1e9:.1f} GB free", values)

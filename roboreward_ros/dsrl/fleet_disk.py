# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The disk of a learner's host: room for its own files, and a budget for the mirrors of the arms.

Pictures of a mirror go by the rule of ``episodes.retention``: only those that were scored and that
the learner's checkpoint holds, oldest first, noted before they go.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from roboreward_ros.episodes.housekeeping import Housekeeper
from roboreward_ros.episodes.retention import RetentionConfig
from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.errors import ConfigError, StoreError


@dataclass(frozen=True, slots=True)
class FleetDiskConfig:
    """What the disk is for.

    Attributes:
        min_free_bytes: below it no episodes are taken in; the rest is for checkpoints and actors.
        budget_bytes: that the mirrors may take together, in equal shares; 0 sets none.
        keep_newest: newest episodes of each arm that keep their pictures there.
    """

    min_free_bytes: int = 500_000_000
    budget_bytes: int = 0
    keep_newest: int = 0

    def __post_init__(self) -> None:
        given = (self.min_free_bytes, self.budget_bytes, self.keep_newest)
        if min(given) < 0:
            raise ConfigError("free space, budget or newest", got=str(given), allowed="0 or more")


class FleetDisk:
    """See the module's text; ``refusal`` may be asked by any thread, the rest by one.

    Args:
        root: the learner's folder.
        config: see ``FleetDiskConfig``.
    """

    def __init__(self, root: Path, config: FleetDiskConfig) -> None:
        self._root = root
        self._config = config
        self._saved: dict[str, Collection[str]] = {}
        self._keepers: dict[str, Housekeeper] = {}

    def refusal(self) -> str:
        """Why no episode is taken in now; "" while there is room."""
        free, least = shutil.disk_usage(self._root).free, self._config.min_free_bytes
        if free >= least:
            return ""
        return (
            f"the learner's disk is full: {free / 1e9:.3g} GB are free, no episode is taken in "
            f"below {least / 1e9:.3g} GB"
        )

    def require_room(self) -> None:
        """Raise StoreError while no episode is taken in."""
        if refusal := self.refusal():
            raise StoreError(
                refusal, next_step="Free space there; robots keep their episodes and send them."
            )

    def keep(self, arms: Mapping[str, Path], saved: Mapping[str, Collection[str]]) -> str:
        """Hold the mirrors to their budget.

        Args:
            arms: name -> mirror.
            saved: name -> episodes that the checkpoint on disk holds.

        Returns:
            Why it is not met, by arm; "" where it is.

        Raises:
            RoboRewardError, OSError: a mirror cannot be read or written.
        """
        if not self._config.budget_bytes:
            return ""
        self._saved = dict(saved)
        if arms.keys() != self._keepers.keys():
            self._keepers = {name: self._keeper(name, arms) for name in arms}
        for keeper in self._keepers.values():
            keeper.look()
        problems = {name: keeper.state.problem for name, keeper in self._keepers.items()}
        return "; ".join(f"{name}: {problem}" for name, problem in problems.items() if problem)

    def _keeper(self, arm: str, arms: Mapping[str, Path]) -> Housekeeper:
        share = self._config.budget_bytes // len(arms)
        config = RetentionConfig(share, self._config.keep_newest)
        return Housekeeper(EpisodeStore(arms[arm]), config, lambda: self._saved.get(arm, ()))

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""An episode that waits for its score, and how long it does."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TypeAlias

from roboreward_ros.errors import ConfigError
from roboreward_ros.protocols import EpisodeReader
from roboreward_ros.types import LabelRecord

Wanted: TypeAlias = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class RetryConfig:
    """Pauses before an unlabelled episode is tried again, steady seconds.

    Attributes:
        first_s: after the first failure; doubled each time.
        longest_s: never more while the source is away.
        aside_s: of an episode that fails while others are answered; doubled each time.
        catch_up_s: that a fresh answer waits for older episodes at most.
    """

    first_s: float = 1.0
    longest_s: float = 60.0
    aside_s: float = 600.0
    catch_up_s: float = 10.0

    def __post_init__(self) -> None:
        if self.catch_up_s <= 0:
            raise ConfigError("catch_up_s", got=self.catch_up_s, allowed="above 0")
        if not 0 < self.first_s <= self.longest_s <= self.aside_s:
            raise ConfigError(
                "pauses of the retries do not fit together",
                got=f"{self.first_s:g}, {self.longest_s:g}, {self.aside_s:g} s",
                allowed="0 < first_s <= longest_s <= aside_s",
            )


@dataclass(slots=True, eq=False)
class Job:
    """One episode and whoever asked for it."""

    episode_id: str
    force: bool = False
    wanted: Wanted = lambda: True
    ticket: Future[LabelRecord | None] | None = None
    reader: EpisodeReader | None = None
    due_ns: int = 0  # of one that stepped aside
    strikes: int = 0

    def resolve(self, record: LabelRecord | None) -> None:
        ticket, self.ticket = self.ticket, None  # answered once
        if ticket is not None:
            ticket.set_result(record)


def always() -> bool:
    return True

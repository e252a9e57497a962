# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How a source is named on the command line: ``KIND:PATH?key=value&key=value``."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from roboreward_ros.errors import ConfigError

EDGES = (12.5, 37.5, 62.5, 87.5)
"""Between the levels 1 | 2 | 3 | 4 | 5, in percent of progress: the nearest of r = (level - 1) / 4.

RoboReward bins RoboArena's scores but does not publish the edges.
"""


@dataclass(slots=True)
class Options:
    """What was said about a source; every option must be used, else it is misspelt.

    Attributes:
        kind: which reader.
        path: of the data.
        values: options by name.
    """

    kind: str
    path: Path
    values: dict[str, str]
    used: set[str] = field(default_factory=set)

    @classmethod
    def parse(cls, text: str) -> Options:
        """Take a source's name apart.

        Raises:
            ConfigError: it has no kind, or an option without a value.
        """
        kind, colon, rest = text.partition(":")
        if not colon or not rest:
            raise ConfigError(
                "a source needs its kind",
                got=text,
                allowed="KIND:PATH, such as rlds:/data/bridge_dataset/1.0.0 or run:runs/demo",
            )
        path, _, tail = rest.partition("?")
        values = {}
        for part in filter(None, tail.split("&")):
            key, equals, value = part.partition("=")
            if not equals or not value:
                raise ConfigError(f"an option of '{text}'", got=part, allowed="key=value")
            values[key] = value
        return cls(kind, Path(path), values)

    def text(self, key: str, default: str = "") -> str:
        self.used.add(key)
        return self.values.get(key, default)

    def number(self, key: str, default: float) -> float:
        """A positive number."""
        text = self.text(key)
        try:
            value = float(text) if text else default
        except ValueError:
            value = math.nan
        if text and not (math.isfinite(value) and value > 0):
            raise ConfigError(f"option {key} of {self.kind}", got=text, allowed="a number above 0")
        return value

    def level(self, key: str, default: int) -> int:
        text = self.text(key)
        if text and text not in ("1", "2", "3", "4", "5"):
            raise ConfigError(f"option {key} of {self.kind}", got=text, allowed="1..5")
        return int(text) if text else default

    def switch(self, key: str, default: bool) -> bool:
        text = self.text(key)
        if text not in ("", "true", "false"):
            raise ConfigError(f"option {key} of {self.kind}", got=text, allowed="true, false")
        return text == "true" if text else default

    def edges(self) -> tuple[float, ...]:
        """Bin edges in percent: four, ascending."""
        text = self.text("edges")
        try:
            found = tuple(float(part) for part in text.split(",")) if text else EDGES
        except ValueError:
            found = ()
        if (
            len(found) != 4
            or list(found) != sorted(set(found))
            or not 0 < found[0] < found[3] <= 100
        ):
            raise ConfigError(
                f"option edges of {self.kind}",
                got=text,
                allowed="four ascending percentages, such as 12.5,37.5,62.5,87.5",
            )
        return found

    def finish(self) -> None:
        """Raise ConfigError if an option was given that the reader does not know."""
        unknown = sorted(set(self.values) - self.used)
        if unknown:
            raise ConfigError(
                f"unknown options of {self.kind}", got=unknown, allowed=sorted(self.used)
            )


def binned(percent: float, edges: Sequence[float]) -> int:
    """Level 1..5 of a progress in percent; an edge belongs to the level above it."""
    return 1 + sum(percent >= edge for edge in edges)


def show_edges(edges: Sequence[float]) -> str:
    """Edges as a person reads them."""
    bounds = ["0", *(f"{edge:g}" for edge in edges), "100"]
    return ", ".join(
        f"{level}: {low}-{high} %"
        for level, (low, high) in enumerate(itertools.pairwise(bounds), 1)
    )

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The card of a data set of labelled videos, as the Hub shows it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from roboreward_ros.episodes.exchange.labelled_layout import SPLITS

README = "README.md"
SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
HEAD = """\
---
license: {license}
pretty_name: {title}
task_categories:
- video-classification
tags:
- robotics
- reward-model
size_categories:
- {size}
configs:
- config_name: default
  data_files:
{files}
---

# {title}

Videos with a task and a reward 1..5 for the state at their end: {rows} rows of {videos} videos.

| split | rows | 1 | 2 | 3 | 4 | 5 |
|---|---|---|---|---|---|---|
{table}

| source | rows |
|---|---|
{sources}
"""
COLUMNS = """
`file_name`, `task` and `reward` are RoboReward's columns. Rows with one `video_sha256` show one
video, or parts of it, and lie in one split.
"""


@dataclass(slots=True)
class Census:
    """What a data set holds, counted row by row.

    Attributes:
        levels: rows by split and reward.
        sources: rows by source.
        videos: different videos.
        rows: all rows.
    """

    levels: dict[str, Counter[int]] = field(default_factory=dict)
    sources: Counter[str] = field(default_factory=Counter)
    videos: set[bytes] = field(default_factory=set)
    rows: int = 0

    def add(self, split: str, reward: int, source: str, sha256: str) -> None:
        """Count a row."""
        self.levels.setdefault(split, Counter())[reward] += 1
        self.sources[source] += 1
        self.videos.add(bytes.fromhex(sha256[:16]))
        self.rows += 1


def make_card(
    census: Census,
    title: str,
    origins: Iterable[str],
    facts: Mapping[str, object],
    license_name: str = "other",
) -> str:
    """A card with a head that the Hub reads, counts, and where everything is from.

    Args:
        census: what is in the data set.
        title: its name.
        origins: a line for each source.
        facts: how it was made, by name.
        license_name: as the Hub spells it.
    """
    splits = [split for split in SPLITS if split in census.levels]
    size = next((name for bound, name in SIZES if census.rows < bound), "n>1M")
    text = HEAD.format(
        license=license_name,
        title=title,
        size=size,
        files="\n".join(f"  - split: {_hub(name)}\n    path: {name}/**" for name in splits),
        rows=census.rows,
        videos=len(census.videos),
        table="\n".join(_line(name, census.levels[name]) for name in splits),
        sources="\n".join(f"| {k} | {n} |" for k, n in sorted(census.sources.items())),
    )
    lines = [f"- {line}" for line in (*origins, *(f"{k}: {v}" for k, v in facts.items()))]
    return text + COLUMNS + "\nMade by roboreward_ros:\n\n" + "\n".join(lines) + "\n"


def _hub(split: str) -> str:
    return {"val": "validation"}.get(split, split)


def _line(split: str, levels: Mapping[int, int]) -> str:
    counts: Sequence[int] = [levels.get(level, 0) for level in range(1, 6)]
    return f"| {split} | {sum(counts)} | " + " | ".join(map(str, counts)) + " |"

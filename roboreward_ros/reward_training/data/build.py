# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Writes clips of many sources into one folder in RoboReward's layout.

Every finished video is noted in a journal before the next one begins, so a killed run goes on where
it stopped and ends with the same tables; those are replaced in one stroke at the end.
"""

from __future__ import annotations

import heapq
import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Self

from roboreward_ros.episodes.exchange.labelled_layout import (
    METADATA,
    SPLITS,
    Fault,
    OnProblem,
    Problem,
    stop,
)
from roboreward_ros.errors import ConfigError, FormatError, StoreError
from roboreward_ros.files import write_atomic
from roboreward_ros.reward_training.data.card import README, Census, make_card
from roboreward_ros.reward_training.data.clip import (
    SUCCESS,
    Clip,
    Source,
    draw,
    key_frames,
    split_of,
)
from roboreward_ros.reward_training.data.videos import Journal, Made, Places, write_clip

_FILES = 4096
"""Files whose copies are remembered: rows of one video often lie close together."""


@dataclass(frozen=True, slots=True)
class BuildConfig:
    """What is written.

    Attributes:
        per_source: rows drawn from every source, each as likely as the other; 0 for all.
        seed: of the draw.
        split: one of ``train``, ``val`` and ``test`` for everything; "" to split by content.
        shares: of train, val and test where the content decides.
        max_pixels: larger pictures are made smaller, to at most this many; 0 for never.
        title: of the data set's card.
        license_name: of the card, as the Hub spells it.

    Raises:
        ConfigError: a value out of range.
    """

    per_source: int = 0
    seed: int = 0
    split: str = ""
    shares: tuple[float, float, float] = (0.8, 0.1, 0.1)
    max_pixels: int = 0
    title: str = "Labelled robot videos"
    license_name: str = "other"

    def __post_init__(self) -> None:
        if self.per_source < 0 or (self.max_pixels and self.max_pixels < 1024):
            raise ConfigError(
                "per_source or max_pixels out of range",
                got=(self.per_source, self.max_pixels),
                allowed=">= 0, and 0 or >= 1024",
            )
        if self.split not in ("", *SPLITS):
            raise ConfigError("split", got=self.split, allowed=SPLITS)
        split_of("0" * 64, self.shares)


@dataclass(slots=True)
class Built:
    """What a run gave.

    Attributes:
        census: rows by split, level and source.
        problems: what was left out.
        written: videos that were not there before.
    """

    census: Census = field(default_factory=Census)
    problems: list[Problem] = field(default_factory=list)
    written: int = 0


def build(
    sources: Sequence[Source],
    out: Path,
    config: BuildConfig,
    *,
    keep_going: bool = False,
    on_clip: Callable[[int], object] = lambda _: None,
) -> Built:
    """Bring a folder up to date with what the sources hold now.

    A video that is there is not written again; labels and sentences are those of now. Rows that no
    source gives any more leave the tables.

    Args:
        sources: in the order of their rows.
        out: folder of the data set.
        config: what to write.
        keep_going: leave out what cannot be used and name it, instead of stopping there; clips
            without a label are always left out.
        on_clip: told how many rows are done.

    Raises:
        ConfigError: two sources with one name, or nothing to write.
        FormatError: a problem (unless ``keep_going``), or a damaged journal.
        StoreError: the folder cannot be written.
    """
    names = [source.name for source in sources]
    if len(set(names)) != len(names):
        raise ConfigError(
            "two sources share a name", got=names, next_step="Give one another: KIND:PATH?name=NAME"
        )
    built = Built()

    def note(problem: Problem) -> None:
        if not keep_going and problem.fault is not Fault.UNLABELLED:
            stop(problem)
        built.problems.append(problem)

    try:
        for split in SPLITS:
            (out / split).mkdir(parents=True, exist_ok=True)
        places = Places(out)
        whole_files: dict[tuple[str, Path], Made] = {}
        with Journal(out, config.max_pixels) as journal, _Tables(out) as tables:
            for clip, source in _chosen(sources, config, note):
                made = journal.made(clip.id, source)
                known = None if clip.file is None else whole_files.get((source, clip.file))
                if made is None and known is not None:
                    made = known
                    journal.note(clip.id, source, made)
                elif made is None:
                    try:
                        made = write_clip(clip, source, out, config.max_pixels)
                    except FormatError as error:
                        note(Problem(Fault.DAMAGED, f"{source}: {clip.id}", str(error)))
                        continue
                    journal.note(clip.id, source, made)
                    built.written += 1
                if clip.file is not None:
                    if len(whole_files) >= _FILES:
                        whole_files.clear()
                    whole_files[source, clip.file] = made
                whole = clip.content or made.sha256
                split = places.put(made.name, config.split or split_of(whole, config.shares))
                tables.add(split, _row(clip, source, made, whole))
                built.census.add(split, clip.reward, source, whole)
                on_clip(built.census.rows)
            if not built.census.rows:
                raise ConfigError(
                    "there is no labelled video to write",
                    got=f"{len(built.problems)} problems",
                    next_step=str(built.problems[0]) if built.problems else "Check the sources.",
                )
            tables.replace()
        origins = [source.describe() for source in sources]
        facts = {"seed": config.seed, "rows of a source": config.per_source or "all"}
        card = make_card(built.census, config.title, origins, facts, config.license_name)
        write_atomic(out / README, card)
    except OSError as error:
        raise StoreError("the data set cannot be written", got=f"{out}: {error}") from None
    return built


def _chosen(
    sources: Sequence[Source], config: BuildConfig, note: OnProblem
) -> Iterator[tuple[Clip, str]]:
    """Clips and the names of their sources; each id once.

    The draw keeps the rows whose seeded hash is smallest: every row is as likely as any other, and
    new rows in a source change little.
    """
    if config.per_source:
        heaps: dict[str, list[tuple[int, str]]] = {}
        for source in sources:
            for clip in source.clips(note):
                heap = heaps.setdefault(clip.source or source.name, [])
                item = (-draw(config.seed, clip.id), clip.id)
                if len(heap) < config.per_source:
                    heapq.heappush(heap, item)
                else:
                    heapq.heappushpop(heap, item)
        kept = {(name, key) for name, heap in heaps.items() for _, key in heap}
        note = _ignore  # said in the first pass
    for source in sources:
        seen: set[int] = set()
        for clip in source.clips(note):
            name = clip.source or source.name
            if config.per_source and (name, clip.id) not in kept:
                continue
            key = draw(0, f"{name}/{clip.id}")
            if key in seen:
                note(Problem(Fault.DUPLICATE, source.name, clip.id))
                continue
            seen.add(key)
            yield clip, name


def _ignore(problem: Problem) -> None:
    del problem


def _row(clip: Clip, source: str, made: Made, whole: str) -> dict[str, object]:
    row: dict[str, object] = {
        "file_name": made.name,
        "task": clip.task,
        "reward": clip.reward,
        "id": f"{source}/{clip.id}",
        "subset": source,
        "video_sha256": whole,
        "fps": made.fps,
        "frames": made.frames,
    }
    if clip.reward == SUCCESS and made.frames > 1:
        row["key_frames"] = key_frames(made.frames)
    return {**row, **clip.columns}


class _Tables:
    """Tables of all splits, written beside the old ones and put in their place at the end."""

    def __init__(self, out: Path) -> None:
        self._out = out
        self._files: dict[str, IO[str]] = {}

    def __enter__(self) -> Self:
        for split in SPLITS:
            self._files[split] = self._part(split).open("w", encoding="utf-8")
        return self

    def __exit__(self, *error: object) -> None:
        for split, file in self._files.items():
            file.close()
            self._part(split).unlink(missing_ok=True)

    def _part(self, split: str) -> Path:
        return self._out / split / f".{METADATA}.part"

    def add(self, split: str, row: dict[str, object]) -> None:
        self._files[split].write(json.dumps(row, ensure_ascii=False) + "\n")

    def replace(self) -> None:
        for split, file in self._files.items():
            file.flush()
            os.fsync(file.fileno())
            empty = file.tell() == 0
            file.close()
            table = self._out / split / METADATA
            if empty:
                table.unlink(missing_ok=True)
            else:
                self._part(split).replace(table)

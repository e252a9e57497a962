# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From a recipe to examples: rows read, videos decoded, labels turned into answers."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from roboreward_ros.episodes.exchange.labelled_layout import (
    LayoutRow,
    Problem,
    find_table,
    read_table,
    stop,
)
from roboreward_ros.errors import ConfigError, FormatError
from roboreward_ros.reward_training.finetune.forms import Example, Form, digest_of
from roboreward_ros.reward_training.finetune.frames import FrameStore
from roboreward_ros.reward_training.finetune.recipe import FinetuneConfig

TRAIN, VALIDATION = "train", "val"
OnVideos = Callable[[str, int, int], object]
"""Told of a split, videos decoded and in all."""


@dataclass(frozen=True, slots=True)
class Material:
    """What a training learns from and is judged by.

    Attributes:
        train: examples to learn.
        validation: examples to choose the best weights by.
        form: question and answers.
        store: frames.
        videos: sha256 of the training videos, sorted.
        problems: what was left out, a sentence each.
        sha256: of all examples.
    """

    train: tuple[Example, ...]
    validation: tuple[Example, ...]
    form: Form
    store: FrameStore
    videos: tuple[str, ...]
    problems: tuple[str, ...]
    sha256: str


def read_tables(
    config: FinetuneConfig, *, keep_going: bool = False
) -> tuple[dict[str, list[LayoutRow]], list[str]]:
    """Rows by split, and what was wrong with others; cheap, before anything is loaded.

    Raises:
        ConfigError: a split is missing.
        FormatError: a bad row (unless ``keep_going``).
    """
    tables: dict[str, list[LayoutRow]] = {}
    problems: list[str] = []

    def skip(problem: Problem) -> None:
        problems.append(str(problem))

    for split in (TRAIN, VALIDATION):
        folder = Path(config.data)
        table = find_table(folder, split)
        if table.parent == folder:
            raise ConfigError(
                "the labelled videos are not split",
                got=str(table),
                allowed=f"{TRAIN}/ to learn from and {VALIDATION}/ to choose the weights by",
                next_step="`roboreward reward data make` splits them by content.",
            )
        tables[split] = list(read_table(table, skip if keep_going else stop))
        if not tables[split]:
            raise FormatError(f"{table} holds no usable row", got=f"{len(problems)} bad ones")
    return tables, problems


def gather(
    config: FinetuneConfig,
    folder: Path,
    *,
    keep_going: bool = False,
    on_videos: OnVideos = lambda _split, _done, _total: None,
) -> Material:
    """Everything of a data set; decoded frames are kept in ``folder`` and used again.

    Raises:
        ConfigError: a split is missing, or it teaches the head nothing.
        FormatError, RewardSourceError: a bad row or video (unless ``keep_going``).
    """
    form = Form(config)
    tables, problems = read_tables(config, keep_going=keep_going)
    store = FrameStore(folder, form.frames, form.name)

    @functools.cache
    def count(sha256: str) -> int:
        return store.read(sha256).count

    examples: dict[str, tuple[Example, ...]] = {}
    videos: tuple[str, ...] = ()
    for split, rows in tables.items():
        hashes, wrong = store.keep(
            [row.path for row in rows],
            config.compute.workers,
            keep_going=keep_going,
            on_done=functools.partial(on_videos, split),
        )
        problems += wrong
        usable = [row for row in rows if row.path in hashes]
        examples[split] = tuple(form.examples(usable, hashes, count))
        if split == TRAIN:
            videos = tuple(sorted(set(hashes.values())))
    return Material(
        examples[TRAIN],
        examples[VALIDATION],
        form,
        store,
        videos,
        tuple(problems),
        digest_of([*examples[TRAIN], *examples[VALIDATION]]),
    )

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Writes relabelled examples in RoboReward's layout: videos and a table a split.

Rows carry their lineage beside the four published columns (``file_name, task, reward,
gpt5_mini_check``); a reader that knows only those loses nothing.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path

from roboreward_ros.episodes.exchange.labelled_layout import METADATA, SPLITS
from roboreward_ros.episodes.exchange.video import write_beginning
from roboreward_ros.errors import StoreError
from roboreward_ros.files import open_atomic, write_atomic
from roboreward_ros.reward_training.data.card import README, Census, make_card
from roboreward_ros.reward_training.data.clip import split_of
from roboreward_ros.reward_training.data.videos import slug
from roboreward_ros.reward_training.relabel.examples import Example, SourceVideo
from roboreward_ros.reward_training.relabel.pipeline import Relabelled

LINEAGE = (
    "`kind` is original, counterfactual, clip or paraphrase; `parent` is the row it was made from"
)


def write_layout(
    found: Iterable[Relabelled],
    out: Path,
    provider: str,
    shares: tuple[float, float, float] = (0.8, 0.1, 0.1),
    on_example: Callable[[int], object] = lambda _: None,
) -> dict[str, int]:
    """Bring a folder up to date; returns rows by split.

    A video that is there is not written again. Tables are replaced in one stroke at the end.

    Args:
        found: of a finished run.
        out: folder.
        provider: who was asked, for the card.
        shares: of train, val and test.
        on_example: told how many are done.

    Raises:
        StoreError: the folder cannot be written.
    """
    census = Census()
    try:
        with ExitStack() as stack:
            tables = {
                split: stack.enter_context(open_atomic(out / split / METADATA)) for split in SPLITS
            }
            for item in found:
                split = split_of(item.video.sha256, shares)
                for example in item.examples:
                    name = _file(example, item.video)
                    if not (out / split / name).exists():
                        _make(example, item.video, out / split / name)
                    row = json.dumps(_row(example, name), ensure_ascii=False)
                    tables[split].write((row + "\n").encode())
                    census.add(split, example.reward, item.video.source, example.sha256)
                    on_example(census.rows)
        for split in SPLITS:
            if split not in census.levels:
                (out / split / METADATA).unlink()
        card = make_card(census, "Relabelled robot videos", [LINEAGE], {"asked": provider})
        write_atomic(out / README, card)
    except OSError as error:
        raise StoreError("the data set cannot be written", got=f"{out}: {error}") from None
    return {split: census.levels[split].total() for split in SPLITS if split in census.levels}


def _file(example: Example, video: SourceVideo) -> str:
    """By content: rows of one video under many sentences share a file."""
    stem = f"{slug(video.source)}/{video.sha256[:20]}"
    if example.end < 1:
        return f"{stem}_end_{round(1000 * example.end):04d}.mp4"
    return f"{stem}{video.path.suffix}"


def _make(example: Example, video: SourceVideo, place: Path) -> None:
    """Written beside its place first; a table that names it is synced later than it is."""
    place.parent.mkdir(parents=True, exist_ok=True)
    part = place.with_name(f".{place.stem}.part{place.suffix}")
    if example.end < 1:
        write_beginning(video.path, part, example.end)
    else:
        shutil.copyfile(video.path, part)
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.replace(place)


def _row(example: Example, name: str) -> dict[str, object]:
    check = f"{example.check} ANSWER: TRUE".strip() if example.check else ""
    return {
        "file_name": name,
        "task": example.task,
        "reward": example.reward,
        "gpt5_mini_check": check,
        "id": example.id,
        "kind": example.kind.value,
        "parent": example.parent,
        "end": example.end,
        "attempt": example.attempt,
        "video": example.video,
        "video_sha256": example.sha256,
        "paraphrase_of": example.parent if example.kind == "paraphrase" else "",
    }

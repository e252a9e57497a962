# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Writes relabelled examples in RoboReward's layout: videos and a table a split.

Rows carry their lineage beside the four published columns (``file_name, task, reward,
gpt5_mini_check``); a reader that knows only those loses nothing.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from roboreward_ros.episodes.exchange.video import write_beginning
from roboreward_ros.errors import ConfigError, StoreError
from roboreward_ros.reward_training.relabel.examples import Example, SourceVideo
from roboreward_ros.reward_training.relabel.pipeline import split_of

METADATA = "metadata.jsonl"
CARD = """\
---
task_categories:
- video-classification
tags:
- robotics
- reward-model
---
Videos with a task and a reward 1..5 for the end state, {rows} rows of {videos} videos.

| split | rows | {levels} |
|---|---|{rule}
{table}

`kind` is original, counterfactual, clip or paraphrase; `parent` is the row it was made from; rows
of one `video_sha256` lie in one split. Made by roboreward_ros with {provider}.
"""


def write_layout(
    examples: Sequence[Example],
    videos: Mapping[str, SourceVideo],
    out: Path,
    provider: str,
    shares: Sequence[float] = (0.8, 0.1, 0.1),
    on_example: Callable[[int], object] = lambda _: None,
) -> dict[str, int]:
    """Bring a folder up to date; returns rows by split.

    A video that is there is not written again. Tables are replaced in one stroke at the end.

    Args:
        examples: of a finished run.
        videos: source videos by id.
        out: folder.
        provider: who was asked, for the card.
        shares: of train, val and test.
        on_example: told how many are done.

    Raises:
        ConfigError: an example of an unknown video.
        StoreError: the folder cannot be written.
    """
    tables: dict[str, list[dict[str, object]]] = {"train": [], "val": [], "test": []}
    try:
        for number, example in enumerate(examples, 1):
            if example.video not in videos:
                raise ConfigError("an example of an unknown video", got=example.video)
            split = split_of(example.sha256, shares)
            name = _file(example, videos[example.video])
            place = out / split / name
            if not place.exists():
                _make(example, videos[example.video], place)
            tables[split].append(_row(example, name))
            on_example(number)
        for split, rows in tables.items():
            if rows:
                rows.sort(key=lambda row: (str(row["file_name"]), str(row["id"])))
                text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
                _replace(out / split / METADATA, text)
        _replace(out / "README.md", _card(tables, provider))
    except OSError as error:
        raise StoreError("the data set cannot be written", got=f"{out}: {error}") from None
    return {split: len(rows) for split, rows in tables.items()}


def _file(example: Example, video: SourceVideo) -> str:
    stem = re.sub(r"[^A-Za-z0-9_-]+", "_", video.id).strip("_")
    if example.end < 1:
        stem += f"_end_{round(1000 * example.end):04d}_score_{example.reward}"
        return f"{video.source}/{stem}.mp4"
    return f"{video.source}/{stem}{video.path.suffix}"


def _make(example: Example, video: SourceVideo, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    part = place.with_name(f".{place.stem}.part{place.suffix}")
    if example.end < 1:
        write_beginning(video.path, part, example.end)
    else:
        shutil.copyfile(video.path, part)
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


def _card(tables: Mapping[str, Sequence[Mapping[str, object]]], provider: str) -> str:
    lines = []
    for split, rows in tables.items():
        counts = [sum(row["reward"] == level for row in rows) for level in range(1, 6)]
        lines.append(f"| {split} | {len(rows)} | " + " | ".join(map(str, counts)) + " |")
    every = [row for rows in tables.values() for row in rows]
    return CARD.format(
        rows=len(every),
        videos=len({row["video_sha256"] for row in every}),
        levels=" | ".join(f"reward {level}" for level in range(1, 6)),
        rule="---|" * 5,
        table="\n".join(lines),
        provider=provider,
    )


def _replace(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)

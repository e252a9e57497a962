# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Writes labelled episodes as videos with a table: RoboReward's published layout.

``<out>/<split>/metadata.jsonl`` holds ``file_name, task, reward`` a line, beside it lie the videos
in a folder per task. Every frame is kept, the last one included: it is what a reward model judges.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from roboreward_ros.episodes.exchange.labelled_layout import METADATA
from roboreward_ros.episodes.exchange.video import write_video
from roboreward_ros.errors import ConfigError, FormatError
from roboreward_ros.files import write_atomic
from roboreward_ros.protocols import EpisodeReader
from roboreward_ros.types import ImageU8, Score, ScoreScale

README = "README.md"
CARD = """\
---
task_categories:
- video-classification
tags:
- robotics
- reward-model
configs:
- config_name: default
  data_files:
  - split: {split}
    path: {split}/**
---
{count} episodes of {robots} with a reward 1..5 for the end state.
Columns: file_name, task, reward, source (who gave the reward), episode_id.
"""


@dataclass(frozen=True, slots=True)
class LabelledEpisode:
    """An episode and the score that a view gives it."""

    episode: EpisodeReader
    score: Score


def export_videos(
    episodes: Iterable[LabelledEpisode],
    decode: Callable[[bytes], ImageU8],
    out: Path,
    split: str = "train",
    on_episode: Callable[[int], object] = lambda _: None,
) -> int:
    """Bring a folder up to date; returns the rows in its table.

    A video that is there is not written again, so a run that was killed goes on. Labels are those
    of now: a corrected one replaces what an earlier export wrote. Rows of other runs stay.

    Args:
        episodes: labelled on the 1..5 scale.
        decode: JPEG bytes to ``[H, W, 3]`` uint8 RGB.
        out: folder; other splits and a card that was edited stay as they are.
        split: name of the split.
        on_episode: told how many were looked at.

    Raises:
        ConfigError: a score on another scale, or nothing to write.
        FormatError: the table of an earlier export is damaged.
    """
    folder = out / split
    table = folder / METADATA
    rows = _rows(table)
    robots: set[str] = set()
    for number, item in enumerate(episodes, 1):
        meta, score = item.episode.summary.meta, item.score
        robots.add(meta.robot)
        if score.scale is not ScoreScale.RUBRIC:
            raise ConfigError(
                "only scores 1..5 become labels", got=score.scale, allowed=ScoreScale.RUBRIC
            )
        name = f"{_slug(meta.task)}/{meta.created_ns}_{meta.episode_id}.mp4"
        video = folder / name
        if not video.exists():
            video.parent.mkdir(parents=True, exist_ok=True)
            part = video.with_suffix(".part.mp4")
            write_video(part, map(decode, item.episode.frames()), meta.control_hz)
            part.rename(video)
        rows[name] = {
            "file_name": name,
            "task": meta.task,
            "reward": round(score.value),
            "source": score.provenance.source,
            "episode_id": meta.episode_id,
        }
        on_episode(number)
    if not rows:
        raise ConfigError(
            "there is no labelled episode to export",
            next_step="Label some, or score them with `roboreward rescore`.",
        )
    lines = [json.dumps(rows[name], ensure_ascii=False) + "\n" for name in sorted(rows)]
    write_atomic(table, "".join(lines))
    if not (out / README).exists():
        card = CARD.format(split=split, count=len(rows), robots=", ".join(sorted(robots)))
        write_atomic(out / README, card)
    return len(rows)


def _rows(table: Path) -> dict[str, dict[str, object]]:
    """What an earlier export wrote, by video."""
    if not table.exists():
        return {}
    try:
        rows = [json.loads(line) for line in table.read_text(encoding="utf-8").splitlines()]
        return {str(row["file_name"]): row for row in rows}
    except (ValueError, OverflowError, RecursionError, KeyError, TypeError) as error:
        raise FormatError(
            "the table of labelled videos is damaged", got=f"{table}: {error!r}"
        ) from None


def _slug(task: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", task.lower()).strip("_")[:60] or "task"

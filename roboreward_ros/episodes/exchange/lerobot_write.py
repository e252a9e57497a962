# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Writes stored episodes as a LeRobot data set, version 3.0.

A row is an observation and the action taken on it: an episode of T steps gives T rows, and its last
picture, which no action followed, is left out; labelled videos keep it.
Videos are lossy; the store keeps the original bytes.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from roboreward_ros.episodes.exchange.lerobot_layout import (
    ACTION,
    DATA_V3,
    EPISODES_FILE_V3,
    INFO,
    STATE,
    STATS,
    TASKS_V3,
    VIDEO_V3,
)
from roboreward_ros.episodes.exchange.video import CODEC, PIXELS, VideoWriter
from roboreward_ros.errors import ConfigError, StoreError
from roboreward_ros.protocols import EpisodeReader
from roboreward_ros.types import FloatArray, ImageU8

if TYPE_CHECKING:
    import pyarrow as pa

CAMERA = "observation.images.image"
NAMES = ("x", "y", "z", "roll", "pitch", "yaw", "gripper")
PLACE = {"chunk_index": 0, "file_index": 0}
_PICTURES_IN_STATS = 200


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written."""

    episodes: int
    rows: int
    root: Path


def export_lerobot(
    episodes: Sequence[EpisodeReader],
    decode: Callable[[bytes], ImageU8],
    out: Path,
    on_episode: Callable[[int], object] = lambda _: None,
) -> Exported:
    """Write ``episodes`` to a new folder, which appears only when all of it is there.

    Args:
        episodes: of one robot and one rate.
        decode: JPEG bytes to ``[H, W, 3]`` uint8 RGB.
        out: folder of the data set; must not exist.
        on_episode: told how many are done.

    Raises:
        ConfigError: nothing to export, mixed rates or robots, or ``out`` exists.
        StoreError: the folder cannot be written.
    """
    if not episodes:
        raise ConfigError("there is no episode to export")
    kinds = {(e.summary.meta.robot, e.summary.meta.control_hz) for e in episodes}
    if len(kinds) != 1:
        raise ConfigError("one data set holds one robot at one rate", got=sorted(kinds))
    if out.exists():
        raise ConfigError("the folder exists already", got=str(out), next_step="Choose another.")
    robot, fps = kinds.pop()
    part = out.with_name(out.name + ".part")
    try:
        shutil.rmtree(part, ignore_errors=True)
        rows = _write(episodes, decode, part, robot, fps, on_episode)
        part.rename(out)
    except OSError as error:
        raise StoreError("the data set cannot be written", got=f"{out}: {error}") from None
    return Exported(len(episodes), rows, out)


def _write(
    episodes: Sequence[EpisodeReader],
    decode: Callable[[bytes], ImageU8],
    root: Path,
    robot: str,
    fps: float,
    on_episode: Callable[[int], object],
) -> int:
    import pyarrow as pa
    import pyarrow.parquet as pq

    video_path = root / VIDEO_V3.format(video_key=CAMERA, **PLACE)
    data_path = root / DATA_V3.format(**PLACE)
    episodes_path = root / EPISODES_FILE_V3.format(**PLACE)
    for path in (video_path, data_path, episodes_path):
        path.parent.mkdir(parents=True)
    tasks: dict[str, int] = {}
    listed: list[dict[str, object]] = []
    states: list[FloatArray] = []
    actions: list[FloatArray] = []
    pictures: list[ImageU8] = []
    size, total = (0, 0), 0
    every = max(1, sum(e.summary.n_steps for e in episodes) // _PICTURES_IN_STATS)
    with VideoWriter(video_path, fps) as video, pq.ParquetWriter(data_path, _schema()) as table:
        for number, episode in enumerate(episodes):
            summary = episode.summary
            length = summary.n_steps
            task = tasks.setdefault(summary.meta.task, len(tasks))
            for step, jpeg in enumerate(episode.frames()[:length]):
                image = decode(jpeg)
                size = image.shape[0], image.shape[1]
                if (total + step) % every == 0:
                    pictures.append(image[::8, ::8])
                video.write(image)
            states.append(episode.proprio()[:length])
            actions.append(episode.actions()[:length])
            columns = {
                STATE: list(states[-1].astype(np.float32)),
                ACTION: list(actions[-1].astype(np.float32)),
                "timestamp": np.arange(length, dtype=np.float32) / np.float32(fps),
                "frame_index": np.arange(length),
                "episode_index": np.full(length, number),
                "index": np.arange(total, total + length),
                "task_index": np.full(length, task),
                "next.done": np.arange(length) == length - 1,
            }
            table.write_table(pa.table(columns, schema=_schema()))
            start, end = total / fps, (total + length) / fps
            listed.append(
                {
                    "episode_index": number,
                    "tasks": [summary.meta.task],
                    "length": length,
                    "data/chunk_index": 0,
                    "data/file_index": 0,
                    "dataset_from_index": total,
                    "dataset_to_index": total + length,
                    f"videos/{CAMERA}/chunk_index": 0,
                    f"videos/{CAMERA}/file_index": 0,
                    f"videos/{CAMERA}/from_timestamp": start,
                    f"videos/{CAMERA}/to_timestamp": end,
                    "meta/episodes/chunk_index": 0,
                    "meta/episodes/file_index": 0,
                    "roboreward/episode_id": summary.meta.episode_id,
                    "roboreward/policy_version": summary.policy_version,
                    "roboreward/end_cause": summary.end_cause.value,
                }
            )
            total += length
            on_episode(number + 1)
    pq.write_table(pa.Table.from_pylist(listed), episodes_path)
    _write_tasks(root / TASKS_V3, tasks)
    stats = {
        STATE: _stats(np.concatenate(states)),
        ACTION: _stats(np.concatenate(actions)),
        CAMERA: _picture_stats(pictures),
    }
    _write_json(root / STATS, stats)
    _write_json(root / INFO, _info(robot, fps, len(episodes), total, len(tasks), size))
    return total


def _schema() -> pa.Schema:
    import pyarrow as pa

    vector = pa.list_(pa.float32(), len(NAMES))
    return pa.schema(
        [
            (STATE, vector),
            (ACTION, vector),
            ("timestamp", pa.float32()),
            ("frame_index", pa.int64()),
            ("episode_index", pa.int64()),
            ("index", pa.int64()),
            ("task_index", pa.int64()),
            ("next.done", pa.bool_()),
        ]
    )


def _write_tasks(path: Path, tasks: dict[str, int]) -> None:
    """Sentence -> number as pandas writes a frame whose index is the sentence."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table({"task_index": list(tasks.values()), "task": list(tasks)})
    described = [
        {
            "name": name,
            "field_name": name,
            "pandas_type": kind,
            "numpy_type": dtype,
            "metadata": None,
        }
        for name, kind, dtype in (("task_index", "int64", "int64"), ("task", "unicode", "object"))
    ]
    pandas = {
        "index_columns": ["task"],
        "column_indexes": [],
        "columns": described,
        "pandas_version": "2.2.0",
    }
    pq.write_table(table.replace_schema_metadata({"pandas": json.dumps(pandas)}), path)


def _stats(values: FloatArray) -> dict[str, list[float]]:
    return {
        "min": values.min(axis=0).tolist(),
        "max": values.max(axis=0).tolist(),
        "mean": values.mean(axis=0).tolist(),
        "std": values.std(axis=0).tolist(),
        "count": [len(values)],
    }


def _picture_stats(pictures: Sequence[ImageU8]) -> dict[str, object]:
    """Per channel in [0, 1], shaped ``[3, 1, 1]`` as readers expect."""
    pixels = np.concatenate([picture.reshape(-1, 3) for picture in pictures]) / 255.0
    measured = _stats(pixels)
    shaped: dict[str, object] = {
        name: [[[value]] for value in measured[name]] for name in ("min", "max", "mean", "std")
    }
    return {**shaped, "count": [len(pictures)]}


def _info(
    robot: str, fps: float, episodes: int, rows: int, tasks: int, size: tuple[int, int]
) -> dict[str, object]:
    def number(dtype: str) -> dict[str, object]:
        return {"dtype": dtype, "shape": [1], "names": None}

    vector = {"dtype": "float32", "shape": [len(NAMES)], "names": list(NAMES)}
    picture = {
        "dtype": "video",
        "shape": [*size, 3],
        "names": ["height", "width", "channels"],
        "info": {
            "video.fps": fps,
            "video.height": size[0],
            "video.width": size[1],
            "video.channels": 3,
            "video.codec": "h264" if CODEC == "libx264" else CODEC,
            "video.pix_fmt": PIXELS,
            "video.is_depth_map": False,
            "has_audio": False,
        },
    }
    return {
        "codebase_version": "v3.0",
        "robot_type": robot,
        "total_episodes": episodes,
        "total_frames": rows,
        "total_tasks": tasks,
        "chunks_size": 1000,
        "data_files_size_in_mb": 100,
        "video_files_size_in_mb": 200,
        "fps": int(fps) if fps == int(fps) else fps,
        "splits": {"train": f"0:{episodes}"},
        "data_path": DATA_V3,
        "video_path": VIDEO_V3,
        "features": {
            STATE: vector,
            ACTION: vector,
            CAMERA: picture,
            "timestamp": number("float32"),
            "frame_index": number("int64"),
            "episode_index": number("int64"),
            "index": number("int64"),
            "task_index": number("int64"),
            "next.done": number("bool"),
        },
    }


def _write_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=4) + "\n", encoding="utf-8")

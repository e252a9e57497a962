# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Reads LeRobot data sets, versions 2.0 to 3.0, with pyarrow and PyAV; one episode at a time."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from roboreward_ros.episodes.exchange.lerobot_layout import (
    EPISODES_V2,
    EPISODES_V3,
    INFO,
    Info,
    read_info,
)
from roboreward_ros.episodes.exchange.places import place_of
from roboreward_ros.episodes.exchange.video import read_frames
from roboreward_ros.errors import ConfigError, FormatError
from roboreward_ros.types import FloatArray, ImageU8


@dataclass(frozen=True, slots=True)
class Segment:
    """Where an episode's frames of one camera lie."""

    path: Path
    start_s: float


@dataclass(frozen=True, slots=True)
class LeRobotEpisode:
    """One episode's place in the data set.

    Attributes:
        index: its number.
        tasks: its sentences; most episodes have one.
        length: rows, each an observation and the action taken on it.
        table: file that holds its rows.
        videos: by camera.
    """

    index: int
    tasks: tuple[str, ...]
    length: int
    table: Path
    videos: Mapping[str, Segment]


class LeRobotDataset:
    """A data set on disk.

    Args:
        root: its folder.

    Raises:
        ConfigError: no such data set.
        FormatError: damaged or unknown.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.info: Info = read_info(root)
        found = (
            _episodes_v3(root, self.info) if self.info.major == 3 else _episodes_v2(root, self.info)
        )
        self.episodes: Sequence[LeRobotEpisode] = sorted(found, key=lambda e: e.index)
        if len(self.episodes) != self.info.episodes:
            raise FormatError(
                f"{root} lists another number of episodes than its header",
                got=len(self.episodes),
                allowed=self.info.episodes,
            )

    def columns(self, episode: LeRobotEpisode, names: Sequence[str]) -> dict[str, FloatArray]:
        """Numeric columns of an episode, each ``[length]`` or ``[length, width]`` float64.

        Raises:
            ConfigError: no such column.
            FormatError: a damaged table, or another number of rows than announced.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            present = pq.read_schema(episode.table).names
            missing = [name for name in names if name not in present]
            if missing:
                raise ConfigError("no such column", got=missing, allowed=present)
            table = pq.read_table(
                episode.table,
                columns=list(names),
                filters=[("episode_index", "=", episode.index)],
            )
        except (OSError, OverflowError, pa.ArrowException) as error:
            raise FormatError("a table cannot be read", got=f"{episode.table}: {error}") from None
        if table.num_rows != episode.length:
            raise FormatError(
                f"episode {episode.index} has another number of rows than announced",
                got=table.num_rows,
                allowed=episode.length,
            )
        try:
            return {name: np.array(table[name].to_pylist(), np.float64) for name in names}
        except (ValueError, TypeError, OverflowError) as error:
            raise FormatError("a column holds no numbers", got=str(error)[:200]) from None

    def frames(self, episode: LeRobotEpisode, camera: str) -> Iterator[ImageU8]:
        """Frames ``[H, W, 3]`` uint8 RGB of one camera, oldest first.

        Raises:
            ConfigError: no such camera.
            FormatError: a damaged or short video.
        """
        if camera not in self.info.cameras:
            raise ConfigError("no such camera", got=camera, allowed=self.info.cameras)
        if camera in episode.videos:
            segment = episode.videos[camera]
            return read_frames(segment.path, segment.start_s, episode.length)
        return self._pictures(episode, camera)

    def _pictures(self, episode: LeRobotEpisode, camera: str) -> Iterator[ImageU8]:
        import pyarrow.parquet as pq
        from PIL import Image

        table = pq.read_table(
            episode.table, columns=[camera], filters=[("episode_index", "=", episode.index)]
        )
        for row in table[camera]:
            content = row.as_py()
            encoded = content.get("bytes") if isinstance(content, dict) else None
            if not encoded:
                raise FormatError(
                    f"episode {episode.index} holds a picture by path only", got=str(content)[:80]
                )
            try:
                with Image.open(io.BytesIO(encoded)) as image:
                    picture = np.asarray(image.convert("RGB"))
            except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
                raise FormatError(
                    f"a picture of episode {episode.index} cannot be decoded", got=str(error)
                ) from None
            yield picture


def _episodes_v2(root: Path, info: Info) -> Iterator[LeRobotEpisode]:
    path = root / EPISODES_V2
    if not path.is_file():
        raise FormatError("the list of episodes is missing", got=str(path))
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            index = int(row["episode_index"])
            tasks = tuple(str(task) for task in row["tasks"])
            length = int(row["length"])
        except (ValueError, OverflowError, RecursionError, KeyError, TypeError) as error:
            raise FormatError(f"{path}, line {number} is damaged", got=repr(error)) from None
        place = {"episode_chunk": index // info.chunk_size, "episode_index": index}
        try:
            videos = {
                key: Segment(place_of(root, info.video_path, video_key=key, **place), 0.0)
                for key in info.cameras
                if info.video_path and info.features[key].get("dtype") == "video"
            }
            table = place_of(root, info.data_path, **place)
        except ValueError as error:
            raise FormatError(f"{root / INFO} names no file", got=str(error)) from None
        yield LeRobotEpisode(index, tasks, length, table, videos)


def _episodes_v3(root: Path, info: Info) -> Iterator[LeRobotEpisode]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    files = sorted((root / EPISODES_V3).glob("chunk-*/file-*.parquet"))
    if not files:
        raise FormatError("the tables of episodes are missing", got=str(root / EPISODES_V3))
    cameras = [key for key in info.cameras if info.features[key].get("dtype") == "video"]
    wanted = ["episode_index", "tasks", "length", "data/chunk_index", "data/file_index"]
    for key in cameras:
        wanted += [f"videos/{key}/{name}" for name in ("chunk_index", "file_index")]
        wanted.append(f"videos/{key}/from_timestamp")
    for file in files:
        try:
            rows = pq.read_table(file, columns=wanted).to_pylist()
        except (OSError, pa.ArrowException, KeyError) as error:
            raise FormatError("a table of episodes is damaged", got=f"{file}: {error}") from None
        for row in rows:
            try:
                table = place_of(
                    root,
                    info.data_path,
                    chunk_index=row["data/chunk_index"],
                    file_index=row["data/file_index"],
                )
                videos = {
                    key: Segment(
                        place_of(
                            root,
                            info.video_path,
                            video_key=key,
                            chunk_index=row[f"videos/{key}/chunk_index"],
                            file_index=row[f"videos/{key}/file_index"],
                        ),
                        float(row[f"videos/{key}/from_timestamp"]),
                    )
                    for key in cameras
                }
                yield LeRobotEpisode(
                    int(row["episode_index"]),
                    tuple(row["tasks"]),
                    int(row["length"]),
                    table,
                    videos,
                )
            except (KeyError, TypeError, ValueError, OverflowError) as error:
                raise FormatError(
                    "a table of episodes lacks a column", got=f"{file}: {error!r}"
                ) from None

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Names inside a LeRobot data set, versions 2.x and 3.0.

2.x keeps a table and a video an episode and lists both in JSON lines; 3.0 packs many episodes into
each file and keeps where they lie in tables.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from roboreward_ros.errors import ConfigError, FormatError

INFO = Path("meta/info.json")
STATS = Path("meta/stats.json")
TASKS_V2, TASKS_V3 = Path("meta/tasks.jsonl"), Path("meta/tasks.parquet")
EPISODES_V2, EPISODES_V3 = Path("meta/episodes.jsonl"), Path("meta/episodes")
DATA_V3 = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
VIDEO_V3 = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
EPISODES_FILE_V3 = "meta/episodes/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
STATE, ACTION = "observation.state", "action"


@dataclass(frozen=True, slots=True)
class Info:
    """The part of ``meta/info.json`` that reading needs.

    Attributes:
        major: 2 or 3.
        fps: rate, Hz.
        episodes: how many.
        features: description by name.
        data_path: template of the tables.
        video_path: template of the videos; "" where images lie in the tables.
        chunk_size: episodes in a folder (2.x).
        robot: type of the robot, as written.
    """

    major: int
    fps: float
    episodes: int
    features: Mapping[str, Mapping[str, object]]
    data_path: str
    video_path: str
    chunk_size: int
    robot: str

    @property
    def cameras(self) -> tuple[str, ...]:
        """Features that are pictures."""
        kinds = ("video", "image")
        return tuple(name for name, f in self.features.items() if f.get("dtype") in kinds)


def read_info(root: Path) -> Info:
    """Read ``meta/info.json``.

    Raises:
        ConfigError: no LeRobot data set.
        FormatError: damaged, or of a version that this package does not know.
    """
    path = root / INFO
    if not path.is_file():
        raise ConfigError("no LeRobot data set in this folder", got=str(root), allowed=str(INFO))
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        version = str(content["codebase_version"])
        major = int(version.lstrip("v").split(".")[0])
        info = Info(
            major=major,
            fps=float(content["fps"]),
            episodes=int(content["total_episodes"]),
            features={str(name): dict(what) for name, what in content["features"].items()},
            data_path=str(content["data_path"]),
            video_path=str(content.get("video_path") or ""),
            chunk_size=int(content.get("chunks_size", 1000)),
            robot=str(content.get("robot_type") or ""),
        )
    except (
        LookupError, ValueError, ArithmeticError, RecursionError, TypeError, AttributeError
    ) as error:  # fmt: skip
        raise FormatError(f"{path} is damaged", got=repr(error)) from None
    if major not in (2, 3):
        raise FormatError("unknown version of a LeRobot data set", got=version, allowed="2.x, 3.x")
    if not 0 < info.fps < math.inf:
        raise FormatError(f"{path}: fps is not positive", got=info.fps)
    if info.chunk_size < 1:
        raise FormatError(f"{path}: chunks_size is not positive", got=info.chunk_size)
    return info

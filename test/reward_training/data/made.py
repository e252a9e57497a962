# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Tiny data sets in other people's layouts."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import yaml

from roboreward_ros.reward_training.data.options import Options
from roboreward_ros.testing.grey_video import write_video


def options(kind: str, path: Path, **values: object) -> Options:
    return Options(kind, path, {key: str(value) for key, value in values.items()})


def read(source) -> tuple[list, list]:
    """Clips and problems of a source."""
    problems: list = []
    return list(source.clips(problems.append)), problems


def layout(folder: Path, rows: list[dict], split: str = "train", fps: float = 10) -> Path:
    """A folder in RoboReward's layout; every video that a row names has 6 grey frames."""
    place = folder / split
    place.mkdir(parents=True, exist_ok=True)
    for number, row in enumerate(rows):
        video = place / str(row["file_name"])
        if not video.exists():
            video.parent.mkdir(parents=True, exist_ok=True)
            write_video(video, 6 + number, fps, size=(32, 32))
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (place / "metadata.jsonl").write_text(lines)
    return folder


def robo_arena(folder: Path, scores: dict[str, object]) -> Path:
    """One session; policy key -> partial_success."""
    session = folder / "evaluation_sessions" / "s1"
    policies = {}
    for key, value in scores.items():
        name = f"policy{key}"
        (session / f"{key}_{name}").mkdir(parents=True)
        write_video(session / f"{key}_{name}" / f"2025_{key}_left.mp4", 5, 15, size=(32, 32))
        policies[key] = {"policy_name": name, "partial_success": value}
    content = {"language_instruction": "put the cup in the bowl", "policies": policies}
    (session / "metadata.yaml").write_text(yaml.safe_dump(content))
    return folder


def libero(path: Path) -> Path:
    """Two demonstrations; the top row of the shown picture is white."""
    with h5py.File(path, "w") as file:
        data = file.create_group("data")
        data.attrs["problem_info"] = json.dumps({"language_instruction": "open the drawer"})
        for number in range(2):
            images = np.zeros((4 + number, 16, 16, 3), np.uint8)
            images[:, -1] = 255  # upside down
            data.create_dataset(f"demo_{number}/obs/agentview_rgb", data=images)
    return path


def robocasa(path: Path) -> Path:
    """A demonstration with its own sentence, and one without."""
    with h5py.File(path, "w") as file:
        data = file.create_group("data")
        for number in range(2):
            demo = data.create_group(f"demo_{number}")
            images = np.full((5, 16, 16, 3), 90, np.uint8)
            demo.create_dataset("obs/robot0_agentview_left_image", data=images)
            meta = {"lang": "close the fridge"} if number == 0 else {}
            demo.attrs["ep_meta"] = json.dumps(meta)
    return path


def egodex(folder: Path) -> Path:
    """Two recordings of a task, the second without its video."""
    (folder / "fold_towel").mkdir(parents=True)
    for number in range(2):
        with h5py.File(folder / "fold_towel" / f"{number}.hdf5", "w") as file:
            file.attrs["llm_description"] = "fold the towel"
            file.attrs["llm_description2"] = "unfold the towel"
            file.attrs["which_llm_description"] = 2
    write_video(folder / "fold_towel" / "0.mp4", 6, 30, size=(32, 32))
    return folder


def hoi4d(folder: Path, duration: float = 4.0) -> Path:
    """One sequence of 4 s at 15 Hz with a bottle, and its three events."""
    name = Path("ZY1/H1/C5/N1/S1/s01/T1")
    video = folder / "HOI4D_release" / name / "align_rgb"
    video.mkdir(parents=True)
    write_video(video / "image.mp4", 60, 15, size=(32, 32))
    events = [("Rest", 0, 0.25), ("Pickup", 0.25, 0.5), ("PutDown", 0.5, 1)]
    content = {
        "info": {"duration": duration},
        "events": [
            {"event": e, "startTime": s * duration, "endTime": t * duration} for e, s, t in events
        ],
    }
    notes = folder / "HOI4D_annotations" / name / "action"
    notes.mkdir(parents=True)
    (notes / "color.json").write_text(json.dumps(content))
    return folder

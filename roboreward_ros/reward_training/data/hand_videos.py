# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Videos of people's hands that LRM learns from (arXiv 2603.16065): EgoDex and HOI4D.

All are successes, so their key frames are labelled by time.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import cast

from roboreward_ros.episodes.exchange.labelled_layout import Fault, OnProblem, Problem
from roboreward_ros.episodes.exchange.video import nominal_rate, read_frames, seconds
from roboreward_ros.errors import ConfigError, FormatError
from roboreward_ros.reward_training.data.clip import SUCCESS, Clip
from roboreward_ros.reward_training.data.options import Options

VIDEO, EVENTS = Path("align_rgb/image.mp4"), Path("action/color.json")
THINGS = {
    "C1": "toy car", "C2": "mug", "C3": "laptop", "C4": "storage furniture", "C5": "bottle",
    "C6": "safe", "C7": "bowl", "C8": "bucket", "C9": "scissors", "C11": "pliers", "C12": "kettle",
    "C13": "knife", "C14": "trash can", "C17": "lamp", "C18": "stapler", "C20": "chair",
}  # fmt: skip
"""HOI4D's categories by their folder."""
IDLE = frozenset({"rest", "reachout", "stop"})
"""HOI4D's events that change nothing."""
SHORTEST_S = 0.5


class EgoDexSource:
    """EgoDex: ``<task>/<n>.mp4`` with a sentence in ``<n>.hdf5``, 30 Hz.

    Args:
        options: ``name``.

    Raises:
        ConfigError: no such data.
    """

    def __init__(self, options: Options) -> None:
        self.root = options.path
        self.name = options.text("name", "egodex")
        options.finish()
        if next(self.root.glob("**/*.hdf5"), None) is None:
            raise ConfigError(
                "no EgoDex recordings", got=str(self.root), allowed="<task>/<n>.hdf5 and <n>.mp4"
            )

    def describe(self) -> str:
        return f"{self.name}: EgoDex, successes, progress by time"

    def clips(self, on_problem: OnProblem) -> Iterator[Clip]:
        for path in sorted(self.root.glob("**/*.hdf5")):
            place, video = str(path.relative_to(self.root)), path.with_suffix(".mp4")
            if not video.is_file():
                on_problem(Problem(Fault.MISSING, place, str(video)))
                continue
            try:
                task, fps = egodex_sentence(path), nominal_rate(video)
            except (OSError, KeyError, FormatError) as error:
                on_problem(Problem(Fault.DAMAGED, place, str(error)))
                continue
            if not task:
                on_problem(Problem(Fault.MALFORMED, place, "no llm_description"))
                continue
            yield Clip(
                id=str(Path(place).with_suffix("")),
                task=task,
                reward=SUCCESS,
                fps=fps,
                frames=partial(read_frames, video),
                file=video,
            )


def egodex_sentence(path: Path) -> str:
    """The sentence of a recording: of two descriptions, the one that was carried out.

    Raises:
        OSError, KeyError: a damaged file, or no description.
    """
    import h5py

    with h5py.File(path, "r") as file:
        second = int(file.attrs.get("which_llm_description", 1)) == 2
        found = file.attrs["llm_description2" if second else "llm_description"]
    text = found.decode("utf-8") if isinstance(found, bytes) else str(found)
    return text.strip()


class Hoi4dSource:
    """HOI4D: actions cut out of videos by their annotated times.

    ``HOI4D_release/<sequence>/align_rgb/image.mp4`` and
    ``HOI4D_annotations/<sequence>/action/color.json``, the sequence being
    ``ZY*/H*/C*/N*/S*/s*/T*``; C is the category of the thing.

    Args:
        options: ``name``.

    Raises:
        ConfigError: no such data.
    """

    def __init__(self, options: Options) -> None:
        self.videos = options.path / "HOI4D_release"
        self.annotations = options.path / "HOI4D_annotations"
        self.name = options.text("name", "hoi4d")
        options.finish()
        if not self.videos.is_dir() or not self.annotations.is_dir():
            raise ConfigError(
                "no HOI4D data",
                got=str(options.path),
                allowed="HOI4D_release/ and HOI4D_annotations/",
            )

    def describe(self) -> str:
        return f"{self.name}: HOI4D, annotated actions as successes, progress by time"

    def clips(self, on_problem: OnProblem) -> Iterator[Clip]:
        for path in sorted(self.annotations.glob(f"**/{EVENTS}")):
            sequence = path.parent.parent.relative_to(self.annotations)
            video = self.videos / sequence / VIDEO
            if not video.is_file():
                on_problem(Problem(Fault.MISSING, str(sequence), str(video)))
                continue
            thing = next((THINGS[part] for part in sequence.parts if part in THINGS), "")
            if not thing:
                on_problem(Problem(Fault.MALFORMED, str(sequence), "unknown category"))
                continue
            try:
                length = seconds(video)
                fps = nominal_rate(video)
                events = hoi4d_events(path, length)
            except FormatError as error:
                on_problem(Problem(Fault.DAMAGED, str(sequence), str(error)))
                continue
            for number, (event, start, end) in enumerate(events):
                if event.lower() in IDLE or end - start < SHORTEST_S:
                    continue
                verb = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", event).lower()
                yield Clip(
                    id=f"{sequence}#{number}",
                    task=f"{verb} the {thing}",
                    reward=SUCCESS,
                    fps=fps,
                    frames=partial(read_frames, video, start, max(2, round((end - start) * fps))),
                    columns={"start_s": round(start, 3), "end_s": round(end, 3)},
                )


def hoi4d_events(path: Path, length_s: float) -> list[tuple[str, float, float]]:
    """Actions of a sequence as (name, start, end) in s of its video.

    Two forms are in circulation. Some files speak of a clip of half the length; the length that
    they state says so, and their times are stretched to the video's.

    Raises:
        FormatError: neither form, or times outside the video.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if "events" in content:
            marks, names = content["events"], ("startTime", "endTime")
        else:
            marks, names = content["markResult"]["marks"], ("hdTimeStart", "hdTimeEnd")
        found = [(str(m["event"]), float(m[names[0]]), float(m[names[1]])) for m in marks]
        info = cast("Mapping[str, float]", content.get("info") or {})
        stated = float(info.get("duration") or info.get("Duration") or 0)
    except (OSError, ValueError, OverflowError, RecursionError, KeyError, TypeError) as error:
        raise FormatError(f"{path} lists no actions", got=repr(error)) from None
    scale = length_s / stated if stated > 0 and length_s > 0 else 1.0
    scaled = [(name, start * scale, end * scale) for name, start, end in found]
    if length_s > 0 and any(not 0 <= s <= e <= length_s + 0.5 for _, s, e in scaled):
        raise FormatError(f"{path}: times outside the video", got=scaled, allowed=length_s)
    return [(name, start, min(end, length_s or end)) for name, start, end in scaled]

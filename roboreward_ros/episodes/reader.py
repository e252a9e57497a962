# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One committed episode, read array by array and checked on the way."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import numpy as np

from roboreward_ros.episodes.arrays import Array, array_attributes, read_array
from roboreward_ros.episodes.codec import Fields
from roboreward_ros.episodes.header import Header, read_header
from roboreward_ros.episodes.marks import Marks
from roboreward_ros.episodes.pictures import PICTURES, PictureBook
from roboreward_ros.errors import FormatError
from roboreward_ros.types import Chunk, EpisodeSummary, Float32Array, FloatArray, GroundTruth


class StoredEpisode:
    """Reader of ``run_dir/episodes/<id>`` (protocol ``EpisodeReader``); arrays are read-only.

    Args:
        folder: the episode's folder.
        marks: marks of the run, for ``summary.discarded``.

    Raises:
        FormatError: the header, or later an array, is missing, damaged or newer than this code.
    """

    def __init__(self, folder: Path, marks: Marks) -> None:
        self.folder = folder
        self._header: Header = read_header(folder)
        self._marks = marks

    @property
    def summary(self) -> EpisodeSummary:
        summary = self._header.summary
        discarded = self._marks.discarded(summary.meta.episode_id)
        return dataclasses.replace(summary, discarded=discarded)

    @property
    def uri(self) -> str:
        return self.folder.resolve().as_uri()

    def array(self, name: str) -> Array:
        """Any array of the episode except ground truth (see ``layout.py`` for names)."""
        if name.split("/", maxsplit=1)[0] == "truth":
            raise PermissionError("ground truth is read through truth() only")
        return read_array(self.folder / name)

    @property
    def has_pictures(self) -> bool:
        """Whether ``frames`` has any; False where they were removed for a budget."""
        return (self.folder / PICTURES).is_dir()

    def frames(self) -> Sequence[bytes]:
        try:
            data = read_array(self.folder / "frames/data").tobytes()
            offsets = read_array(self.folder / "frames/offsets")
        except FormatError:
            book = PictureBook(self.folder.parent.parent)
            if (gone := book.removed(self.folder.name)) is not None:
                raise book.gone_error(gone) from None
            raise
        with self._fitting("frames"):
            ends = [int(end) for end in offsets.tolist()]
            return [data[a:b] for a, b in itertools.pairwise(ends)]

    def stamps_ns(self) -> Sequence[int]:
        with self._fitting("stamps_ns"):
            return [int(stamp) for stamp in self.array("stamps_ns").tolist()]

    def proprio(self) -> FloatArray:
        return cast("FloatArray", self.array("proprio"))

    def actions(self) -> FloatArray:
        return cast("FloatArray", self.array("action_executed"))

    def flags(self) -> Sequence[int]:
        with self._fitting("flags"):
            return [int(flag) for flag in self.array("flags").tolist()]

    def faults(self) -> Sequence[str]:
        """What was wrong at each step ``[T]``, in words; empty where nothing was."""
        if "fault/zarr.json" not in self._header.files:  # an older episode
            return [""] * self.summary.n_steps
        folder = self.folder / "fault"
        texts = Fields(array_attributes(folder), str(folder)).texts("texts")
        with self._fitting("fault"):
            return [texts[int(index)] for index in self.array("fault").tolist()]

    def chunks(self) -> Sequence[Chunk]:
        with self._fitting("chunks"):
            return self._chunks()

    def _chunks(self) -> Sequence[Chunk]:
        steps = self.array("chunks/step").tolist()
        if not steps:
            return []
        executed = self.array("chunks/executed").tolist()
        versions = self.array("chunks/policy_version").tolist()
        steered = self.array("chunks/steered").tolist()
        latencies = [math.nan] * len(steps)
        if "chunks/latency_s/zarr.json" in self._header.files:  # not in older episodes
            latencies = self.array("chunks/latency_s").tolist()
        noise, features, actions = (
            cast("Float32Array", self.array(f"chunks/{name}"))
            for name in ("noise", "features", "actions")
        )
        return [
            Chunk(
                index=k,
                step=int(steps[k]),
                noise=noise[k],
                features=features[k],
                actions=actions[k],
                policy_version=int(versions[k]),
                steered=bool(steered[k]),
                executed=int(executed[k]),
                latency_s=float(latencies[k]),
            )
            for k in range(len(steps))
        ]

    def truth(self) -> Sequence[GroundTruth]:
        folder = self.folder / "truth"
        if "truth/zarr.json" not in self._header.files:
            return []
        names = Fields(array_attributes(folder / "stage"), str(folder / "stage")).texts("names")
        columns = (
            np.asarray(read_array(folder / name)).tolist()
            for name in ("progress", "success", "score", "stage")
        )
        with self._fitting("truth"):
            return [
                GroundTruth(float(progress), bool(success), int(score), names[int(stage)])
                for progress, success, score, stage in zip(*columns, strict=True)
            ]

    @contextmanager
    def _fitting(self, what: str) -> Iterator[None]:
        """Arrays that are sound one by one may still not fit each other."""
        try:
            yield
        except (IndexError, ValueError, TypeError, OverflowError) as error:
            raise FormatError(
                f"{self.folder / what} is damaged: its arrays do not fit each other",
                got=str(error),
                next_step="Restore it from a backup or discard the episode.",
            ) from None

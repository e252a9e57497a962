# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Labelled examples with their lineage, and the videos they are made from."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from roboreward_ros.errors import FormatError
from roboreward_ros.types import RUBRIC_MAX, RUBRIC_MIN


class Kind(StrEnum):
    """How an example came about."""

    ORIGINAL = "original"  # the video under its own, cleaned up sentence
    COUNTERFACTUAL = "counterfactual"  # the video under a sentence that it fails
    CLIP = "clip"  # the beginning of the video under its own sentence
    PARAPHRASE = "paraphrase"  # another example in other words


@dataclass(frozen=True, slots=True)
class SourceVideo:
    """A video with its own label.

    Attributes:
        id: unique and stable; part of every derived id.
        source: data set it is from.
        path: of the file.
        sha256: of the file: examples of one video stay on one side of a split.
        task: the sentence as recorded.
        reward: label 1..5.
    """

    id: str
    source: str
    path: Path
    sha256: str
    task: str
    reward: int

    def __post_init__(self) -> None:
        if not RUBRIC_MIN <= self.reward <= RUBRIC_MAX:
            raise FormatError(
                f"video '{self.id}': label out of range", got=self.reward, allowed="1..5"
            )


@dataclass(frozen=True, slots=True)
class Example:
    """One labelled example.

    Attributes:
        id: unique, a function of its lineage.
        video: id of the source video.
        sha256: of the source video's file.
        source: data set.
        kind: how it came about.
        task: the sentence.
        reward: label 1..5.
        end: share of the video that is shown, in (0, 1].
        parent: id of the example that it was made from; "" for originals.
        attempt: which draft it was, from 0.
        check: the validator's reason.
    """

    id: str
    video: str
    sha256: str
    source: str
    kind: Kind
    task: str
    reward: int
    end: float = 1.0
    parent: str = ""
    attempt: int = 0
    check: str = ""

    def to_json(self) -> str:
        """One line."""
        return json.dumps(dataclasses.asdict(self), ensure_ascii=False, sort_keys=True)


def example_id(video: str, kind: Kind, task: str, reward: int, end: float) -> str:
    """A short hash of what an example shows and says: the same in every run."""
    text = json.dumps([video, kind, task, reward, round(end, 6)], ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def make_example(
    video: SourceVideo,
    kind: Kind,
    task: str,
    reward: int,
    *,
    end: float = 1.0,
    parent: str = "",
    attempt: int = 0,
    check: str = "",
) -> Example:
    """An example of ``video``."""
    key = example_id(video.id, kind, task, reward, end)
    return Example(
        key, video.id, video.sha256, video.source, kind, task, reward, end, parent, attempt, check
    )

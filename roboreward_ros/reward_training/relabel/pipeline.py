# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Relabels many videos: resumable, shardable, with an estimate of what is left."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from roboreward_ros.errors import ConfigError, RewardSourceError
from roboreward_ros.reward_training.relabel.episode import (
    LADDER,
    SUCCESS,
    RelabelConfig,
    first_words,
    relabel,
)
from roboreward_ros.reward_training.relabel.examples import Example, SourceVideo
from roboreward_ros.reward_training.relabel.journal import Journal
from roboreward_ros.reward_training.relabel.provider import Provider


@dataclass(frozen=True, slots=True)
class Shard:
    """Which part of the videos a worker takes: number ``index`` of ``count``, from 0."""

    index: int = 0
    count: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.index < self.count:
            raise ConfigError(
                "shard", got=f"{self.index} of {self.count}", allowed="0 .. count - 1"
            )

    def holds(self, video: SourceVideo) -> bool:
        """Whether the video is this worker's: all rows of one file go to one worker."""
        return int(video.sha256[:8], 16) % self.count == self.index


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run stands.

    Attributes:
        done: videos of this shard.
        videos: of this shard in all.
        examples: made so far.
        asked: questions that were not in the journal.
        left_s: estimate for the rest, s; 0 while nothing is known.
        left_cost: likewise, in the endpoint's currency.
    """

    done: int
    videos: int
    examples: int
    asked: int
    left_s: float
    left_cost: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run gave.

    Attributes:
        examples: ordered by video and id.
        refused: how often each reason came up.
        failed: videos that the provider could not answer for, a sentence each.
        asked: questions that were not in the journal.
    """

    examples: tuple[Example, ...]
    refused: Counter[str]
    failed: tuple[str, ...]
    asked: int


def most_questions(videos: Sequence[SourceVideo], config: RelabelConfig) -> int:
    """Upper bound of the questions that a run asks, for an estimate before it begins."""
    clips = len(config.clip_ends)
    success = 2 + 2 * len(LADDER) * config.attempts + 2 * clips
    made = 1 + len(LADDER) + clips
    worded = int(config.paraphrases > 0)
    return sum(
        1 + (success + made * worded if video.reward == SUCCESS else worded) for video in videos
    )


def run(
    videos: Sequence[SourceVideo],
    provider: Provider,
    folder: Path,
    config: RelabelConfig,
    shard: Shard | None = None,
    *,
    keep_going: bool = False,
    on_progress: Callable[[Progress], object] = lambda _: None,
) -> Outcome:
    """Relabel this shard's videos, from wherever an earlier run stopped.

    Args:
        videos: all of them; every worker gets the same list.
        provider: who is asked.
        folder: of the journal.
        config: what to make; changing it keeps the answers that still fit.
        shard: part to do.
        keep_going: name videos that could not be answered for and go on.
        on_progress: told after every video.

    Raises:
        ConfigError: two videos share an id.
        RewardSourceError: the provider failed (unless ``keep_going``).
        StoreError, FormatError: of the journal.
    """
    shard = shard or Shard()
    _distinct(videos)
    verbs = first_words([video.task for video in videos])
    mine = [video for video in videos if shard.holds(video)]
    examples: list[Example] = []
    refused: Counter[str] = Counter()
    failed: list[str] = []
    with Journal(folder, shard.index, provider.identity) as journal:
        for done, video in enumerate(mine, 1):
            try:
                found = relabel(video, provider, journal, config, verbs)
            except RewardSourceError as error:
                if not keep_going:
                    raise
                failed.append(f"{video.id}: {error}")
            else:
                examples += found.examples
                refused.update(found.refused)
            left = len(mine) - done
            share = left / done if journal.asked else 0.0
            on_progress(
                Progress(
                    done,
                    len(mine),
                    len(examples),
                    journal.asked,
                    journal.seconds * share,
                    provider.spent * share,
                )
            )
        asked = journal.asked
    return Outcome(tuple(_ordered(examples)), refused, tuple(failed), asked)


def _distinct(videos: Sequence[SourceVideo]) -> None:
    twice = [key for key, count in Counter(video.id for video in videos).items() if count > 1]
    if twice:
        raise ConfigError("videos share an id", got=twice[:5], allowed="one id a row")


def _ordered(examples: Sequence[Example]) -> Iterator[Example]:
    """By video and id, each id once: two rows of one video may end in the same example."""
    seen: set[str] = set()
    for example in sorted(examples, key=lambda item: (item.video, item.id)):
        if example.id not in seen:
            seen.add(example.id)
            yield example


def write_manifest(examples: Sequence[Example], path: Path) -> str:
    """All examples, one line each, in one stroke; returns the sha256 of the file's content."""
    content = "".join(example.to_json() + "\n" for example in _ordered(examples))
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(content, encoding="utf-8")
    part.replace(path)
    return hashlib.sha256(content.encode()).hexdigest()


def split_of(sha256: str, shares: Sequence[float] = (0.8, 0.1, 0.1)) -> str:
    """``train``, ``val`` or ``test`` of a video: a function of its content alone."""
    if len(shares) != 3 or abs(sum(shares) - 1) > 1e-6 or min(shares) < 0:
        raise ConfigError("shares of the splits", got=shares, allowed="three, sum 1")
    place = int(sha256[:12], 16) / 16**12
    return "train" if place < shares[0] else "val" if place < shares[0] + shares[1] else "test"


def contamination(train: Sequence[Example], test: Sequence[Example]) -> dict[str, int]:
    """Test examples whose video, or whose sentence, is also in training."""
    videos = {example.sha256 for example in train}
    tasks = {example.task.lower() for example in train}
    return {
        "rows": len(test),
        "same_video": sum(example.sha256 in videos for example in test),
        "same_sentence": sum(example.task.lower() in tasks for example in test),
    }


def read_manifest(path: Path) -> list[dict[str, object]]:
    """Rows of a manifest as plain values."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Relabels many videos: resumable, shardable, with an estimate of what is left.

First every question is asked (``run``), then the examples are read back from the answers, video by
video (``relabelled``), as often as somebody wants them. Neither keeps more than one video in
memory.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from roboreward_ros.episodes.locks import WriterLock
from roboreward_ros.errors import RewardSourceError, StoreError
from roboreward_ros.files import open_atomic
from roboreward_ros.reward_training.relabel.catalogue import Catalogue, Shard
from roboreward_ros.reward_training.relabel.episode import (
    LADDER,
    SUCCESS,
    RelabelConfig,
    first_words,
    relabel,
)
from roboreward_ros.reward_training.relabel.examples import Example, SourceVideo
from roboreward_ros.reward_training.relabel.journal import Journals
from roboreward_ros.reward_training.relabel.provider import Provider

_REASONS = 1000
"""Different reasons that are counted apart; further ones are counted by their stage."""


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
        kinds: examples by how they came about.
        rewards: examples by label.
        refused: how often each reason came up.
        failed: videos that the provider could not answer for, a sentence each.
        asked: questions that were not in the journal.
    """

    kinds: Counter[str]
    rewards: Counter[int]
    refused: Counter[str]
    failed: tuple[str, ...]
    asked: int

    @property
    def examples(self) -> int:
        """How many."""
        return self.kinds.total()


@dataclass(frozen=True, slots=True)
class Relabelled:
    """A video and its examples, each once, by id."""

    video: SourceVideo
    examples: tuple[Example, ...]


def most_questions(videos: Catalogue, config: RelabelConfig) -> int:
    """Upper bound of the questions that a run asks, for an estimate before it begins."""
    clips = len(config.clip_ends)
    success = 2 + 2 * len(LADDER) * config.attempts + 2 * clips
    made = 1 + len(LADDER) + clips
    worded = int(config.paraphrases > 0)
    return sum(
        count * (1 + (success + made * worded if reward == SUCCESS else worded))
        for reward, count in videos.rewards().items()
    )


def run(
    videos: Catalogue,
    provider: Provider,
    folder: Path,
    config: RelabelConfig,
    shard: Shard | None = None,
    *,
    keep_going: bool = False,
    on_progress: Callable[[Progress], object] = lambda _: None,
) -> Outcome:
    """Ask everything about this shard's videos, from wherever an earlier run stopped.

    Args:
        videos: all of them; every worker gets the same.
        provider: who is asked.
        folder: of the journals.
        config: what to make; changing it keeps the answers that still fit.
        shard: part to do.
        keep_going: name videos that could not be answered for and go on.
        on_progress: told after every video.

    Raises:
        RewardSourceError: the provider failed (unless ``keep_going``).
        StoreError, FormatError: of the journals; another process has this shard.
    """
    shard = shard or Shard()
    verbs = first_words(videos.tasks())
    mine = videos.count(shard)
    outcome = Outcome(Counter(), Counter(), Counter(), (), 0)
    failed: list[str] = []
    fresh = 0
    lock = WriterLock(folder / f".lock-{shard.index}-of-{shard.count}", "this shard's journal")
    try:
        journals = Journals(folder, provider.identity)
        for done, video in enumerate(videos.videos(shard), 1):
            before = journals.asked
            with journals.open(video.id) as journal:
                try:
                    found = relabel(video, provider, journal, config, verbs)
                except RewardSourceError as error:
                    if not keep_going:
                        raise
                    failed.append(f"{video.id}: {error}")
                else:
                    _count(outcome, _once(found.examples), found.refused)
            fresh += journals.asked > before
            # What an earlier run had answered says nothing about time and cost.
            share = (mine - done) / fresh if fresh else 0.0
            seconds, cost = journals.seconds * share, provider.spent * share
            on_progress(Progress(done, mine, outcome.examples, journals.asked, seconds, cost))
    finally:
        lock.release()
    return Outcome(outcome.kinds, outcome.rewards, outcome.refused, tuple(failed), journals.asked)


def relabelled(
    videos: Catalogue,
    provider: Provider,
    folder: Path,
    config: RelabelConfig,
    shard: Shard | None = None,
) -> Iterator[Relabelled]:
    """What the answers give, video by video in the order of their ids; nobody is asked.

    Videos without all their answers are left out: ``run`` has named them.

    Raises:
        FormatError: a damaged journal.
    """
    verbs = first_words(videos.tasks())
    journals = Journals(folder, provider.identity)
    for video in videos.videos(shard or Shard()):
        with journals.open(video.id, replay=True) as journal:
            try:
                found = relabel(video, provider, journal, config, verbs)
            except RewardSourceError:
                continue
        yield Relabelled(video, _once(found.examples))


def _once(examples: Iterable[Example]) -> tuple[Example, ...]:
    """By id, each once."""
    return tuple(value for _, value in sorted({e.id: e for e in examples}.items()))


def _count(outcome: Outcome, examples: Iterable[Example], refused: Iterable[str]) -> None:
    for example in examples:
        outcome.kinds[example.kind.value] += 1
        outcome.rewards[example.reward] += 1
    for reason in refused:
        known = reason in outcome.refused or len(outcome.refused) < _REASONS
        outcome.refused[reason if known else f"{reason.partition(':')[0]}: other reasons"] += 1


def write_manifest(found: Iterable[Relabelled], path: Path) -> str:
    """All examples, one line each, in one stroke; returns the sha256 of the file's content.

    Raises:
        StoreError: it cannot be written.
    """
    content = hashlib.sha256()
    try:
        with open_atomic(path) as file:
            for item in found:
                for example in item.examples:
                    line = (example.to_json() + "\n").encode()
                    content.update(line)
                    file.write(line)
    except OSError as error:
        raise StoreError("the manifest cannot be written", got=f"{path}: {error}") from None
    return content.hexdigest()

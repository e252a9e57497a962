# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What each head is asked, which answers there are, and the examples that labels give."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from roboreward_ros.episodes.exchange.labelled_layout import LayoutRow
from roboreward_ros.errors import ConfigError
from roboreward_ros.reward_training.finetune.recipe import FinetuneConfig, Head, Keyframes
from roboreward_ros.rewards.config import Option, build_config
from roboreward_ros.rewards.lrm_completion import QUESTION as COMPLETION
from roboreward_ros.rewards.lrm_completion import LrmCompletionConfig
from roboreward_ros.rewards.lrm_contrastive import QUESTION as CONTRAST
from roboreward_ros.rewards.lrm_contrastive import LrmContrastiveConfig
from roboreward_ros.rewards.lrm_progress import QUESTION as PROGRESS
from roboreward_ros.rewards.lrm_progress import LrmProgressConfig
from roboreward_ros.rewards.roboreward import RoboRewardConfig
from roboreward_ros.rewards.shipped import model_options
from roboreward_ros.rewards.vlm.clips import select
from roboreward_ros.rewards.vlm.image_source import ImageConfig, Question
from roboreward_ros.rewards.vlm.prompt import (
    ANSWER_PREFIX,
    Family,
    chat,
    checked_task,
    scoring_prompt,
)
from roboreward_ros.rewards.vlm.settings import VideoConfig
from roboreward_ros.types import RUBRIC_MAX, RUBRIC_MIN

_RUBRIC = {str(score): float(score) for score in range(RUBRIC_MIN, RUBRIC_MAX + 1)}
_QUESTIONS: Mapping[Head, tuple[str, Question, type[ImageConfig]]] = {
    Head.PROGRESS: ("lrm_progress", PROGRESS, LrmProgressConfig),
    Head.COMPLETION: ("lrm_completion", COMPLETION, LrmCompletionConfig),
    Head.CONTRAST: ("lrm_contrastive", CONTRAST, LrmContrastiveConfig),
}
_OF_THE_MODEL = ("model", "revision", "adapter", "adapter_revision", "offline", "device", "dtype")
_SCORED = {"readout": "scored"}  # a model that was never shown an analysis prints none


@dataclass(frozen=True, slots=True)
class Example:
    """One thing to learn.

    Attributes:
        video: sha256 of the file.
        task: the sentence.
        frames: indices of the frames to look at, in the order of the question; empty: the clip.
        right: number of the answer that is right.
        weight: in the loss.
    """

    video: str
    task: str
    frames: tuple[int, ...]
    right: int
    weight: float = 1.0


class Form:
    """A head's question and answers, with the options of the reward source that asks it.

    Args:
        config: recipe.

    Raises:
        ConfigError: options that the source does not know.
    """

    def __init__(self, config: FinetuneConfig) -> None:
        self.head = config.head
        self.preference = config.head is Head.CONTRAST
        self._keyframes = config.keyframes
        self._seed = config.seed
        options = {
            key: value
            for key, value in {**model_options(config.model), **config.options}.items()
            if key not in _OF_THE_MODEL
        }
        self._video: VideoConfig | None = None
        self._question: Question | None = None
        answers: Mapping[str, float]
        if config.head is Head.RUBRIC:
            self.source, self.lead, answers = "roboreward", ANSWER_PREFIX, _RUBRIC
            self._video = build_config(RoboRewardConfig, options, "options")
            self.pixels, self.system = self._video.frame_pixels, self._video.system
            asked: object = (self._video.clip_config(), self._video.prompt_config())
        else:
            self.source, self._question, kind = _QUESTIONS[config.head]
            options = {**options, **_SCORED}
            image = build_config(kind, options, "options")
            self.pixels, self.system = image.frame_pixels, image.system
            self.lead, answers = self._question.lead, self._question.answers
            asked = (config.keyframes.count, image.system)
        self.options: dict[str, Option] = options
        self.name = f"{self.source} {asked}"
        self.answers = tuple(answers)
        self.levels = tuple(answers.values())

    def frames(self, count: int, hz: float) -> Sequence[int]:
        """Indices of the frames that any question about a video may look at."""
        if self._video is not None:
            return select(count, hz, self._video.clip_config()).indices
        return _key_frames(count, self._keyframes)

    def prompt(self, task: str, family: Family) -> str:
        """The whole prompt up to where the model begins to speak."""
        if self._video is not None:
            return scoring_prompt(task, self._video.prompt_config(), family)
        assert self._question is not None
        text = self._question.text.replace("{task}", checked_task(task))
        return chat(text, self.system, family)

    def replies(self, example: Example) -> tuple[int, ...]:
        """Numbers of the answers that a step needs: the right one, and what it is preferred to."""
        return (example.right, 1 - example.right) if self.preference else (example.right,)

    @property
    def video(self) -> VideoConfig | None:
        """How a clip is shown; None for heads that look at single frames."""
        return self._video

    def examples(
        self, rows: Sequence[LayoutRow], hashes: Mapping[Path, str], count: Callable[[str], int]
    ) -> list[Example]:
        """What there is to learn from labelled videos, in their order.

        Args:
            rows: of a split.
            hashes: sha256 by path.
            count: number of frames of a video, by its sha256.

        Raises:
            ConfigError: the labels give no example for this head.
        """
        found: list[Example] = []
        for row in rows:
            video = hashes[row.path]
            found += self._of(row, video, count)
        if not found:
            raise ConfigError(
                f"no row teaches the head '{self.head}'",
                got=f"{len(rows)} rows",
                allowed=f"rows with a reward of at least {self._keyframes.success_from}",
            )
        return _balanced(found) if self.head is Head.COMPLETION else found

    def _of(self, row: LayoutRow, video: str, count: Callable[[str], int]) -> list[Example]:
        if self.head is Head.RUBRIC:
            return [Example(video, row.task, (), row.reward - RUBRIC_MIN)]
        keyframes, frames = self._keyframes, count(video)
        if row.reward < keyframes.success_from:
            if self.head is Head.COMPLETION and keyframes.failures:
                return [Example(video, row.task, (frames - 1,), 0)]
            return []
        places = _key_frames(frames, keyframes)
        if self.head is Head.CONTRAST:
            return self._pairs(row.task, video, places)
        found = []
        for place in places:
            share = place / (frames - 1)
            if self.head is Head.PROGRESS:
                right = int(np.abs(np.array(self.levels) - share).argmin())
                found.append(Example(video, row.task, (0, place), right))
            else:
                done = int(share >= keyframes.completed_from - 1e-9)
                found.append(Example(video, row.task, (place,), done))
        return found

    def _pairs(self, task: str, video: str, places: Sequence[int]) -> list[Example]:
        """Pairs of key frames, either one first: the later one is further."""
        digest = hashlib.sha256(json.dumps([self._seed, video, task]).encode()).digest()
        rng = np.random.default_rng(list(digest[:16]))
        every = [(a, b) for a in places for b in places if a < b]
        chosen = rng.permutation(len(every))[: self._keyframes.pairs]
        found = []
        for number in np.sort(chosen):
            earlier, later = every[int(number)]
            if rng.integers(2):
                found.append(Example(video, task, (earlier, later), self.levels.index(1.0)))
            else:
                found.append(Example(video, task, (later, earlier), self.levels.index(-1.0)))
        return found


def _key_frames(count: int, keyframes: Keyframes) -> list[int]:
    """Indices at progress 0 .. 1, ascending; a short video has fewer."""
    shares = np.linspace(0.0, 1.0, keyframes.count)
    return sorted({round(float(share) * (count - 1)) for share in shares})


def _balanced(examples: Sequence[Example]) -> list[Example]:
    """Every answer has the same weight in all; the mean weight is 1."""
    counts = np.bincount([example.right for example in examples])
    kinds = int((counts > 0).sum())
    return [
        dataclasses.replace(example, weight=len(examples) / (kinds * float(counts[example.right])))
        for example in examples
    ]


def digest_of(examples: Sequence[Example]) -> str:
    """sha256 of what is learned: videos, sentences, frames and answers, whatever the folder."""
    digest = hashlib.sha256()
    for example in examples:
        line = [example.video, example.task, example.frames, example.right]
        digest.update(json.dumps(line).encode())
    return digest.hexdigest()

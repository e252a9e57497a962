# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Sources that look at one or two frames of an episode and answer in JSON (LRM, arXiv 2603.16065).

An answer is either generated and parsed, reasoning included, or every admissible answer is scored
as a sequence behind the beginning of the JSON object, which skips the reasoning.
"""

from __future__ import annotations

import dataclasses
from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from roboreward_ros.errors import ConfigError, RewardSourceError
from roboreward_ros.rewards.frames import frames_hash
from roboreward_ros.rewards.vlm.answers import Answer
from roboreward_ros.rewards.vlm.clips import decode
from roboreward_ros.rewards.vlm.parsers import Parsed, Reading
from roboreward_ros.rewards.vlm.prompt import Family, chat, checked_task
from roboreward_ros.rewards.vlm.settings import ModelConfig, Readout
from roboreward_ros.rewards.vlm.source import ModelSource
from roboreward_ros.types import (
    ImageU8,
    RewardOutcome,
    RewardRequest,
    Score,
    ScoreKind,
    ScoreScale,
)

if TYPE_CHECKING:
    from roboreward_ros.rewards.vlm.backend import Backend, Feed

LRM_HINT = (
    "Download the adapters once (USC-PSI-Lab/LRM-models, subfolders contrastive, progress and "
    "completion) with their base model Qwen3-VL-8B-Instruct, and set 'adapter' too."
)


@dataclass(frozen=True, slots=True)
class ImageConfig(ModelConfig):
    """Settings of a source that looks at frames.

    Attributes:
        dense: give a value for every step.
        every: steps from one question to the next; the value is held in between.
    """

    dense: bool = False
    every: int = 10

    def __post_init__(self) -> None:
        ModelConfig.__post_init__(self)
        if self.every < 1:
            raise ConfigError("every is too small", got=self.every, allowed=">= 1 step")


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, and which answers there are.

    Attributes:
        text: the instruction with ``{task}`` and image placeholders.
        lead: beginning of the reply up to the value.
        answers: how the reply goes on, with the value that it means; ascending.
        read: parser of a printed reply.
    """

    text: str
    lead: str
    answers: Mapping[str, float]
    read: Callable[[str], Reading]


class ImageSource(ModelSource):
    """Base of the sources over frames (protocol ``RewardSource``)."""

    def __init__(
        self, name: str, scale: ScoreScale, config: ImageConfig, question: Question
    ) -> None:
        super().__init__(name, scale, config, LRM_HINT, config.dense)
        self._config = config
        self._question = question

    @abstractmethod
    def _frames_at(self, step: int) -> tuple[int, ...]:
        """Frames to show for a step, in the order of the placeholders; empty: nothing to ask."""

    def _template(self, family: Family) -> str:
        return self._prompt("TASK", family) + self._question.lead

    def _prompt(self, task: str, family: Family) -> str:
        text = self._question.text.replace("{task}", checked_task(task))
        return chat(text, self._config.system, family)

    def _try(self, backend: Backend) -> None:
        lead = self._question.lead
        for text in self._question.answers:
            joined = backend.encoder.encode(lead + text)
            if joined != backend.encoder.encode(lead) + backend.encoder.encode(text):
                raise RewardSourceError(
                    "answers join the text before them in this vocabulary",
                    got=lead + text,
                    next_step="Use readout: printed.",
                )
        side = 2 * backend.patching.factor
        frame = np.zeros((side, side, 3), dtype=np.uint8)
        images = [frame] * len(self._frames_at(1_000_000))
        self._scored(backend, self._prompt("wait", backend.family), images)

    def _scored(self, backend: Backend, prompt: str, images: list[ImageU8]) -> Answer:
        from roboreward_ros.rewards.vlm.packed import score_sequences

        feed = backend.encode(prompt, images=images, lead=self._question.lead)
        answers = self._question.answers
        return score_sequences(backend, feed, list(answers), list(answers.values()))

    def _ask(self, backend: Backend, request: RewardRequest) -> RewardOutcome:
        prompt = self._prompt(request.task, backend.family)
        last = len(request.frames) - 1
        steps = (
            sorted({*range(0, last + 1, self._config.every), last}) if self._spec.dense else [last]
        )
        per_step = np.zeros(last + 1)
        seen: list[int] = []
        outcome: RewardOutcome | None = None
        for step in steps:
            indices = self._frames_at(step)
            if not indices:
                continue
            seen.extend(indices)
            pixels = decode(
                request.frames, indices, self._config.frame_pixels, backend.patching.factor
            )
            hashed = frames_hash([request.frames[index] for index in indices])
            provenance = dataclasses.replace(self._identity, frames_hash=hashed)
            if self._config.readout is Readout.PRINTED:
                feed: Feed = backend.encode(prompt, images=list(pixels))
                text = backend.generate(feed, self._config.max_new_tokens)
                reading = self._question.read(text)
                outcome = self._printed(text, reading, provenance)
                if not isinstance(reading, Parsed):
                    return outcome
                per_step[step:] = reading.value
            else:
                answer = self._scored(backend, prompt, list(pixels))
                outcome = self._verdict(answer, ScoreKind.SEQUENCES, provenance)
                per_step[step:] = answer.value(self._config.estimate)
        if outcome is None:
            raise RewardSourceError("the episode has no frame to ask about")
        if not (self._spec.dense and isinstance(outcome, Score)):
            return outcome
        provenance = dataclasses.replace(
            outcome.provenance, frames_hash=frames_hash([request.frames[index] for index in seen])
        )
        return dataclasses.replace(
            outcome, per_step=tuple(per_step.tolist()), provenance=provenance
        )

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Sources that judge a video with one token: on the 1..5 rubric, or by other answers."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from roboreward_ros.errors import RewardSourceError
from roboreward_ros.rewards.frames import frames_hash
from roboreward_ros.rewards.vlm.clips import Clip, Selection, decode, select
from roboreward_ros.rewards.vlm.ensemble import pool, wordings
from roboreward_ros.rewards.vlm.parsers import read_rubric
from roboreward_ros.rewards.vlm.prompt import (
    Family,
    Order,
    checked_task,
    scoring_prompt,
    split_video,
)
from roboreward_ros.rewards.vlm.settings import Readout, VideoConfig
from roboreward_ros.rewards.vlm.source import ModelSource
from roboreward_ros.types import (
    Abstain,
    AbstainReason,
    RewardOutcome,
    RewardRequest,
    ScoreKind,
    ScoreScale,
)

if TYPE_CHECKING:
    from roboreward_ros.rewards.vlm.answers import Answer
    from roboreward_ros.rewards.vlm.backend import Backend, Choice


class VideoSource(ModelSource):
    """Frames and a task to a score, 1..5 by default (protocol ``RewardSource``)."""

    def __init__(
        self,
        name: str,
        config: VideoConfig,
        weights_hint: str,
        scale: ScoreScale = ScoreScale.RUBRIC,
    ) -> None:
        super().__init__(name, scale, config, weights_hint, config.dense)
        self._config = config

    def _prompt(self, task: str, family: Family) -> str:
        return scoring_prompt(task, self._config.prompt_config(), family)

    def _choice(self, backend: Backend) -> Choice:
        """The answers that are scored."""
        return backend.rubric

    def _template(self, family: Family) -> str:
        return self._prompt("TASK", family)

    def _try(self, backend: Backend) -> None:
        side = 2 * backend.patching.factor
        frames = np.zeros((2, side, side, 3), dtype=np.uint8)
        clip = Clip(frames, (0.0, 0.5), 0.5)
        backend.score(self._prompt("wait", backend.family), clip, self._choice(backend))

    def _ask(self, backend: Backend, request: RewardRequest) -> RewardOutcome:
        prompt = self._prompt(request.task, backend.family)
        if self._config.dense:
            answers = self._every_prefix(backend, prompt, request)
            provenance = dataclasses.replace(
                self._identity, frames_hash=frames_hash(request.frames)
            )
            per_step = tuple(self._value(answer) for answer in answers)
            return self._verdict(answers[-1], ScoreKind.TOKENS, provenance, per_step)
        selection = select(len(request.frames), request.control_hz, self._config.clip_config())
        clip = self._clip(backend, request.frames, selection)
        seen = [request.frames[index] for index in selection.indices]
        provenance = dataclasses.replace(self._identity, frames_hash=frames_hash(seen))
        if self._config.readout is Readout.PRINTED:
            text = backend.generate(backend.encode(prompt, clip), self._config.max_new_tokens)
            return self._printed(text, read_rubric(text), provenance)
        answers = self._answers(backend, request.task, clip)
        pooled = pool(answers)
        values = [self._value(answer) for answer in answers]
        apart = max(values) - min(values)
        if apart > self._config.max_spread:
            listed = ", ".join(f"{value:g}" for value in values)
            return Abstain(
                AbstainReason.DISAGREEMENT,
                provenance,
                f"the wordings of the task are scored {listed} (limit of the spread: "
                f"{self._config.max_spread:g})",
                pooled.levels,
                pooled.probabilities,
            )
        return self._verdict(pooled, ScoreKind.TOKENS, provenance)

    def _answers(self, backend: Backend, task: str, clip: Clip) -> list[Answer]:
        """One answer a wording; a video that comes first is computed once for all."""
        tasks = wordings(checked_task(task), self._config.paraphrases)
        prompts = [self._prompt(wording, backend.family) for wording in tasks]
        choice = self._choice(backend)
        if len(prompts) > 1 and self._config.order is Order.VIDEO_FIRST:
            from roboreward_ros.rewards.vlm.packed import score_instructions

            return score_instructions(backend, prompts, clip, choice=choice)
        return backend.score_batch([(prompt, clip) for prompt in prompts], choice)

    def _clip(self, backend: Backend, frames: Sequence[bytes], selection: Selection) -> Clip:
        pixels = decode(
            frames, selection.indices, self._config.frame_pixels, backend.patching.factor
        )
        return Clip(pixels, selection.times_s, selection.seconds_per_frame, selection.stable)

    def _every_prefix(self, backend: Backend, prompt: str, request: RewardRequest) -> list[Answer]:
        """An answer for every prefix, each frame of the grid computed once (memory: one cache)."""
        from roboreward_ros.rewards.vlm.incremental import IncrementalScorer

        before, after = split_video(prompt)
        pixels, factor = self._config.frame_pixels, backend.patching.factor
        choice = self._choice(backend)
        scorer: IncrementalScorer | None = None
        spacing = -1.0
        answers = []
        for count in range(1, len(request.frames) + 1):
            selection = select(count, request.control_hz, self._config.clip_config())
            if scorer is None or selection.seconds_per_frame != spacing:
                spacing = selection.seconds_per_frame  # a long episode goes on at half the rate
                scorer = IncrementalScorer(backend, before, spacing)
            for index in range(scorer.frames, selection.stable):
                frame = decode(request.frames, selection.indices[index : index + 1], pixels, factor)
                scorer.push(frame[0], selection.times_s[index])
            if selection.stable == len(selection.indices):
                answers.append(scorer.score(after, choice=choice))
                continue
            tail = decode(request.frames, selection.indices[-1:], pixels, factor)
            answers.append(scorer.score(after, tail[0], selection.times_s[-1], choice))
        if not answers:
            raise RewardSourceError("the episode has no frames")
        return answers

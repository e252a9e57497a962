# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Sources that judge a video with one token: on the 1..5 rubric, or by other answers."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from roboreward_ros.rewards.frames import frames_hash
from roboreward_ros.rewards.vlm.clips import Clip, Sampling, Selection, decode, select
from roboreward_ros.rewards.vlm.ensemble import pool, wordings
from roboreward_ros.rewards.vlm.parsers import read_rubric
from roboreward_ros.rewards.vlm.prompt import (
    Family,
    Order,
    checked_task,
    scoring_prompt,
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
    from roboreward_ros.rewards.vlm.live import LiveVideo


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
            return self._follow(backend, prompt, request.control_hz).finish(request)
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

    @property
    def batch(self) -> int:
        """Episodes that it answers in one forward pass."""
        whole = self._config.readout is Readout.SCORED and not self._config.paraphrases
        return self._config.batch if whole and not self._config.dense else 1

    def score_batch(self, requests: list[RewardRequest]) -> list[RewardOutcome]:
        """Outcomes of several episodes in one forward pass; raises as ``score`` does for any."""
        backend = self._warm(requests)
        asked = []
        for request in requests:
            count, hz = len(request.frames), request.control_hz
            selection = select(count, hz, self._config.clip_config())
            prompt = self._prompt(checked_task(request.task), backend.family)
            asked.append((prompt, self._clip(backend, request.frames, selection)))
        answers = backend.score_batch(asked, self._choice(backend))
        return [
            self._judged(answer, request, ())
            for answer, request in zip(answers, requests, strict=True)
        ]

    def begin(self, task: str, control_hz: float) -> LiveVideo | None:
        """Follow an episode while it runs; None where every new frame changes what is seen."""
        config, backend = self._config, self._backend
        stays = config.sampling is Sampling.GRID and config.readout is Readout.SCORED
        if backend is None or not stays or config.paraphrases:
            return None
        prompt = self._prompt(checked_task(task), backend.family)
        return self._follow(backend, prompt, control_hz)

    def _follow(self, backend: Backend, prompt: str, control_hz: float) -> LiveVideo:
        from roboreward_ros.rewards.vlm.live import GrowingVideo, LiveVideo

        clip, choice = self._config.clip_config(), self._choice(backend)
        video = GrowingVideo(backend, prompt, clip, control_hz, choice)
        return LiveVideo(video, self._value, self._config.dense, self._judged)

    def _judged(
        self, answer: Answer, request: RewardRequest, per_step: tuple[float, ...]
    ) -> RewardOutcome:
        """The outcome of an answer about a whole episode, with what was looked at."""
        seen: Sequence[bytes] = request.frames
        if not self._config.dense:
            clip = self._config.clip_config()
            indices = select(len(request.frames), request.control_hz, clip).indices
            seen = [request.frames[index] for index in indices]
        provenance = dataclasses.replace(self._identity, frames_hash=frames_hash(seen))
        return self._verdict(answer, ScoreKind.TOKENS, provenance, per_step)

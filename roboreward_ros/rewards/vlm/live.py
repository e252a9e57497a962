# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A video that grows while its episode runs: every frame of the grid is computed once, as it comes.

What is left for the episode's end is the question behind the video and a last frame off the grid.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from roboreward_ros.errors import RewardSourceError
from roboreward_ros.rewards.progress import report
from roboreward_ros.rewards.vlm.clips import ClipConfig, decode, select
from roboreward_ros.rewards.vlm.incremental import IncrementalScorer
from roboreward_ros.rewards.vlm.prompt import split_video
from roboreward_ros.types import ImageU8, RewardOutcome, RewardRequest

if TYPE_CHECKING:
    from roboreward_ros.rewards.vlm.answers import Answer
    from roboreward_ros.rewards.vlm.backend import Backend, Choice


class GrowingVideo:
    """The frames of one episode so far, in the model's cache.

    Args:
        backend: the model.
        prompt: with a place for the video.
        clip: which frames; sampling must be ``grid``.
        control_hz: rate of the frames that come, Hz.
        choice: admissible answers.
    """

    def __init__(
        self, backend: Backend, prompt: str, clip: ClipConfig, control_hz: float, choice: Choice
    ) -> None:
        self._backend = backend
        self._before, self._after = split_video(prompt)
        self._clip = clip
        self._control_hz = control_hz
        self._choice = choice
        self._scorer: IncrementalScorer | None = None
        self._spacing = -1.0
        self._on_grid: dict[int, bytes] = {}  # a long episode goes on with some of them
        self._last = b""
        self.count = 0

    def push(self, jpeg: bytes) -> None:
        """The next frame of the episode; one of the grid is computed with the next answer."""
        self.count += 1
        self._last = jpeg
        selection = select(self.count, self._control_hz, self._clip)
        grid = selection.indices[: selection.stable]
        if grid[-1] == self.count - 1:
            self._on_grid[self.count - 1] = jpeg
        if self._scorer is None or selection.seconds_per_frame != self._spacing:
            self._spacing = selection.seconds_per_frame  # at half the rate
            self._scorer = IncrementalScorer(self._backend, self._before, self._spacing)
            self._on_grid = {index: self._on_grid[index] for index in grid}
        for place in range(self._scorer.frames, selection.stable):
            index = selection.indices[place]
            self._scorer.push(self._pixels(self._on_grid[index]), selection.times_s[place])

    def warm(self) -> None:
        """Compute complete groups now, without a question."""
        scorer, size = self._scorer, self._backend.patching.temporal
        if scorer is not None and scorer.frames // size > scorer.cached_groups:
            scorer.logits("")

    def answer(self) -> Answer:
        """The distribution for the frames so far."""
        if self._scorer is None:
            raise RewardSourceError("the episode has no frames")
        selection = select(self.count, self._control_hz, self._clip)
        if selection.stable == len(selection.indices):
            return self._scorer.score(self._after, choice=self._choice)
        tail = self._pixels(self._last)
        return self._scorer.score(self._after, tail, selection.times_s[-1], self._choice)

    def _pixels(self, jpeg: bytes) -> ImageU8:
        pixels = self._clip.frame_pixels
        frame: ImageU8 = decode([jpeg], [0], pixels, self._backend.patching.factor)[0]
        return frame


class LiveVideo:
    """A growing episode of a source over videos (protocol ``LiveEpisode``).

    Args:
        video: empty.
        value: score of an answer.
        dense: answer at every frame.
        verdict: outcome of the last answer, for the stored episode and the values of its steps.
    """

    def __init__(
        self,
        video: GrowingVideo,
        value: Callable[[Answer], float],
        dense: bool,
        verdict: Callable[[Answer, RewardRequest, tuple[float, ...]], RewardOutcome],
    ) -> None:
        self._video = video
        self._value = value
        self._dense = dense
        self._verdict = verdict
        self._answer: Answer | None = None
        self._values: list[float] = []

    def push(self, jpeg: bytes) -> float | None:
        """The next frame; the value of its step of a dense source."""
        self._video.push(jpeg)
        if not self._dense:
            self._video.warm()
            return None
        self._answer = self._video.answer()
        self._values.append(self._value(self._answer))
        return self._values[-1]

    def finish(self, request: RewardRequest) -> RewardOutcome:
        """Score the stored episode, whose first frames were pushed."""
        total = len(request.frames)
        for jpeg in request.frames[self._video.count :]:
            self.push(jpeg)
            report(self._video.count, total)
        answer = self._answer if self._dense else self._video.answer()
        if answer is None:
            raise RewardSourceError("the episode has no frames")
        return self._verdict(answer, request, tuple(self._values))

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The frames of an episode that is still being recorded, as its store will hold them.

Images and states are paired by the assembler that the recorder uses, and encoded alike; whether
the result is really what was stored is for the reader of the store to check, by hash.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from roboreward_ros.episodes.assembly import Beat, EpisodeAssembler
from roboreward_ros.types import (
    Chunk,
    EndCause,
    FloatArray,
    GroundTruth,
    ImageU8,
    RobotState,
    StepReport,
)

PENDING_IMAGES = 32
"""Images that wait for their state."""


@dataclass(frozen=True, slots=True)
class FeedFrame:
    """One frame: which episode and step, and the bytes."""

    episode_id: str
    task: str
    step: int
    jpeg: bytes


class FrameFeed:
    """Follows one running episode after the other. For one thread.

    Args:
        encode: image ``[H, W, 3]`` uint8 RGB -> JPEG bytes, as the recorder does it.
        on_frame: gets the frames of an episode in order, without gaps, from step 0.
        on_abort: told of an episode that came to nothing.
        max_skew_s: as the recorder's.
    """

    def __init__(
        self,
        encode: Callable[[ImageU8], bytes],
        on_frame: Callable[[FeedFrame], object],
        on_abort: Callable[[str], object],
        max_skew_s: float = 0.15,
    ) -> None:
        self._encode = encode
        self._on_frame = on_frame
        self._on_abort = on_abort
        self._max_skew_s = max_skew_s
        self._episode_id = ""
        self._assembler: EpisodeAssembler | None = None
        self._frames: _Frames | None = None
        self._last = -1

    def begin(self, episode_id: str, task: str) -> None:
        """An episode will run; images that come from now on may be its."""
        self._episode_id, self._last = episode_id, -1
        self._frames = frames = _Frames(episode_id, task, self._on_frame)
        self._assembler = EpisodeAssembler(
            lambda policy_id, size: frames,  # noqa: ARG005
            self._encode,
            expects_truth=False,
            max_skew_s=self._max_skew_s,
            pending_images=PENDING_IMAGES,
        )
        self._assembler.begin("", 1)

    def add_image(self, stamp_ns: int, image: ImageU8) -> None:
        """An image ``[H, W, 3]``, whether an episode runs or not."""
        if self._assembler is not None:
            self._assembler.add_image(stamp_ns, image)
            self._end_if_whole()

    def add_state(self, episode_id: str, step: int, state: RobotState, last: bool) -> None:
        """A state of the arm's owner; one of another episode is not followed."""
        if self._assembler is None or episode_id != self._episode_id:
            return
        self._assembler.add_beat(Beat(step, state, None, last))
        self._last = step if last else self._last
        self._end_if_whole()

    def _end_if_whole(self) -> None:
        """Between episodes images are not kept."""
        if self._frames is not None and 0 <= self._last < self._frames.count:
            self._assembler = None

    def abort(self, episode_id: str) -> None:
        """An episode came to nothing."""
        if episode_id == self._episode_id:
            self._assembler = None
        self._on_abort(episode_id)


class _Frames:
    """The part of an EpisodeWriter that looks at images, and nothing else."""

    def __init__(self, episode_id: str, task: str, on_frame: Callable[[FeedFrame], object]) -> None:
        self._episode_id = episode_id
        self._task = task
        self._on_frame = on_frame
        self.count = 0

    def add_observation(
        self, step: int, stamp_ns: int, jpeg: bytes, proprio: FloatArray, q: FloatArray
    ) -> None:
        del stamp_ns, proprio, q
        if step == self.count:  # behind a gap nothing matches the store any more
            self.count += 1
            self._on_frame(FeedFrame(self._episode_id, self._task, step, jpeg))

    def add_step(self, step: int, report: StepReport) -> None:
        del step, report

    def add_chunk(self, chunk: Chunk) -> None:
        del chunk

    def add_truth(self, step: int, truth: GroundTruth) -> None:
        del step, truth

    def commit(self, end_cause: EndCause, taint: tuple[str, ...] = ()) -> str:
        del end_cause, taint
        return ""

    def abort(self) -> None:
        """There is nothing to drop."""

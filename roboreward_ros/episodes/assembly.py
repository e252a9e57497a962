# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Puts one episode together from streams that arrive independently: images, states, decisions.

A state belongs to the image of its own stamp; where the camera keeps its own time, to the newest
image that is not younger than the state. One thread feeds it; knows nothing about transport.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

from roboreward_ros.errors import ConfigError
from roboreward_ros.protocols import EpisodeWriter
from roboreward_ros.types import (
    Chunk,
    EndCause,
    GroundTruth,
    ImageU8,
    RobotState,
    StepFlag,
    StepReport,
)

JUMP_NS = 1_000_000_000
"""Stamps that go back by more than this: the wall clock was set; by less: frames overtook."""
SET_BACK = "clock set back"
_TAINTING = {StepFlag.FAULT: "fault", StepFlag.TAKEOVER: "takeover"}


@dataclass(frozen=True, slots=True)
class Beat:
    """One state of the arm's owner.

    Attributes:
        step: k, the state after k actions.
        state: measured then.
        report: how the action of step k - 1 was executed; None at step 0.
        last: nothing follows.
        end_cause: valid when ``last``.
    """

    step: int
    state: RobotState
    report: StepReport | None
    last: bool = False
    end_cause: EndCause = EndCause.TIME


class EpisodeAssembler:
    """Feeds the writer of one episode, in order, with what belongs together.

    What is missing, doubled or out of order makes the episode incomplete; it never stops it.

    Args:
        open_writer: makes the writer once policy and chunk size are known from the first decision.
        encode: image ``[H, W, 3]`` uint8 RGB -> JPEG bytes.
        expects_truth: the twin's ground truth comes along with each state.
        max_skew_s: oldest image that a state may be paired with, seconds before it.
        pending_images: images kept until their state comes; the oldest is dropped beyond that.
    """

    def __init__(
        self,
        open_writer: Callable[[str, int], EpisodeWriter],
        encode: Callable[[ImageU8], bytes],
        *,
        expects_truth: bool,
        max_skew_s: float = 0.2,
        pending_images: int = 256,
    ) -> None:
        self._open_writer = open_writer
        self._encode = encode
        self._expects_truth = expects_truth
        self._max_skew_ns = round(max_skew_s * 1e9)
        self._images: deque[tuple[int, ImageU8]] = deque(maxlen=pending_images)
        self._beats: deque[Beat] = deque()
        self._writer: EpisodeWriter | None = None
        self._chunk_size = 0
        self._policy_id = ""
        self._counts = dict.fromkeys(("beats", "truth"), 0)
        self._decided: list[int] = []  # steps
        self._early_truth: list[tuple[int, GroundTruth]] = []
        self._last: Beat | None = None
        self._newest: Beat | None = None
        self._newest_image_ns = 0
        self._shape: tuple[int, ...] | None = None
        self._taint: set[str] = set()

    @property
    def steps(self) -> int:
        """Newest state that came, or 0."""
        return max(self._counts["beats"] - 1, 0)

    @property
    def heard(self) -> bool:
        """Whether anything of the episode has come."""
        return any(self._counts.values()) or bool(self._beats or self._decided)

    @property
    def last(self) -> Beat | None:
        """The final state, once it has come."""
        return self._last

    @property
    def blind_s(self) -> float:
        """By how much the newest state is younger than the newest picture, seconds; or 0."""
        if self._newest is None or not self._newest_image_ns:
            return 0.0
        return max(self._newest.state.stamp_ns - self._newest_image_ns, 0) * 1e-9

    @property
    def taint(self) -> tuple[str, ...]:
        """What is wrong with the episode, sorted."""
        return tuple(sorted(self._taint))

    def add_image(self, stamp_ns: int, image: ImageU8) -> None:
        """An image as the camera acquired it; those of other times are dropped unused."""
        if stamp_ns < self._newest_image_ns - JUMP_NS:
            self._taint.add(SET_BACK)
            self._images.clear()  # of another time: they would be taken for younger ones
        elif stamp_ns < self._newest_image_ns:
            kept = sorted([*self._images, (stamp_ns, image)], key=lambda pair: pair[0])
            self._images = deque(kept, maxlen=self._images.maxlen)
            return  # nothing waits for a picture older than one that is here
        self._images.append((stamp_ns, image))
        self._newest_image_ns = stamp_ns
        self._pair()

    def add_beat(self, beat: Beat) -> None:
        """A state, in the order of arrival."""
        if self._last is not None:
            self._taint.add("state after the end")
            return
        if beat.last and self._newest is not None and beat.step == self._newest.step:
            self._end(beat)  # the state came before and nothing was executed since: an end mark
            return
        if self._newest is not None and beat.state.stamp_ns < self._newest.state.stamp_ns - JUMP_NS:
            self._taint.add(SET_BACK)
        self._newest = beat
        self._beats.append(beat)
        self._counts["beats"] += 1
        if beat.report is not None:
            for flag, name in _TAINTING.items():
                if beat.report.flags & flag:
                    self._taint.add(name)
        if beat.last:
            self._end(beat)
        self._pair()

    def _end(self, beat: Beat) -> None:
        self._last = beat
        if beat.end_cause is EndCause.FAULT:
            self._taint.add("fault")

    def end_short(self, reason: str) -> bool:
        """Whoever makes the episode is gone: what came is all of it, and it is a fault.

        Episodes of the twin are not worth keeping: they are run again from their seed.

        Args:
            reason: kept as taint.

        Returns:
            False when not even one step is whole: there is nothing to keep.
        """
        written = self._counts["beats"] - len(self._beats)
        if self._expects_truth or self._writer is None or self._newest is None or written < 2:
            return False
        if self._last is None:
            self._taint.add(reason)
            self._end(replace(self._newest, last=True, end_cause=EndCause.FAULT))
        return True

    def begin(self, policy_id: str, chunk_size: int) -> None:
        """Open the writer; idempotent. The first decision does it where nobody did."""
        if self._writer is None:
            self._writer = self._open_writer(policy_id, chunk_size)
            self._policy_id, self._chunk_size = policy_id, chunk_size
            for step, truth in self._early_truth:
                self._write_truth(step, truth)
            self._early_truth.clear()

    def add_chunk(self, policy_id: str, chunk_size: int, chunk: Chunk) -> None:
        """A decision; the first one opens the writer."""
        self.begin(policy_id, chunk_size)
        if (policy_id, chunk_size) != (self._policy_id, self._chunk_size):
            self._taint.add("policy changed")
            return
        self._decided.append(chunk.step)
        self._try("chunk", lambda w: w.add_chunk(chunk))
        self._pair()

    def add_truth(self, step: int, truth: GroundTruth) -> None:
        """Ground truth of the state at ``step``; goes behind the wall."""
        if step == self._counts["truth"] - 1:
            return  # comes again with an end mark
        self._counts["truth"] += 1
        if self._writer is None:
            self._early_truth.append((step, truth))
        else:
            self._write_truth(step, truth)

    def _write_truth(self, step: int, truth: GroundTruth) -> None:
        self._try("truth", lambda w: w.add_truth(step, truth))

    @property
    def whole(self) -> bool:
        """Whether everything up to the last state is with the writer."""
        if self._last is None or self._beats or self._writer is None:
            return False
        last = self._last.step
        truth = self._counts["truth"] > last or not self._expects_truth
        made = sum(step < last for step in self._decided)
        return truth and made >= -(-last // self._chunk_size)

    @property
    def closed(self) -> bool:
        """Whether the policy has said what it sees of the last state, or has no reason to."""
        last = self._last
        if last is None:
            return False
        return last.step in (0, *self._decided) or last.end_cause is EndCause.FAULT

    def commit(self) -> str:
        """Make the episode visible; returns its uri.

        Raises:
            ConfigError: the end or the first decision never came.
            StoreError: see ``EpisodeWriter.commit``.
        """
        if self._last is None or self._writer is None:
            raise ConfigError(
                "the episode cannot be committed",
                got="no final state" if self._last is None else "no decision of the policy",
                next_step="Check that the arm's owner and policy_node run.",
            )
        if not self.whole:
            self._taint.add("something did not arrive")
        if self._beats:
            self._taint.add("no image")  # the pictures ended before the states: those are left out
        return self._writer.commit(self._last.end_cause, self.taint)

    def abort(self) -> None:
        """Drop everything; idempotent."""
        if self._writer is not None:
            self._writer.abort()

    def _pair(self) -> None:
        """Write states whose image is known, oldest first."""
        while self._writer is not None and self._beats:
            beat = self._beats[0]
            stamp = beat.state.stamp_ns
            if not self._images:
                return
            behind_ns = stamp - self._images[-1][0]
            if behind_ns > JUMP_NS and SET_BACK in self._taint:
                self._write_step(self._beats.popleft())  # of before: its picture will not come
                self._taint.add("no image")
                continue
            if behind_ns > 0:
                return  # the image of its own stamp, or a younger one, is still to come
            while len(self._images) > 1 and self._images[1][0] <= stamp:
                self._images.popleft()
            self._beats.popleft()
            image_stamp, image = self._images[0]
            self._write_step(beat)
            if image_stamp > stamp or stamp - image_stamp > self._max_skew_ns:
                self._taint.add("no image")
                continue
            self._images.popleft()  # an image belongs to one state: a camera that froze shows
            self._shape = self._shape or image.shape
            if image.shape != self._shape:
                self._taint.add("picture size changed")
            self._write_observation(beat, image_stamp, self._encode(image))

    def _write_step(self, beat: Beat) -> None:
        report = beat.report
        if report is not None:
            self._try("state", lambda w: w.add_step(beat.step - 1, report))

    def _write_observation(self, beat: Beat, image_stamp_ns: int, jpeg: bytes) -> None:
        self._try(
            "state",
            lambda w: w.add_observation(
                beat.step, image_stamp_ns, jpeg, beat.state.proprio, beat.state.q
            ),
        )

    def _try(self, what: str, write: Callable[[EpisodeWriter], None]) -> None:
        assert self._writer is not None
        try:
            write(self._writer)
        except ConfigError:
            self._taint.add(f"gap: {what}")

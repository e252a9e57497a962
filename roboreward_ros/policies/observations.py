# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Brings states and images together for whoever answers the beat. Thread-safe.

In the twin a state and its image have one stamp and none is left out. On a real arm the camera
keeps its own time: the newest image counts, if it is young enough. Knows nothing about transport.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from roboreward_ros.clock import Clock
from roboreward_ros.errors import RobotError
from roboreward_ros.types import Beat, Frame

PENDING_IMAGES = 32
GRAPH_S = 0.1
OVERTAKING_NS = 1_000_000_000
"""A stamp that is older than the one before it by less than this: the frame was overtaken."""


class ObservationQueue:
    """States of one episode in order, with the image that belongs to each.

    Args:
        clock: its steady clock bounds the waits.
        max_skew_s: largest distance of the newest image's stamp from the state's, s.
    """

    def __init__(self, clock: Clock, max_skew_s: float) -> None:
        self._clock = clock
        self._max_skew_ns = round(max_skew_s * 1e9)
        self._changed = threading.Condition()
        self._episode_id = ""
        self._by_stamp = False
        self._beats: deque[tuple[Beat, int]] = deque()
        self._images: deque[Frame] = deque(maxlen=PENDING_IMAGES)
        self._over = False
        self._spoilt = ""  # why the newest state makes no sense
        self._fresh = False
        self._state_lag_ns: int | None = None  # of the clocks: when it came less its stamp
        self._image_lag_ns = 0

    @property
    def episode_id(self) -> str:
        """Of the episode that is listened to; "" for none."""
        return self._episode_id

    def open(self, episode_id: str, *, by_stamp: bool) -> None:
        """Listen to an episode; images before now may belong to it and stay."""
        with self._changed:
            self._episode_id, self._by_stamp, self._over = episode_id, by_stamp, False
            self._fresh, self._spoilt = False, ""
            self._beats.clear()

    def close(self) -> None:
        """Nobody listens any more."""
        with self._changed:
            self._episode_id = ""
            self._beats.clear()

    def wake(self) -> None:
        """End a wait early; it then gives None."""
        with self._changed:
            self._over = True
            self._changed.notify_all()

    def add_beat(self, beat: Beat) -> None:
        """A state came; of those of other episodes only the time counts."""
        with self._changed:
            self._state_lag_ns = self._clock.steady_ns() - beat.state.stamp_ns
            self._changed.notify_all()
            if beat.episode_id and beat.episode_id == self._episode_id:
                self._beats.append((beat, self._clock.steady_ns()))

    def add_image(self, frame: Frame) -> None:
        """An image came; only the newest few are kept."""
        with self._changed:
            newest = self._images[-1] if self._images else None
            self._images.append(frame)
            if newest is not None and 0 < newest.stamp_ns - frame.stamp_ns < OVERTAKING_NS:
                self._images[-2], self._images[-1] = frame, newest
            self._fresh = True
            self._image_lag_ns = self._clock.steady_ns() - frame.stamp_ns
            self._changed.notify_all()

    def await_picture(self, timeout_s: float, by_stamp: Callable[[], bool]) -> str:
        """Wait for a picture that came since ``open`` and fits the arm's time.

        A camera that was lost must not cost an episode: it is asked for before the arm moves.

        Args:
            timeout_s: longest wait, s.
            by_stamp: whether images are the arm's own; those come with its first state only. Asked
                again and again, since the graph may not be known at once.

        Returns:
            what is missing, for people; "" once there is one, or after ``wake``.
        """
        end_ns = self._clock.steady_ns() + round(timeout_s * 1e9)
        while True:
            own = by_stamp()
            with self._changed:
                self._by_stamp = own
                left_s = (end_ns - self._clock.steady_ns()) * 1e-9
                if own or self._over or self._in_time():
                    return ""
                if left_s <= 0.0:
                    return self._why_blind(timeout_s)
                self._wait(self._in_time, min(left_s, GRAPH_S))

    def spoil(self, episode_id: str, why: str) -> None:
        """A state came that makes no sense; whoever waits for one of its episode hears of it."""
        with self._changed:
            if episode_id and episode_id == self._episode_id:
                self._spoilt = why
                self._changed.notify_all()

    def await_beat(self, timeout_s: float) -> bool:
        """Wait for a state, without taking it; whether there is one, or no use in waiting."""
        with self._changed:
            return bool(self._changed.wait_for(self._something, timeout_s))

    def next_beat(self, timeout_s: float) -> tuple[Beat, int] | None:
        """The oldest state not taken yet and when it came (steady ns); None: too late, or woken.

        Raises:
            RobotError: the next state makes no sense.
        """
        with self._changed:
            self._changed.wait_for(self._something, timeout_s)
            if self._over:
                return None
            if not self._beats and self._spoilt:
                raise RobotError("a state of the arm makes no sense", got=self._spoilt)
            return self._beats.popleft() if self._beats else None

    def newest_step(self, step: int) -> int:
        """The newest step that has come, ``step`` if none did after it."""
        with self._changed:
            return self._beats[-1][0].step if self._beats else step

    def image_for(self, beat: Beat, timeout_s: float) -> Frame | None:
        """The image of a state; None: none came in time, a newer state came, or woken."""
        with self._changed:
            self._wait(lambda: self._match(beat) is not None or self._superseded(), timeout_s)
            return None if self._over else self._match(beat)

    def skew_s(self, beat: Beat) -> float | None:
        """Distance of the newest image from a state, s; None: there is no image."""
        with self._changed:
            if not self._images:
                return None
            return abs(self._images[-1].stamp_ns - beat.state.stamp_ns) * 1e-9

    def _something(self) -> bool:
        return bool(self._beats or self._over or self._spoilt)

    def _wait(self, ready: Callable[[], bool], timeout_s: float) -> None:
        self._changed.wait_for(lambda: ready() or self._over, timeout_s)

    def _in_time(self) -> bool:
        """A picture has come, by a clock that is the arm's; of an arm never heard any counts."""
        return self._fresh and self._skew_ns() <= self._max_skew_ns

    def _skew_ns(self) -> int:
        """How far the newest picture's stamp is from that of a state that had come with it."""
        return 0 if self._state_lag_ns is None else abs(self._image_lag_ns - self._state_lag_ns)

    def _why_blind(self, timeout_s: float) -> str:
        if not self._fresh:
            return f"no picture came for {timeout_s:g} s; see camera_node's diagnostics and cable"
        return (
            f"the newest picture's stamp is {self._skew_ns() * 1e-9:.3f} s away from the arm's, "
            f"allowed: {self._max_skew_ns * 1e-9:g} s; compare the clocks of their computers, "
            "and the camera's rate"
        )

    def _superseded(self) -> bool:
        """A newer state is here: at real time the answer to the older one would come too late."""
        return bool(self._beats) and not self._by_stamp

    def _match(self, beat: Beat) -> Frame | None:
        stamp_ns = beat.state.stamp_ns
        if self._by_stamp:
            return next((f for f in reversed(self._images) if f.stamp_ns == stamp_ns), None)
        newest = self._images[-1] if self._images else None
        if newest is None or abs(newest.stamp_ns - stamp_ns) > self._max_skew_ns:
            return None
        return newest

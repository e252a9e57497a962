# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A recording behind the seams of the real parts: Robot and Camera over one deck.

The arm goes where it went, whatever it is told: a rehearsal shows what the policy *would* have
asked for. One control period is one recorded step. After the last recorded one the arm stands.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import cv2
import numpy as np

from roboreward_ros.clock import Clock
from roboreward_ros.errors import CameraError, ConfigError, RobotError, SafetyError
from roboreward_ros.rehearsal.recording import POLICY_CAMERA, RecordedEpisode, Recording
from roboreward_ros.session.plan import SEEDS_PER_RUN
from roboreward_ros.types import (
    EndCause,
    FloatArray,
    Frame,
    ImageU8,
    RobotState,
    StepFlag,
    StepReport,
)

ARM_FLAGS = (
    StepFlag.CLIPPED_DELTA
    | StepFlag.CLIPPED_BOX
    | StepFlag.IK_FAILED
    | StepFlag.DQ_CAPPED
    | StepFlag.RELATCHED
)
"""What the arm itself said of a step; holds, takeovers and faults come about anew."""


class Deck:
    """The episode that is being played and where it stands; one thread uses it.

    Args:
        recording: what is played.
        clock: stamps, and at real time the pace.
        real_time: stamps are the clock's, and a period that took longer takes longer again;
            False: stamps are the recording's, moved to the present.
    """

    def __init__(self, recording: Recording, clock: Clock, *, real_time: bool) -> None:
        self.recording = recording
        self.clock = clock
        self.real_time = real_time
        self.position = -1
        self.step = 0
        self.offset_ns = 0
        self._episode: RecordedEpisode | None = None
        self._origin_ns = 0
        self._stamp_ns = 0

    @property
    def episode(self) -> RecordedEpisode:
        """The one in the deck; raises RobotError before the first."""
        if self._episode is None:
            raise RobotError(
                "the arm has not been reset", next_step="Call reset(task, seed) first."
            )
        return self._episode

    @property
    def index(self) -> int:
        """Of the present state and picture; the last one stays."""
        return min(self.step, self.episode.n_steps)

    @property
    def stamp_ns(self) -> int:
        """Of the present state and picture."""
        return self._stamp_ns + self.offset_ns

    def load(self, task: str, seed: int) -> None:
        """Put the episode of a plan's seed into the deck.

        Raises:
            ConfigError: that episode was about another task.
            RobotError: the recording has no such episode.
        """
        position, names = seed % SEEDS_PER_RUN, self.recording.names
        if position >= len(names):
            raise RobotError("the recording is over", got=f"episode {position + 1} of {len(names)}")
        if position != self.position or self._episode is None:
            self._episode, self.position = self.recording.episode(position), position
        if task and task != self._episode.task:
            raise ConfigError(
                f"episode {self._episode.name} of the recording is about another task",
                got=task,
                allowed=self._episode.task,
            )
        self.step, self._origin_ns = 0, self.clock.now_ns()
        self._stamp()

    def advance(self) -> None:
        """A control period is over."""
        episode = self.episode
        self.step += 1
        if self.real_time and self.step <= episode.n_steps:
            taken_ns = episode.stamps_ns[self.step] - episode.stamps_ns[self.step - 1]
            self.clock.sleep(max(taken_ns - 1e9 / episode.control_hz, 0.0) * 1e-9)
        self._stamp()

    def _stamp(self) -> None:
        if self.real_time:
            self._stamp_ns = self.clock.now_ns()
            return
        episode, stamps = self.episode, self.episode.stamps_ns
        beyond_ns = round((self.step - self.index) * 1e9 / episode.control_hz)
        self._stamp_ns = self._origin_ns + stamps[self.index] - stamps[0] + beyond_ns


class RecordedRobot:
    """Protocol ``Robot``: goes where the recorded arm went, and says what it was asked.

    Args:
        deck: shared with the camera.
        before_step: called with the step's number before it is played; may raise RobotError.
    """

    def __init__(self, deck: Deck, before_step: Callable[[int], None] = lambda _: None) -> None:
        self._deck = deck
        self._before_step = before_step
        self._connected = False

    def connect(self) -> None:
        self._connected = True

    def reset(self, task: str, seed: int) -> RobotState:
        """See ``Deck.load``."""
        self._require_link()
        self._deck.load(task, seed)
        return self.state()

    def step(self, action: FloatArray) -> StepReport:
        """Play one step; a fault that was recorded there is raised again."""
        self._require_link()
        deck, asked = self._deck, np.array(action, dtype=np.float64)
        if asked.shape != (7,) or not np.isfinite(asked).all():
            raise SafetyError("not an action", got=str(asked), allowed="seven finite numbers")
        k = deck.step
        episode = deck.episode
        self._play()
        if k >= episode.n_steps:
            return self._stand(asked)
        fault = episode.faults[k] or ("a fault, as recorded" if _faulty(episode, k) else "")
        if fault:
            raise RobotError(fault)
        return StepReport(
            action_raw=asked,
            action_executed=episode.executed[k].copy(),
            target_pose=episode.targets[k].copy(),
            q_command=episode.q_command[k].copy(),
            flags=StepFlag(episode.flags[k]) & ARM_FLAGS,
            state=self.state(),
            ik_error_m=float(episode.ik_error[k, 0]),
            ik_error_rad=float(episode.ik_error[k, 1]),
        )

    def hold(self) -> StepReport:
        """A period without an action; the recording goes on."""
        self._require_link()
        self._play()
        return self._stand(None)

    def state(self) -> RobotState:
        self._require_link()
        deck = self._deck
        kept = deck.episode.states[deck.index]
        return replace(kept, stamp_ns=deck.stamp_ns, q=kept.q.copy(), proprio=kept.proprio.copy())

    def close(self) -> None:
        self._connected = False

    def _play(self) -> None:
        """One control period; it passes also when the arm refuses."""
        try:
            self._before_step(self._deck.step)
        finally:
            self._deck.advance()

    def _stand(self, asked: FloatArray | None) -> StepReport:
        state = self.state()
        executed = np.zeros(7)
        executed[6] = state.gripper
        return StepReport(
            action_raw=executed.copy() if asked is None else asked,
            action_executed=executed,
            target_pose=state.ee_pose,
            q_command=state.q,
            flags=StepFlag.HOLD,
            state=state,
        )

    def _require_link(self) -> None:
        if not self._connected:
            raise RobotError("the recording is not connected", next_step="Call connect() first.")


def _faulty(episode: RecordedEpisode, step: int) -> bool:
    """Whether an episode that was lost ends here, also where no step says why."""
    flagged = bool(episode.flags[step] & StepFlag.FAULT)
    lost = episode.end_cause is EndCause.FAULT and step == episode.n_steps - 1
    return flagged or lost


class RecordedCamera:
    """Protocol ``Camera``: the picture of the arm's present state, with its stamp.

    Reading the same picture again adds a nanosecond, since stamps of a camera go forward.

    Args:
        deck: shared with the arm.
        name: of the camera; ``image`` is the policy's.
    """

    def __init__(self, deck: Deck, name: str = POLICY_CAMERA) -> None:
        self._deck = deck
        self._name = name
        self._open = False
        self._last = (-1, -1)  # stamp of the state, stamp given out

    @property
    def there(self) -> bool:
        """Whether the episode in the deck has pictures of it."""
        return bool(self._pictures)

    def open(self) -> None:
        self._open = True

    @property
    def _pictures(self) -> Sequence[bytes]:
        """Raises RobotError before the first episode."""
        episode = self._deck.episode
        own = self._name == POLICY_CAMERA
        return episode.frames if own else episode.cameras.get(self._name, ())

    def read(self, timeout_s: float) -> Frame:  # noqa: ARG002 - a picture never has to be waited for
        if not self._open:
            raise CameraError("the recorded camera is not open", next_step="Call open() first.")
        deck = self._deck
        try:
            pictures, stamp = self._pictures, deck.stamp_ns
        except RobotError as error:
            raise CameraError(
                "the recording shows nothing yet", next_step="Reset the robot before reading."
            ) from error
        if not pictures:
            raise CameraError(f"camera {self._name} was not there", got=deck.episode.name)
        given = self._last[1] + 1 if stamp == self._last[0] else stamp
        self._last = (stamp, given)
        return Frame(decoded(pictures[deck.index], deck.episode.name), given, self._name)

    def close(self) -> None:
        self._open = False


def decoded(picture: bytes, where: str) -> ImageU8:
    """RGB pixels of a stored picture; raises CameraError."""
    bgr = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR)
    if bgr is None:
        raise CameraError(f"a picture of {where} cannot be decoded", got=f"{len(picture)} bytes")
    image: ImageU8 = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
    return image

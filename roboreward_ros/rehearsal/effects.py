# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What faults do to the pictures and states of a control step; one thread uses it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2

from roboreward_ros.clock import Clock
from roboreward_ros.errors import RobotError
from roboreward_ros.rehearsal.board import FaultBoard
from roboreward_ros.rehearsal.faults import DISK, NETWORK, Fault, FaultKind
from roboreward_ros.types import Frame

_NS = 1e9


class Effects:
    """The faults of one rehearsal.

    Args:
        faults: what goes wrong when; those of processes are not its business.
        clock: waits.
        begins: told of the place of a fault in ``faults`` when it begins.
        board: shows other processes those of disks and of the network; None where there are none.
    """

    def __init__(
        self,
        faults: Sequence[Fault],
        clock: Clock,
        begins: Callable[[int], None],
        board: FaultBoard | None = None,
    ) -> None:
        self._board = board
        self._over: set[int] = set()
        self._faults = tuple(faults)
        self._clock = clock
        self._begins = begins
        self._told: set[int] = set()
        self._frozen: Frame | None = None
        self._kept: Frame | None = None

    def now(self, episode: int, step: int) -> dict[FaultKind, Fault]:
        """Faults that hold at a step; each is told of once, also when its episode is run again."""
        found = {}
        for number, fault in enumerate(self._faults):
            if not fault.covers(episode, step):
                continue
            found[fault.fault] = fault
            if number not in self._told:
                self._told.add(number)
                self._begins(number)
        return found

    def elsewhere(self, episode: int, step: int) -> None:
        """Show on the board what holds from this step on, until a step comes that it leaves out.

        When its episode is run again it does not come again, or the episode would never end.
        """
        if self._board is None:
            return
        shown = []
        for number, fault in enumerate(self._faults):
            if fault.fault not in DISK | NETWORK:
                continue
            if number in self._told and (step == 0 or not fault.covers(episode, step)):
                self._over.add(number)
            if fault.covers(episode, step) and number not in self._over:
                shown.append(fault)
        self._board.show(shown)
        self.now(episode, step)

    def before_step(self, episode: int, step: int) -> None:
        """What the arm does instead; raises RobotError where it refuses."""
        now = self.now(episode, step)
        if stalls := now.get(FaultKind.STATES_STALL):
            self._clock.sleep(stalls.size)
        if FaultKind.ARM_FAULT in now:
            raise RobotError("the arm refuses, as the fault file asks", got=f"step {step}")

    def offset_ns(self, episode: int, step: int) -> int:
        """By how much stamps are off."""
        jump = self.now(episode, step).get(FaultKind.CLOCK_JUMPS)
        return round(jump.size * _NS) if jump is not None else 0

    def pictures(self, episode: int, step: int, frame: Frame) -> tuple[Frame, ...]:
        """What the camera sends at a step instead of one picture."""
        now = self.now(episode, step)
        sent: tuple[Frame, ...] = (frame,)
        if FaultKind.CAMERA_FREEZES in now:
            self._frozen = self._frozen or frame
            sent = (Frame(self._frozen.image, frame.stamp_ns, frame.camera),)
        else:
            self._frozen = None
        if FaultKind.CAMERA_RESIZES in now:
            half = cv2.resize(sent[0].image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
            sent = (Frame(half, frame.stamp_ns, frame.camera),)
        kept, self._kept = self._kept, None
        if FaultKind.CAMERA_DROPS in now:
            return ()
        if FaultKind.CAMERA_REORDERS in now and kept is None:
            self._kept = sent[0]
            return ()
        return (*sent, kept) if kept is not None else sent

    def answer_late_s(self, episode: int, step: int) -> float:
        """How long after its state the policy's answer comes at least."""
        late = self.now(episode, step).get(FaultKind.POLICY_LATE)
        return late.size if late is not None else 0.0

    def late_s(self, episode: int, step: int) -> float:
        """How long after its state a picture comes."""
        late = self.now(episode, step).get(FaultKind.CAMERA_LATE)
        return late.size if late is not None else 0.0

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What all viewers of one console share: the newest of everything, and the seat."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from roboreward_ros.clock import Clock
from roboreward_ros.console.hands import Hand, HandMap
from roboreward_ros.console.live import LiveCameras
from roboreward_ros.console.seat import Seat
from roboreward_ros.errors import RoboRewardError
from roboreward_ros.protocols import RewardDesk, RunWatch, SessionClient
from roboreward_ros.session.events import Phase
from roboreward_ros.types import (
    FloatArray,
    HealthLevel,
    HealthView,
    LearnerView,
    PartHealth,
    RunFacts,
    SessionView,
    VerbAnswer,
    VerbRequest,
)

LOG_LINES = 400
STOPS = ("hold", "stop")


@dataclass(frozen=True, slots=True)
class LogLine:
    """Attributes: number: counts up; stamp_ns: ns since the epoch; text: what happened."""

    number: int
    stamp_ns: int
    text: str
    bad: bool = False


@dataclass(slots=True)
class _State:
    facts: RunFacts = field(default_factory=RunFacts)
    learner: LearnerView | None = None
    health: dict[str, tuple[PartHealth, int]] = field(default_factory=dict)
    problem: str = ""
    whole: tuple[HealthView, int] | None = None


class Hub:
    """See the module's text; safe to use from threads.

    Args:
        client: of the session.
        watch: of the run's stores; used by ``refresh``'s thread and for pictures.
        desk: of the rewards.
        clock: stamps the log.
        title: of the run.
        hand: moves the arm for a person; None where nobody can take it over from here.
        hands: what keys and pads mean.
        cameras: names of those that are shown besides the policy's.
        pages: name -> file of a page that is served as it is, where it exists.
    """

    def __init__(
        self,
        client: SessionClient,
        watch: RunWatch,
        desk: RewardDesk,
        clock: Clock,
        title: str = "",
        hand: Hand | None = None,
        hands: HandMap | None = None,
        cameras: Sequence[str] = (),
        pages: Mapping[str, Path] | None = None,
    ) -> None:
        self.more_cameras = tuple(cameras)
        self.pages = dict(pages or {})
        self.client = client
        self.desk = desk
        self.clock = clock
        self.title = title
        self.hands = hands or HandMap()
        self._hand = hand
        self.seat = Seat(clock)
        self.cameras = LiveCameras()
        self._watch = watch
        self._watching = threading.Lock()
        self._mutex = threading.Lock()
        self._state = _State()
        self._log: deque[LogLine] = deque(maxlen=LOG_LINES)
        self._count = 0
        self._before = ("", "")

    def view(self) -> SessionView:
        """The session's present state."""
        return self.client.view()

    def facts(self) -> RunFacts:
        """The run's stores as of the last refresh."""
        return self._state.facts

    def refresh(self) -> None:
        """Read what is new in the stores; blocks on the disk, called about twice a second."""
        try:
            learner = self._state.learner
            with self._watching:
                facts = self._watch.facts()
                asked = {card.episode_id for card in facts.queue}
                drawn = [e for e in (learner.audits if learner else ()) if e not in asked]
                facts = replace(facts, queue=facts.queue + self._watch.audits(drawn))
        except (RoboRewardError, OSError) as error:
            if str(error) != self._state.problem:
                self._state.problem = str(error)
                self.log(f"the run's stores cannot be read: {error}", bad=True)
            return
        self._state.problem = ""
        self._state.facts = facts

    def frame(self, episode_id: str, index: int) -> bytes:
        """A stored picture; raises StoreError."""
        with self._watching:
            return self._watch.frame(episode_id, index)

    def press(self, viewer: str, name: str, request: VerbRequest) -> VerbAnswer:
        """A viewer asks for a verb; blocks for a bounded time.

        Raises:
            SessionError: somebody else has the seat, or the session refuses.
        """
        # From a page that shows PAUSED, hold lets the arm go on.
        stops = request.verb in STOPS and request.phase != "PAUSED"
        self.seat.require(viewer, name, stops=stops)
        answer = self.client.send(request)
        what = f"{request.verb} {request.text} {request.episode_id}".split()
        self.log(f"{name or 'operator'}: {' '.join(what)}")
        return answer

    def move(self, viewer: str, velocity: FloatArray | None, opening: float | None) -> None:
        """A viewer moves the arm; without effect where they do not have it.

        Args:
            viewer: whose page.
            velocity: see ``Hand.move``; None says nothing of it.
            opening: of the gripper; None leaves it.
        """
        holds = self.seat.holder()[0] == viewer
        if self._hand is None or not holds or self.view().phase != Phase.TAKEOVER:
            return
        if velocity is not None:
            self._hand.move(velocity)
        if opening is not None:
            self._hand.grip(opening)

    # What the owner puts in.

    def heard_session(self, view: SessionView) -> None:
        """A new state: its changes go to the log."""
        mark = (view.phase, view.message)
        if mark != self._before:
            self._before = mark
            self.log(f"{view.phase}: {view.message}", bad=view.phase == "FAULT")

    def heard_learner(self, learner: LearnerView) -> None:
        self._state.learner = learner

    def heard_health(self, parts: list[PartHealth]) -> None:
        now_ns = self.clock.steady_ns()
        with self._mutex:
            for part in parts:
                before = self._state.health.get(part.name)
                changed = before is None or before[0].level != part.level
                self._state.health[part.name] = (part, now_ns)
                if changed and part.level > 0:
                    self._add(f"{part.name}: {part.message}", part.level > 1)

    def heard_whole(self, view: HealthView) -> None:
        """How the session is as a whole."""
        before = self._state.whole
        self._state.whole = (view, self.clock.steady_ns())
        known = {reason.name for reason in before[0].reasons} if before else set()
        for reason in view.reasons:
            if reason.name not in known:
                self.log(f"{reason.name}: {reason.what}. {reason.do}", bad=True)

    def log(self, text: str, *, bad: bool = False) -> None:
        """A line for everybody."""
        with self._mutex:
            self._add(text, bad)

    def _add(self, text: str, bad: bool) -> None:
        self._count += 1
        self._log.append(LogLine(self._count, self.clock.now_ns(), text, bad))

    # What pages take out.

    def learner(self) -> LearnerView | None:
        """The learner's newest word; None before the first."""
        return self._state.learner

    def health(self) -> tuple[PartHealth, ...]:
        """All parts by name; one that has not been heard of for 5 s is silent."""
        now_ns = self.clock.steady_ns()
        with self._mutex:
            items = sorted(self._state.health.values(), key=lambda item: item[0].name)
        return tuple(
            part if now_ns - at_ns < 5e9 else PartHealth(part.name, 3, "silent")
            for part, at_ns in items
        )

    def whole(self) -> HealthView | None:
        """The health of the session; None where nobody aggregates it (a run in lock-step)."""
        if self._state.whole is None:
            return None
        view, at_ns = self._state.whole
        fresh = self.clock.steady_ns() - at_ns < 5e9
        return view if fresh else HealthView(HealthLevel.STALE, view.reasons)

    def lines(self, after: int = 0) -> list[LogLine]:
        """Log lines with a larger number, oldest first."""
        with self._mutex:
            return [line for line in self._log if line.number > after]


class SeatClient:
    """Protocols ``SessionClient`` and ``Hand`` for a device beside the pages: it needs the seat.

    Args:
        hub: shared.
        name: of the device, for people.
    """

    def __init__(self, hub: Hub, name: str) -> None:
        self._hub = hub
        self._name = name

    def view(self) -> SessionView:
        return self._hub.view()

    def send(self, request: VerbRequest) -> VerbAnswer:
        self._hub.seat.alive(self._name)
        try:
            return self._hub.press(self._name, self._name, request)
        except RoboRewardError as error:
            self._hub.log(f"{self._name}: {error}", bad=True)
            raise

    def move(self, velocity: FloatArray) -> None:
        self._hub.seat.alive(self._name)
        self._hub.move(self._name, velocity, None)

    def grip(self, opening: float) -> None:
        self._hub.move(self._name, None, opening)

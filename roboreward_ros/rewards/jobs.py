# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a reward host has to do, in the order in which it came."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from threading import Event
from typing import TypeAlias

from roboreward_ros.rewards.live import LiveFrame
from roboreward_ros.rewards.progress import OnFrames
from roboreward_ros.types import RewardOutcome, RewardRequest, RewardSpec

RequestFactory: TypeAlias = Callable[[RewardSpec], RewardRequest]
"""Makes the request for the source that will score it: what it opens depends on the spec."""

OnShadow: TypeAlias = Callable[[RewardSpec, RewardRequest, RewardOutcome], object]
"""Told what the source in the shadow says; from its own thread."""

OnStep: TypeAlias = Callable[[LiveFrame, float], None]
"""Told of the value of a step while its episode still runs; from the host's thread."""

OnLooked: TypeAlias = Callable[[LiveFrame, float | None], None]
"""Told of every pushed frame once it was looked at or given up; from the host's thread."""

OnSwap: TypeAlias = Callable[[RewardSpec], object]
"""Called between two episodes, before a warm source takes over; what it raises stops the swap."""


@dataclass(frozen=True, slots=True, eq=False)
class ScoreJob:
    """Episodes to be scored together; the outcomes come in their order.

    Attributes:
        factories: of the requests.
        future: gets the outcomes.
        on_frames: told of frames done and in all.
        unwanted: set once nobody waits for them.
    """

    factories: Sequence[RequestFactory]
    future: Future[list[RewardOutcome]]
    on_frames: OnFrames
    unwanted: Event = field(default_factory=Event)


@dataclass(frozen=True, slots=True)
class PushJob:
    """A frame of a running episode, to be looked at."""

    frame: LiveFrame


@dataclass(frozen=True, slots=True)
class DropJob:
    """A running episode to be forgotten."""

    episode_id: str


def as_factory(request: RewardRequest | RequestFactory) -> RequestFactory:
    """A factory of ``request``; truth goes to a source that declares it and to no other."""
    if not isinstance(request, RewardRequest):
        return request
    whole = request

    def make(spec: RewardSpec) -> RewardRequest:
        return whole if spec.needs_truth else dataclasses.replace(whole, truth=None)

    return make


def unheard(done: int, total: int) -> None:
    """Nobody listens to the progress."""
    del done, total


def unasked(spec: RewardSpec) -> None:
    """Nobody has a say in a swap."""
    del spec

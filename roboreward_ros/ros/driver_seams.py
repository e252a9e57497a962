# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the episode driver needs from whoever owns it, and how long it waits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from roboreward_ros.types import EndCause, EpisodeSummary


class Episode(Protocol):
    """What the other nodes are told about an episode."""

    @property
    def episode_id(self) -> str: ...
    @property
    def index(self) -> int: ...
    @property
    def task(self) -> str: ...
    @property
    def seed(self) -> int: ...
    @property
    def canary(self) -> bool: ...


class Stored(Protocol):
    """What the driver reads of a committed episode."""

    @property
    def uri(self) -> str: ...
    @property
    def summary(self) -> EpisodeSummary: ...


class Facts(Protocol):
    """What the driver has to know besides; asked when it is needed."""

    def max_steps(self, task: str) -> int:
        """Time limit of a task, control steps."""

    def min_policy_version(self) -> int:
        """Steering actor that the next episode must run with, at least."""

    def stored(self, episode_id: str) -> Stored:
        """A committed episode; raises StoreError where there is none."""


@dataclass(frozen=True, slots=True)
class DriverConfig:
    """Limits of every wait, steady seconds.

    Attributes:
        reset_s: start pose and scene.
        arm_s: recorder and policy ready; the policy may still load its weights.
        service_s: answer of begin_episode and end_episode.
        silence_s: no word of the recorder while the episode runs.
        abort_s: everything that was dropped has answered.
        told_s: the recorder knows that it drops; the arm is told to end after that in any case.
        score_s: the reward, waiting in the queue included.
    """

    reset_s: float = 60.0
    arm_s: float = 120.0
    service_s: float = 5.0
    silence_s: float = 15.0
    abort_s: float = 5.0
    told_s: float = 0.5
    score_s: float = 300.0


class Listener(Protocol):
    """Who is told; called on the loop's thread."""

    def reset_done(self, episode_id: str) -> None: ...

    def begun_episode(self, episode_id: str) -> None: ...

    def committed(self, episode_id: str, end_cause: EndCause, uri: str) -> None: ...

    def failed(self, episode_id: str, part: str, message: str) -> None: ...

    def aborted(self, episode_id: str) -> None: ...

    def scored(self, episode_id: str, labelled: bool, message: str) -> None: ...

    def step(self, episode_id: str, step: int) -> None: ...

    def handed(self, episode_id: str, to_person: bool, problem: str) -> None: ...

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Reward sources that misbehave in one way each, in process or in a child process.

All are named ``roboreward_ros.testing.fake_rewards:Class`` to the registry.
"""

from __future__ import annotations

import dataclasses
import os
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

from roboreward_ros.clock import SystemClock
from roboreward_ros.rewards.progress import report
from roboreward_ros.types import (
    Abstain,
    AbstainReason,
    Provenance,
    RewardOutcome,
    RewardRequest,
    RewardSpec,
    Score,
    ScoreKind,
    ScoreScale,
)

NO_ROOM = (
    "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 139.80 "
    "GiB of which 1.12 GiB is free.\nSee documentation for Memory Management"
)
"""In torch's words."""


@dataclass(frozen=True, slots=True)
class FakeConfig:
    """How a fake behaves.

    Attributes:
        child: ask for a child process.
        value: the score that a well-behaved answer gives.
        only: misbehave for this episode id only, "" for all.
        timeout_s: deadline that the spec announces.
        dense: give a value for every step, where the fake can.
        breaks_at: step of a followed episode at which it raises.
        door: file without which a DoorSource does not answer.
        times: misbehave so often, then no more; -1: always.
    """

    child: bool = False
    value: float = 3.0
    only: str = ""
    timeout_s: float = 20.0
    dense: bool = False
    breaks_at: int = -1
    door: str = ""
    times: int = -1


class FakeSource:
    """Answers ``value`` with a distribution; subclasses override :meth:`misbehave`."""

    config_class = FakeConfig

    def __init__(self, config: FakeConfig | None = None) -> None:
        self.config = config or FakeConfig()
        self.warm = False
        self.closed = False
        self._misbehaved = 0

    @property
    def spec(self) -> RewardSpec:
        return RewardSpec(
            name=type(self).__name__,
            scale=ScoreScale.RUBRIC,
            needs_child_process=self.config.child,
            timeout_s=self.config.timeout_s,
        )

    def warm_up(self) -> None:
        self.warm = True

    def score(self, request: RewardRequest) -> RewardOutcome:
        if self.config.only not in ("", request.episode_id):
            return self.answer()
        self._misbehaved += 1
        if 0 <= self.config.times < self._misbehaved:
            return self.answer()
        return self.misbehave()

    def misbehave(self) -> RewardOutcome:
        return self.answer()

    def answer(self) -> Score:
        levels = (1.0, 2.0, 3.0, 4.0, 5.0)
        masses = tuple(float(level == round(self.config.value)) for level in levels)
        name = Provenance(self.spec.name, model="fake", config_hash="0" * 64)
        return Score(self.config.value, ScoreScale.RUBRIC, ScoreKind.TOKENS, name, levels, masses)

    def close(self) -> None:
        self.closed = True


class RaisingSource(FakeSource):
    def misbehave(self) -> RewardOutcome:
        raise ValueError("no such tensor")


class ExitingSource(FakeSource):
    """Calls sys.exit, as a script turned into a library may."""

    def misbehave(self) -> RewardOutcome:
        sys.exit(3)


class HangingSource(FakeSource):
    """Answers only once it is closed."""

    def __init__(self, config: FakeConfig | None = None) -> None:
        super().__init__(config)
        self._ended = threading.Event()

    def misbehave(self) -> RewardOutcome:
        self._ended.wait()
        return self.answer()

    def close(self) -> None:
        super().close()
        self._ended.set()


class CrashingSource(FakeSource):
    """Dies without a word, as the kernel's memory killer makes it; only for child processes."""

    def misbehave(self) -> RewardOutcome:
        os._exit(137)


class PrintingSource(FakeSource):
    def misbehave(self) -> RewardOutcome:
        sys.stdout.write("a progress bar of some library\n")
        sys.stdout.flush()
        os.write(1, b"and a C library's line\n")
        return self.answer()


class OutOfMemorySource(FakeSource):
    """Finds no room on its GPU, in the words of torch; torch itself is not loaded."""

    error = type("OutOfMemoryError", (RuntimeError,), {"__module__": "torch"})

    def misbehave(self) -> RewardOutcome:
        raise self.error(NO_ROOM)


class NanSource(FakeSource):
    def misbehave(self) -> RewardOutcome:
        return Score(float("nan"), ScoreScale.RUBRIC, ScoreKind.NONE, Provenance(self.spec.name))


class SmuggledSource(FakeSource):
    """Gets a number past the constructor's check, as an in-place update would."""

    bad = float("nan")

    def misbehave(self) -> RewardOutcome:
        score = self.answer()
        object.__setattr__(score, "value", self.bad)
        return score


class OutOfRangeSource(SmuggledSource):
    bad = 50.0


class WrongScaleSource(FakeSource):
    """Announces 1..5 and scores in [0, 1]: a 1.0 would be read as the worst level."""

    def misbehave(self) -> RewardOutcome:
        return Score(1.0, ScoreScale.UNIT, ScoreKind.NONE, Provenance(self.spec.name))


class WrongTypeSource(FakeSource):
    def misbehave(self) -> RewardOutcome:
        return 5  # type: ignore[return-value]


class AbstainingSource(FakeSource):
    def misbehave(self) -> RewardOutcome:
        return Abstain(AbstainReason.ENTROPY, Provenance(self.spec.name), "1.4 nats")


class ColdSource(FakeSource):
    """Cannot be warmed up."""

    def warm_up(self) -> None:
        raise FileNotFoundError("weights.safetensors")


class SlowStartSource(FakeSource):
    """Never gets warm."""

    def warm_up(self) -> None:
        threading.Event().wait()


class GarbageSource(FakeSource):
    """Writes into every open socket instead of answering; only for child processes."""

    def misbehave(self) -> RewardOutcome:
        os.write(int(sys.argv[1]), b"HTTP/1.1 500 Internal Server Error\r\n\r\n")
        threading.Event().wait()
        return self.answer()


class FollowingSource(FakeSource):
    """Follows running episodes and answers several at once; ``text`` says how it came to a score.

    Where it is dense, the value of step k is 1 + k % 5 and an episode scores what its last step
    does; else an episode scores ``value``.
    """

    @property
    def spec(self) -> RewardSpec:
        return dataclasses.replace(super().spec, dense=self.config.dense)

    @property
    def batch(self) -> int:
        return 1 if self.config.dense else 3

    def begin(self, task: str, control_hz: float) -> FollowedEpisode:
        del task, control_hz
        return FollowedEpisode(self)

    def score(self, request: RewardRequest) -> RewardOutcome:
        if self.config.only == request.episode_id:
            return self.misbehave()
        return self.said(len(request.frames), "stored")

    def score_batch(self, requests: list[RewardRequest]) -> list[RewardOutcome]:
        if any(request.episode_id == self.config.only for request in requests):
            raise ValueError("one of them is bad")
        return [self.said(len(request.frames), f"{len(requests)} at once") for request in requests]

    def misbehave(self) -> RewardOutcome:
        raise ValueError("no such tensor")

    def said(self, frames: int, text: str) -> Score:
        steps = tuple(1.0 + k % 5 for k in range(frames))
        name = Provenance(self.spec.name)
        per_step = steps if self.config.dense else ()
        value = steps[-1] if self.config.dense else self.config.value
        return Score(value, ScoreScale.RUBRIC, ScoreKind.NONE, name, text=text, per_step=per_step)


class FollowedEpisode:
    """A growing episode of FollowingSource; breaks off at the step ``breaks_at``."""

    def __init__(self, source: FollowingSource) -> None:
        self._source = source
        self._count = 0

    def push(self, jpeg: bytes) -> float | None:
        del jpeg
        if self._count == self._source.config.breaks_at:
            raise ValueError("no such frame")
        self._count += 1
        return 1.0 + (self._count - 1) % 5 if self._source.config.dense else None

    def finish(self, request: RewardRequest) -> RewardOutcome:
        return self._source.said(len(request.frames), f"{self._count} live")


class DoorSource(FakeSource):
    """Answers only while the file ``door`` is there: a server that comes and goes."""

    def misbehave(self) -> RewardOutcome:
        if not Path(self.config.door).exists():
            raise ConnectionRefusedError("connection refused")
        return self.answer()


class EndlessSource(FakeSource):
    """Looks at frames until nobody wants the answer any more."""

    def misbehave(self) -> RewardOutcome:
        clock = SystemClock()
        while True:
            report(1, 9)
            clock.sleep(0.01)


MISBEHAVING: tuple[type[FakeSource], ...] = (
    RaisingSource,
    ExitingSource,
    HangingSource,
    NanSource,
    SmuggledSource,
    OutOfRangeSource,
    WrongScaleSource,
    WrongTypeSource,
)
"""Fakes whose every answer must become a RewardFailure, in process and in a child."""


def registry_name(source: type[FakeSource]) -> str:
    return f"{source.__module__}:{source.__name__}"

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Any reward source that is late, or finds no room on its GPU, for the episodes of a list."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from roboreward_ros.clock import Clock, SystemClock
from roboreward_ros.errors import ConfigError
from roboreward_ros.rewards.config import options_from_json
from roboreward_ros.rewards.live import LiveEpisode
from roboreward_ros.rewards.registry import build
from roboreward_ros.testing.fake_rewards import NO_ROOM, OutOfMemorySource
from roboreward_ros.types import RewardOutcome, RewardRequest, RewardSpec

NAME = "roboreward_ros.testing.troubled_rewards:TroubledSource"
"""In the registry."""


@dataclass(frozen=True, slots=True)
class TroubledConfig:
    """Which source, and what is wrong with it.

    Attributes:
        source: registry name.
        options: over its file, a JSON object.
        latencies: JSON file, episode id -> seconds that its answer takes at least; "" for none.
        no_room: JSON, episode id -> asks for which there is no room on the GPU; "" for none.
    """

    source: str = ""
    options: str = ""
    latencies: str = ""
    no_room: str = ""

    def __post_init__(self) -> None:
        if not self.source:
            raise ConfigError("a troubled source needs the source that is in trouble")


class TroubledSource:
    """See the module's text; under the name of the source within, one episode at a time.

    Args:
        config: see ``TroubledConfig``.
        clock: measures, and waits.
    """

    config_class = TroubledConfig

    def __init__(self, config: TroubledConfig, clock: Clock | None = None) -> None:
        self._source = build(config.source, options_from_json(config.options))
        late = Path(config.latencies).read_text() if config.latencies else "{}"
        self._least_s: Mapping[str, float] = json.loads(late)
        self._no_room: dict[str, int] = json.loads(config.no_room or "{}")
        self._clock = clock or SystemClock()

    @property
    def spec(self) -> RewardSpec:
        return self._source.spec

    def warm_up(self) -> None:
        self._source.warm_up()

    def score(self, request: RewardRequest) -> RewardOutcome:
        return self.answer(request, self._source.score)

    def begin(self, task: str, control_hz: float) -> TroubledEpisode | None:
        """Follow an episode of no name."""
        return self.begin_episode("", task, control_hz)

    def begin_episode(
        self, episode_id: str, task: str, control_hz: float
    ) -> TroubledEpisode | None:
        """Follow an episode where the source within can."""
        named = getattr(self._source, "begin_episode", None)
        begin = getattr(self._source, "begin", None)
        episode: LiveEpisode | None = None
        if named is not None:
            episode = named(episode_id, task, control_hz)
        elif begin is not None:
            episode = begin(task, control_hz)
        return TroubledEpisode(episode, self) if episode is not None else None

    def answer(
        self, request: RewardRequest, ask: Callable[[RewardRequest], RewardOutcome]
    ) -> RewardOutcome:
        """The answer, not before it is due; raises torch's error where there is no room."""
        if (left := self._no_room.get(request.episode_id, 0)) > 0:
            self._no_room[request.episode_id] = left - 1
            raise OutOfMemorySource.error(NO_ROOM)
        due_ns = self._clock.steady_ns()
        due_ns += round(self._least_s.get(request.episode_id, 0.0) * 1e9)
        outcome = ask(request)
        self._clock.sleep(max(due_ns - self._clock.steady_ns(), 0) * 1e-9)
        return outcome

    def close(self) -> None:
        self._source.close()


class TroubledEpisode:
    """A growing episode of the source within."""

    def __init__(self, episode: LiveEpisode, source: TroubledSource) -> None:
        self._episode = episode
        self._source = source

    def push(self, jpeg: bytes) -> float | None:
        return self._episode.push(jpeg)

    def finish(self, request: RewardRequest) -> RewardOutcome:
        return self._source.answer(request, self._episode.finish)

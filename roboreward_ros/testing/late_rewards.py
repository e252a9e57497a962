# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Any reward source, with answers that take at least as long as a list says for each episode."""

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
from roboreward_ros.types import RewardOutcome, RewardRequest, RewardSpec

NAME = "roboreward_ros.testing.late_rewards:LateSource"
"""In the registry."""


@dataclass(frozen=True, slots=True)
class LateConfig:
    """Which source, and how late.

    Attributes:
        source: registry name.
        options: over its file, a JSON object.
        latencies: JSON file, episode id -> seconds.
    """

    source: str = ""
    options: str = ""
    latencies: str = ""

    def __post_init__(self) -> None:
        if not self.source or not self.latencies:
            raise ConfigError("a late source needs a source and its latencies")


class LateSource:
    """See the module's text; under the name of the source within, one episode at a time.

    Args:
        config: see ``LateConfig``.
        clock: measures, and waits.
    """

    config_class = LateConfig

    def __init__(self, config: LateConfig, clock: Clock | None = None) -> None:
        self._source = build(config.source, options_from_json(config.options))
        self._least_s: Mapping[str, float] = json.loads(Path(config.latencies).read_text())
        self._clock = clock or SystemClock()

    @property
    def spec(self) -> RewardSpec:
        return self._source.spec

    def warm_up(self) -> None:
        self._source.warm_up()

    def score(self, request: RewardRequest) -> RewardOutcome:
        return self.late(request, self._source.score)

    def begin(self, task: str, control_hz: float) -> LateEpisode | None:
        """Follow an episode of no name."""
        return self.begin_episode("", task, control_hz)

    def begin_episode(self, episode_id: str, task: str, control_hz: float) -> LateEpisode | None:
        """Follow an episode where the source within can."""
        named = getattr(self._source, "begin_episode", None)
        begin = getattr(self._source, "begin", None)
        episode: LiveEpisode | None = None
        if named is not None:
            episode = named(episode_id, task, control_hz)
        elif begin is not None:
            episode = begin(task, control_hz)
        return LateEpisode(episode, self) if episode is not None else None

    def late(
        self, request: RewardRequest, ask: Callable[[RewardRequest], RewardOutcome]
    ) -> RewardOutcome:
        """The answer, not before it is due."""
        due_ns = self._clock.steady_ns()
        due_ns += round(self._least_s.get(request.episode_id, 0.0) * 1e9)
        outcome = ask(request)
        self._clock.sleep(max(due_ns - self._clock.steady_ns(), 0) * 1e-9)
        return outcome

    def close(self) -> None:
        self._source.close()


class LateEpisode:
    """A growing episode of the source within."""

    def __init__(self, episode: LiveEpisode, source: LateSource) -> None:
        self._episode = episode
        self._source = source

    def push(self, jpeg: bytes) -> float | None:
        return self._episode.push(jpeg)

    def finish(self, request: RewardRequest) -> RewardOutcome:
        return self._source.late(request, self._episode.finish)

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Scores committed episodes from their stored bytes into the ledger, then announces.

Usage::

    python -m roboreward_ros.nodes.reward_node --ros-args -p run_dir:=runs/first -p source:=human

Serves ``score_episode``, ``~/set_reward_source`` and ``~/promote_shadow``;
``ros2 param set /reward_node source NAME`` swaps too. A source that can is shown the frames while
an episode runs, so that its score is there within a step of the end; dense values of a running
episode go to ``reward/live``. Whatever a source does, an outcome comes in time; a failure leaves
the episode unlabelled, and it is tried again until it has a score.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import roboreward_ros.msg as msg
from roboreward_ros.episodes.scoring_jobs import RetryConfig
from roboreward_ros.errors import ConfigError, FormatError, RewardSourceError, StoreError
from roboreward_ros.evaluation.scoring_desk import DeskConfig, ScoringDesk, figures
from roboreward_ros.processes import launch_id
from roboreward_ros.rewards.config import options_from_json
from roboreward_ros.rewards.registry import build
from roboreward_ros.rewards.switch import Refusal, SwitchError, refuse_from_outside
from roboreward_ros.ros.convert import image_to_compressed, live_to_msg, record_to_msg
from roboreward_ros.ros.diagnostics import Diagnostics, Health, Level
from roboreward_ros.ros.frame_stream import FrameStream
from roboreward_ros.ros.lifecycle import HostNode
from roboreward_ros.ros.params import HostConfig, option
from roboreward_ros.ros.qos import EVENT
from roboreward_ros.ros.rates import Samples
from roboreward_ros.ros.score_server import ScoreServer
from roboreward_ros.ros.source_services import SourceServices
from roboreward_ros.ros.spin import run
from roboreward_ros.srv import SetRewardSource
from roboreward_ros.types import ImageU8, LabelRecord, RewardFailure, RewardSpec, Score

_CODES = {
    Refusal.UNKNOWN_SOURCE: SetRewardSource.Response.UNKNOWN_SOURCE,
    Refusal.BAD_OPTIONS: SetRewardSource.Response.BAD_OPTIONS,
    Refusal.WARM_UP_FAILED: SetRewardSource.Response.WARM_UP_FAILED,
    Refusal.NOT_STORED: SetRewardSource.Response.NOT_STORED,
}


@dataclass(frozen=True, slots=True)
class RewardConfig(HostConfig):
    """Parameters of reward_node; help texts are the fields' metadata."""

    source: str = option("ground_truth", "registry name of the reward source", runtime=True)
    source_options: str = option("{}", "JSON object over config/rewards/<source>.yaml")
    more_sources: tuple[str, ...] = option(
        ("",), "other packages' sources, package.module:Class, that a running node may swap to"
    )
    deadline_s: float = option(0.0, "limit of one score, s; 0: the source's own")
    warm_up_s: float = option(300.0, "limit of loading a source, s")
    live: bool = option(True, "show frames of running episodes to a source that can use them")
    jpeg_quality: int = option(95, "as recorder_node's: frames are compared by their bytes")
    control_hz: float = option(5.0, "as recorder_node's, Hz")
    max_skew_s: float = option(0.15, "as recorder_node's, s")
    reliable_images: bool = option(True, "as recorder_node's")
    retry_s: float = option(1.0, "first pause before an unlabelled episode is tried again, s")
    retry_max_s: float = option(60.0, "longest such pause while the source is away, s")

    def __post_init__(self) -> None:
        HostConfig.__post_init__(self)
        if self.deadline_s < 0 or self.warm_up_s <= 0:
            got = f"{self.deadline_s:g} and {self.warm_up_s:g}"
            raise ConfigError("deadline_s or warm_up_s", got=got, allowed=">= 0 and > 0")
        if not 1 <= self.jpeg_quality <= 100:
            raise ConfigError("jpeg_quality", got=self.jpeg_quality, allowed="1..100")
        if self.control_hz <= 0 or self.max_skew_s <= 0:
            got = f"{self.control_hz:g} and {self.max_skew_s:g}"
            raise ConfigError("control_hz or max_skew_s", got=got, allowed="> 0")
        self.desk()

    def desk(self) -> DeskConfig:
        """How the run is scored."""
        return DeskConfig(
            self.source,
            options_from_json(self.source_options),
            self.deadline_s or None,
            self.warm_up_s,
            self.control_hz,
            self.max_skew_s,
            RetryConfig(self.retry_s, self.retry_max_s, max(600.0, self.retry_max_s)),
            launch_id() if self.exit_with_launcher else "",
            tuple(filter(None, self.more_sources)),
        )


class RewardNode(HostNode[RewardConfig]):
    """See the module's text."""

    def __init__(self, **arguments: object) -> None:
        super().__init__("reward_node", RewardConfig, **arguments)  # type: ignore[arg-type]
        self._desk: ScoringDesk | None = None
        self._server: ScoreServer | None = None
        self._stream: FrameStream | None = None
        self._swaps: SourceServices | None = None
        self._latencies = Samples()
        self._problem = ""

    def _setup(self) -> None:
        config = self.config
        self._rewards = self.create_publisher(msg.Reward, "reward", EVENT)
        self._live = self.create_publisher(msg.Reward, "reward/live", EVENT)
        self._desk = ScoringDesk(config.run_dir, config.desk(), self._encode, self, self.clock)
        self._stream = FrameStream(self, self._desk.feed, reliable_images=config.reliable_images)
        self._server = ScoreServer(self, self._desk)
        self._swaps = SourceServices(self, self, self._look)
        self.post(self._show_source)
        self._look()
        Diagnostics(self, {"reward": self._health})

    def _start(self) -> None:
        assert self._desk is not None
        missing = self._desk.start()
        if missing:
            self.note(f"scoring {missing} episodes that have no score yet")

    def _stop(self, reason: str) -> None:
        del reason
        if self._server is not None:
            self._server.end_all()

    def _teardown(self) -> None:
        if self._server is not None:
            self._server.close()
        if self._stream is not None:
            self._stream.close()
        if self._desk is not None:
            self._desk.close()
        self._desk = self._server = self._stream = self._swaps = None

    def _look(self) -> None:
        """Images are asked for only while the source in force can use them."""
        if self._stream is not None and self._desk is not None:
            self._stream.follow(self.config.live and self._desk.host.follows)

    def _show_source(self) -> None:
        if self._swaps is not None and self._desk is not None:
            self._swaps.show(self._desk.asked.source)

    def _encode(self, image: ImageU8) -> bytes:
        return bytes(image_to_compressed(image, 0, quality=self.config.jpeg_quality).data)

    # What the desk tells, from its threads.

    def recorded(self, record: LabelRecord) -> None:
        self._rewards.publish(record_to_msg(record))
        outcome, episode_id = record.outcome, record.episode_id
        if record.shadow:
            return
        self._problem = ""
        self._latencies.add_ns(round(outcome.latency_s * 1e9))
        if isinstance(outcome, Score):
            self.note(f"{episode_id}: reward {outcome.value:g}")
        if isinstance(outcome, RewardFailure):
            self._problem = f"{episode_id} stays unlabelled: {outcome.message}"
            self.get_logger().error(self._problem)

    def step_scored(self, episode_id: str, step: int, value: float, spec: RewardSpec) -> None:
        self._live.publish(live_to_msg(episode_id, step, value, spec, self.clock.now_ns()))

    def progress(self, episode_ids: Sequence[str], done: int, total: int) -> None:
        if self._server is not None:
            self._server.progress(episode_ids, done, total)

    def problem(self, episode_id: str, why: str) -> None:
        self._problem = f"{episode_id} stays unlabelled: {why}"
        self.get_logger().warning(self._problem)

    def note(self, text: str) -> None:
        self.get_logger().info(text)

    # Swaps, in their own threads.

    @property
    def source(self) -> str:
        """The source in force."""
        return self._desk.source if self._desk is not None else ""

    def swap(self, source: str, options_json: str, *, shadow: bool) -> tuple[int, str]:
        assert self._desk is not None
        try:
            self._desk.swap(source, options_json, shadow)
        except SwitchError as error:
            self.get_logger().error(f"the reward source stays {self.source}: {error}")
            return _CODES[error.refusal], str(error)
        return 0, ""

    def promote_shadow(self) -> str:
        assert self._desk is not None
        try:
            self._desk.promote_shadow()
        except (RewardSourceError, StoreError, FormatError) as error:
            self.get_logger().error(f"the reward source stays {self.source}: {error}")
            return str(error)
        return ""

    def _parameters_changed(self, old: RewardConfig, new: RewardConfig) -> None:
        if self._swaps is None or self._swaps.following or new.source == old.source:
            return
        refuse_from_outside(new.source, {}, (old.source, *old.more_sources))
        build(new.source).close()  # refused here where it cannot be
        self._swaps.parameter_set(old.source, new.source)

    def _health(self) -> Health:
        desk = self._desk
        if desk is None:
            return Health(Level.STALE, "not configured")
        latency, host = self._latencies.summary(), desk.host
        values: dict[str, str | float | int] = {
            "source": desk.source,
            "shadow": desk.shadow,
            "queued": desk.queued + host.pending,
            "unlabelled": desk.unlabelled,
            "p50_ms": latency.p50_ms,
            "p99_ms": latency.p99_ms,
        }
        if (child := host.child) is not None:
            values |= {"restarts": child.restarts, "live_hits": child.live_hits}
            values |= {"scored": child.scored, "live_lost": host.lost}
        if (report := desk.shadow_report) is not None:
            values |= figures(report)
        level = Level.WARN if self._problem else Level.OK
        return Health(level, self._problem or desk.source, values)


def main() -> int:
    return run(RewardNode)


if __name__ == "__main__":
    raise SystemExit(main())

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Scores committed episodes from their stored bytes into the ledger, then announces.

Usage::

    python -m roboreward_ros.nodes.reward_node --ros-args -p run_dir:=runs/first -p source:=human

Serves ``score_episode`` and ``~/set_reward_source``; ``ros2 param set /reward_node source NAME``
does the same. At its start it scores every episode that its source has not answered yet. Whatever
a source does, an outcome comes in time; a failure leaves the episode unlabelled.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TypeAlias

from rclpy.parameter import Parameter

import roboreward_ros.msg as msg
from roboreward_ros.action import ScoreEpisode
from roboreward_ros.episodes.requests import reward_request
from roboreward_ros.episodes.scoring import Scorebook
from roboreward_ros.episodes.store import open_uri
from roboreward_ros.errors import ConfigError, FormatError, StoreError
from roboreward_ros.protocols import EpisodeReader
from roboreward_ros.rewards.config import options_from_json
from roboreward_ros.rewards.host import RewardHost
from roboreward_ros.rewards.registry import build
from roboreward_ros.rewards.switch import Refusal, SwitchError, switch
from roboreward_ros.ros.convert import record_to_msg
from roboreward_ros.ros.diagnostics import Diagnostics, Health, Level
from roboreward_ros.ros.lifecycle import HostNode
from roboreward_ros.ros.loop import until
from roboreward_ros.ros.params import HostConfig, option
from roboreward_ros.ros.qos import EVENT
from roboreward_ros.ros.rates import Samples
from roboreward_ros.ros.spin import run
from roboreward_ros.ros.work import Goal, WorkServer
from roboreward_ros.srv import SetRewardSource
from roboreward_ros.types import LabelRecord, RewardFailure, RewardOutcome, Score

Result: TypeAlias = ScoreEpisode.Result
QUEUE = 64
CLOSE_S = 3.0
_CODES = {
    Refusal.UNKNOWN_SOURCE: SetRewardSource.Response.UNKNOWN_SOURCE,
    Refusal.BAD_OPTIONS: SetRewardSource.Response.BAD_OPTIONS,
    Refusal.WARM_UP_FAILED: SetRewardSource.Response.WARM_UP_FAILED,
}


@dataclass(frozen=True, slots=True)
class RewardConfig(HostConfig):
    """Parameters of reward_node; help texts are the fields' metadata."""

    source: str = option("ground_truth", "registry name of the reward source", runtime=True)
    source_options: str = option("{}", "JSON object over config/rewards/<source>.yaml")
    deadline_s: float = option(0.0, "limit of one score, s; 0: the source's own")
    warm_up_s: float = option(300.0, "limit of loading a source, s")

    def __post_init__(self) -> None:
        HostConfig.__post_init__(self)
        options_from_json(self.source_options)
        if self.deadline_s < 0 or self.warm_up_s <= 0:
            got = f"{self.deadline_s:g} and {self.warm_up_s:g}"
            raise ConfigError("deadline_s or warm_up_s", got=got, allowed=">= 0 and > 0")


class RewardNode(HostNode[RewardConfig]):
    """See the module's text."""

    def __init__(self, **arguments: object) -> None:
        super().__init__("reward_node", RewardConfig, **arguments)  # type: ignore[arg-type]
        self._host: RewardHost | None = None
        self._book: Scorebook | None = None
        self._server: WorkServer[ScoreEpisode.Goal, Result] | None = None
        self._recovery: threading.Thread | None = None
        self._stopping = threading.Event()
        self._latencies = Samples()
        self._problem = ""
        self._following = False  # the parameter is being set to what is in force

    def _setup(self) -> None:
        config = self.config
        self._stopping.clear()
        self._rewards = self.create_publisher(msg.Reward, "reward", EVENT)
        self._book = book = Scorebook(config.run_dir, self._announce, self.clock)
        self._host = RewardHost(
            config.source,
            options_from_json(config.source_options),
            config.deadline_s or None,
            config.warm_up_s,
            on_shadow=lambda _, request, outcome: book.add(
                request.episode_id, outcome, shadow=True
            ),
        )
        book.promote(self._name, self._host.active.scale)
        self.create_service(SetRewardSource, "~/set_reward_source", self._set_source)
        self._server = WorkServer(self, ScoreEpisode, "score_episode", self._serve, capacity=QUEUE)
        Diagnostics(self, {"reward": self._health})

    def _start(self) -> None:
        self._recovery = threading.Thread(target=self._recover, name="recovery worker", daemon=True)
        self._recovery.start()

    def _stop(self, reason: str) -> None:
        del reason
        self._stopping.set()
        if self._server is not None:
            self._server.end_all()

    def _teardown(self) -> None:
        self._stopping.set()
        if self._server is not None:
            self._server.close()
        if self._recovery is not None:
            self._recovery.join(5.0)
        if self._host is not None:  # a source that hangs may keep it until the deadline
            closing = threading.Thread(target=self._host.close, name="reward close", daemon=True)
            closing.start()
            closing.join(CLOSE_S)
        if self._book is not None:
            self._book.close()
        self._host = self._book = self._server = self._recovery = None

    @property
    def _name(self) -> str:
        """The source in force, by the name that its records carry."""
        return self._host.active.name if self._host is not None else ""

    # In worker threads.

    def _recover(self) -> None:
        assert self._book is not None
        missing = self._book.unanswered(self._name)
        if missing:
            self.get_logger().info(f"scoring {len(missing)} episodes that have no score yet")
        for episode_id in missing:
            try:
                if not self._stopping.is_set():
                    self._score(self._book.store.open(episode_id))
            except (StoreError, FormatError) as error:
                self.get_logger().error(f"{episode_id} stays unlabelled: {error}")

    def _serve(self, goal: Goal[ScoreEpisode.Goal]) -> Result:
        request = goal.request
        if request.source not in ("", self._name):
            text = f"source '{request.source}' is not in force; allowed: '{self._name}' or ''"
            return Result(error_code=Result.UNKNOWN_SOURCE, error_msg=text)
        try:
            episode = open_uri(request.uri)
        except (StoreError, FormatError) as error:
            return Result(error_code=Result.NO_EPISODE, error_msg=str(error))
        frames = episode.summary.n_steps + 1
        goal.feedback(ScoreEpisode.Feedback(frames_total=frames))
        record = self._score(episode, goal)
        if record is None:
            return goal.canceled(Result(error_msg=f"not scored: {goal.cancel_reason}"))
        return Result(reward=record_to_msg(record))

    def _score(
        self, episode: EpisodeReader, goal: Goal[ScoreEpisode.Goal] | None = None
    ) -> LabelRecord | None:
        book, host = self._book, self._host
        assert book is not None and host is not None  # noqa: PT018
        force = goal is not None and bool(goal.request.force)

        def wanted() -> bool:
            return not self._stopping.is_set() and (goal is None or not goal.cancel_reason)

        def ask(reader: EpisodeReader) -> RewardOutcome:
            outcome = host.score(lambda spec: reward_request(reader, spec), wanted)
            self._latencies.add_ns(round(outcome.latency_s * 1e9))
            return outcome

        return book.score(episode, self._name, ask, force, wanted)

    def _announce(self, record: LabelRecord) -> None:
        self._rewards.publish(record_to_msg(record))
        outcome, episode_id, self._problem = record.outcome, record.episode_id, ""
        if isinstance(outcome, Score):
            self.get_logger().info(f"{episode_id}: reward {outcome.value:g}")
        if isinstance(outcome, RewardFailure):
            self._problem = f"{episode_id} stays unlabelled: {outcome.message}"
            self.get_logger().error(self._problem)

    # Swaps.

    async def _set_source(
        self, request: SetRewardSource.Request, response: SetRewardSource.Response
    ) -> SetRewardSource.Response:
        def work() -> None:
            answer = self._swap(request.source, request.options_json, shadow=bool(request.shadow))
            response.error_code, response.error_msg = answer

        thread = threading.Thread(target=work, name="swap worker", daemon=True)
        thread.start()
        await until(lambda: not thread.is_alive())
        response.active = self._name
        return response

    def _swap(self, source: str, options_json: str, *, shadow: bool = False) -> tuple[int, str]:
        """Warm a source up and let it take over; error code and message of the service."""
        host, book = self._host, self._book
        assert host is not None and book is not None  # noqa: PT018
        try:
            spec = switch(host, source, options_json, shadow)
        except SwitchError as error:
            self.get_logger().error(f"the reward source stays {self._name}: {error}")
            return _CODES[error.refusal], str(error)
        if spec is not None and not shadow:
            book.promote(spec.name, spec.scale)
            self.post(lambda: self._show_source(source))
        self.get_logger().info(f"{'shadow' if shadow else 'reward source'}: {source or 'none'}")
        return 0, ""

    def _parameters_changed(self, old: RewardConfig, new: RewardConfig) -> None:
        if new.source == old.source or self._following:
            return
        build(new.source).close()

        def work() -> None:
            if self._swap(new.source, "")[0]:
                self.post(lambda: self._show_source(old.source))

        threading.Thread(target=work, name="swap worker", daemon=True).start()

    def _show_source(self, source: str) -> None:
        """Let the parameter say what is in force."""
        if self.config.source != source:
            self._following = True
            self.set_parameters([Parameter("source", value=source)])
            self._following = False

    def _health(self) -> Health:
        latency = self._latencies.summary()
        values = {"p50_ms": latency.p50_ms, "p99_ms": latency.p99_ms}
        level = Level.WARN if self._problem else Level.OK
        return Health(level, self._problem or self._name, values)


def main() -> int:
    return run(RewardNode)


if __name__ == "__main__":
    raise SystemExit(main())

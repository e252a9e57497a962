# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Scores a run while it goes on: sources on one side, episodes and ledger on the other. No ROS."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from roboreward_ros.clock import Clock, SystemClock
from roboreward_ros.episodes.frame_feed import FeedFrame, FrameFeed
from roboreward_ros.episodes.promoted import Asked, asked_last
from roboreward_ros.episodes.requests import reward_request
from roboreward_ros.episodes.scoring import Scorebook
from roboreward_ros.episodes.scoring_jobs import RetryConfig
from roboreward_ros.episodes.scoring_queue import ScoringQueue
from roboreward_ros.episodes.store import open_uri
from roboreward_ros.errors import FormatError, StoreError
from roboreward_ros.evaluation.agreement import AgreementBook, SourceReport
from roboreward_ros.protocols import EpisodeReader
from roboreward_ros.rewards.config import Options, options_from_json
from roboreward_ros.rewards.host import RewardHost
from roboreward_ros.rewards.live import LiveFrame
from roboreward_ros.rewards.switch import switch
from roboreward_ros.types import (
    ImageU8,
    LabelRecord,
    RewardOutcome,
    RewardRequest,
    RewardSpec,
)

CLOSE_S = 3.0


class Listener(Protocol):
    """Hears what happens, from the desk's threads."""

    def recorded(self, record: LabelRecord) -> None:
        """An outcome is on disk."""

    def step_scored(self, episode_id: str, step: int, value: float, spec: RewardSpec) -> None:
        """A dense source has looked at a step of a running episode; nothing is on disk of it."""

    def progress(self, episode_ids: Sequence[str], done: int, total: int) -> None:
        """So many frames of what is being scored are done."""

    def problem(self, episode_id: str, why: str) -> None:
        """An episode stays unlabelled for now."""

    def note(self, text: str) -> None:
        """Something that the log should have."""


@dataclass(frozen=True, slots=True)
class DeskConfig:
    """How a run is scored.

    Attributes:
        source: registry name.
        options: over the source's file.
        deadline_s: limit of one score, s; None: the source's own.
        warm_up_s: limit of loading a source, s.
        control_hz: rate that the recorder notes in each episode, Hz.
        max_skew_s: oldest image that the recorder pairs with a state, s.
        retry: pauses of unlabelled episodes.
        launch: which launch starts this process again when it dies; "" for none. A source that
            was swapped in before is then in force again.
        more_sources: of other packages, ``package.module:Class``, that may be swapped to.
    """

    source: str
    options: Options = field(default_factory=dict)
    deadline_s: float | None = None
    warm_up_s: float = 300.0
    control_hz: float = 5.0
    max_skew_s: float = 0.15
    retry: RetryConfig = field(default_factory=RetryConfig)
    launch: str = ""
    more_sources: tuple[str, ...] = ()


class ScoringDesk:
    """Everything of a run's rewards, behind one face. Safe to use from threads.

    Attributes:
        asked: how the source in force was asked for.
        host: of the sources.

    Args:
        run_dir: the run.
        config: how.
        encode: image -> JPEG bytes as the recorder stores them.
        listener: see ``Listener``.
        clock: measures and stamps.

    Raises:
        ConfigError: an unknown source or option.
        RewardSourceError: the source cannot be warmed up.
        StoreError: another process scores this run.
    """

    def __init__(
        self,
        run_dir: Path | str,
        config: DeskConfig,
        encode: Callable[[ImageU8], bytes],
        listener: Listener,
        clock: Clock | None = None,
    ) -> None:
        self._config = config
        self._listener = listener
        self._run_dir = Path(run_dir).resolve()
        clock = clock or SystemClock()
        self._book = Scorebook(run_dir, listener.recorded, clock)
        self._shadow_asked = Asked()
        try:
            swapped = asked_last(run_dir, config.launch)
            if swapped is not None:
                listener.note(f"reward source: {swapped.source} again, as it was swapped to")
            self.asked = swapped or Asked(config.source)
            self.host = RewardHost(
                self.asked.source,
                config.options if swapped is None else options_from_json(swapped.options),
                config.deadline_s,
                config.warm_up_s,
                on_shadow=self._on_shadow,
                on_step=self._on_step,
                clock=clock,
            )
        except BaseException:
            self._book.close()
            raise
        self._agreement = AgreementBook(run_dir)
        self._report: SourceReport | None = None
        self._swapping = threading.Lock()
        self._note(self.host.active, "start")
        self._queue = ScoringQueue(
            self._book,
            self._ask,
            lambda: self.source,
            lambda: self.host.batch,
            listener.problem,
            config.retry,
            clock,
        )
        self.feed = FrameFeed(encode, self._push, self.host.drop, config.max_skew_s)

    @property
    def source(self) -> str:
        """The source in force, by the name that its records carry."""
        return self.host.active.name

    @property
    def shadow(self) -> str:
        """The source in the shadow; "" for none."""
        spec = self.host.shadow
        return spec.name if spec is not None else ""

    @property
    def queued(self) -> int:
        """Episodes that somebody waits for."""
        return self._queue.queued

    @property
    def unlabelled(self) -> int:
        """Episodes that will be tried again."""
        return self._queue.waiting

    @property
    def shadow_report(self) -> SourceReport | None:
        """How far the present shadow agrees; None before its first answer."""
        report = self._report
        return report if report is not None and report.name == self.shadow else None

    def start(self) -> int:
        """Begin to score; returns how many episodes have no score of the source yet."""
        missing = self._book.unanswered(self.source)
        self._queue.start()
        self._queue.catch_up(missing)
        return len(missing)

    def open(self, uri: str) -> EpisodeReader:
        """A committed episode of this run; raises StoreError or FormatError."""
        episode = open_uri(uri)
        run_dir = episode.folder.resolve().parent.parent
        if run_dir != self._run_dir:
            raise StoreError(
                "the episode belongs to another run",
                got=uri,
                allowed=f"an episode of {self._run_dir}",
                next_step="Each run has a reward_node of its own: its ledger has one writer.",
            )
        return episode

    def submit(
        self, episode: EpisodeReader, force: bool, wanted: Callable[[], bool]
    ) -> Future[LabelRecord | None]:
        """Score an episode in its turn; None once it is unwanted."""
        return self._queue.submit(episode, force, wanted)

    def swap(self, source: str, options_json: str, shadow: bool) -> None:
        """Warm a source up and let it take over, or run beside; raises SwitchError."""
        with self._swapping:
            asked = Asked(source, options_json, self._config.launch)
            switch(
                self.host,
                source,
                options_json,
                shadow,
                lambda spec: self._note(spec, "swap", asked),
                (self._config.source, *self._config.more_sources),
            )
            if shadow:
                self._shadow_asked = asked
            else:
                self.asked = asked
                self._queue.source_changed()
        self._listener.note(f"{'shadow' if shadow else 'reward source'}: {source or 'none'}")

    def promote_shadow(self) -> None:
        """Let the warm shadow take over between two episodes.

        Raises:
            RewardSourceError: there is none.
            StoreError: the change cannot be noted; the old source stays and the shadow goes on.
        """
        why = "promoted from the shadow"
        with self._swapping:
            asked = self._shadow_asked
            spec = self.host.promote_shadow(lambda spec: self._note(spec, why, asked))
            self.asked = asked
            self._queue.source_changed()
        self._listener.note(f"reward source: {spec.name}, promoted from the shadow")

    def _note(self, spec: RewardSpec, why: str, asked: Asked | None = None) -> None:
        """On disk before it is in force: a view never goes by a source that a crash forgot."""
        self._book.promote(spec.name, spec.scale, why, asked)

    def close(self, timeout_s: float = 5.0) -> None:
        """End threads and sources; idempotent. A source that hangs may outlive the call."""
        self._queue.close(timeout_s)
        closing = threading.Thread(target=self.host.close, name="reward close", daemon=True)
        closing.start()
        closing.join(CLOSE_S)
        self._book.close()

    # From the desk's threads.

    def _ask(
        self, episodes: Sequence[EpisodeReader], wanted: Callable[[], bool]
    ) -> Sequence[RewardOutcome]:
        names = [episode.summary.meta.episode_id for episode in episodes]

        def factory(episode: EpisodeReader) -> Callable[[RewardSpec], RewardRequest]:
            return lambda spec: reward_request(episode, spec)

        return self.host.score_many(
            [factory(episode) for episode in episodes],
            wanted,
            lambda done, total: self._listener.progress(names, done, total),
        )

    def _push(self, frame: FeedFrame) -> None:
        live = LiveFrame(
            frame.episode_id, frame.task, self._config.control_hz, frame.step, frame.jpeg
        )
        self.host.push(live)

    def _on_step(self, frame: LiveFrame, value: float) -> None:
        self._listener.step_scored(frame.episode_id, frame.step, value, self.host.active)

    def _on_shadow(self, spec: RewardSpec, request: RewardRequest, outcome: RewardOutcome) -> None:
        self._book.add(request.episode_id, outcome, shadow=True)
        try:
            reports = self._agreement.reports()
        except (StoreError, FormatError) as error:
            self._listener.note(f"no shadow statistics: {error}")
            return
        self._report = next((report for report in reports if report.name == spec.name), None)


def figures(report: SourceReport) -> Mapping[str, float | int]:
    """The figures of a shadow that help to decide on it, by short names."""
    return {
        "shadow_n": report.truth.n,
        "shadow_exact": report.truth.exact,
        "shadow_within_one": report.truth.within_one,
        "shadow_kappa": report.truth.kappa,
        "shadow_mae": report.truth.mae,
        "shadow_false_positives": report.truth.false_positives.value,
        "shadow_coverage": report.coverage.coverage,
        "shadow_exact_vs_active": report.active.exact,
        "shadow_kappa_vs_active": report.active.kappa,
    }

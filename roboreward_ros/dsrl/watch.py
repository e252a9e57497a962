# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Reads off a run's stores whether new weights may act: abstentions, canaries, audits, latents.

Training never stops for it. Three things hold publishing back: a reward source that declines too
often or whose successes auditors find to be none (``session.brakes``), and steering that auditors
find worse than the base policy (``session.monitor``), on which the base policy acts again. What
auditors found stays until a person lets go of it (``release``), which is remembered in
``run_dir/brakes.json``.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from roboreward_ros.dsrl.actor import SteeringActor, load_actor
from roboreward_ros.dsrl.actor_files import actor_path
from roboreward_ros.dsrl.config import DsrlConfig
from roboreward_ros.dsrl.follow import FollowStatus
from roboreward_ros.dsrl.hindsight import drawn_by_prior, stuck_means
from roboreward_ros.dsrl.noise_record import Place, require_form
from roboreward_ros.dsrl.shaping import value_bounds
from roboreward_ros.episodes.labels import HUMAN
from roboreward_ros.episodes.ledger import SCORES, Ledger
from roboreward_ros.episodes.promoted import read_promoted
from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.episodes.tally import claims_success
from roboreward_ros.episodes.views import Label, LabelStatus, RewardView, ViewConfig
from roboreward_ros.errors import CheckpointError, FormatError, LearnerError, StoreError
from roboreward_ros.files import write_atomic
from roboreward_ros.session.brakes import (
    AbstainBrake,
    AbstainBrakeConfig,
    FalseSuccesses,
    judge_claims,
)
from roboreward_ros.session.monitor import (
    Judged,
    MonitorConfig,
    SteeringMonitor,
    SteeringReport,
)
from roboreward_ros.types import Chunk, EpisodeMeta, EpisodeSummary, without_closing

_LOG = logging.getLogger(__name__)

AUDITORS = ViewConfig("ground_truth", fallbacks=("human",), include_shadow=True)
"""Whose word counts on success; a person's key overrules both."""
BRAKES_FORMAT = 1


@dataclass(frozen=True, slots=True)
class WatchState:
    """What follows.

    Attributes:
        report: of the steering monitor.
        alarm: why weights are held back; "" while they are not.
        base_acts: let the base policy act.
        audits: episodes that a person should judge, oldest first.
        claims: what audits say of the successes that the run's source claims.
    """

    report: SteeringReport
    alarm: str
    base_acts: bool
    audits: tuple[str, ...]
    claims: FalseSuccesses


class SteeringWatch:
    """See the module's text; one thread.

    Args:
        run_dir: the run.
        config: of the learner, for its bounds.
        seed: of the run, for the draw of audits.
        monitor: limits of the steering monitor.
        brake: limits of the abstention brake.
        actors: run whose actors act; None for ``run_dir``'s own.
        policy: folder of the frozen policy, where measurements of the noise form lie; None asks for
            none.

    Raises:
        FormatError: brakes.json is damaged or newer.
    """

    def __init__(
        self,
        run_dir: Path | str,
        config: DsrlConfig,
        seed: int = 0,
        monitor: MonitorConfig | None = None,
        brake: AbstainBrakeConfig | None = None,
        actors: Path | None = None,
        policy: str | None = None,
    ) -> None:
        self._config = config
        self._policy = policy
        self._unmeasured: dict[tuple[str, str], str] = {}  # (policy, task) -> what is not known
        self._run_dir = Path(run_dir)
        self._actors = actors or self._run_dir
        self._actor: SteeringActor | None = None  # the newest that was read
        self._brake = AbstainBrake(brake)
        self._limits = monitor or MonitorConfig()
        self._monitor = SteeringMonitor(
            self._limits,
            seed,
            config.latent_bound,
            value_bounds(config),
            since=_read_since(self._path),
        )
        self._store = EpisodeStore(self._run_dir, "r")
        self._view: RewardView | None = None
        self._source: RewardView | None = None  # what the run's source said, without people
        self._auditors = RewardView.of_run(self._run_dir, AUDITORS)
        self._cursors = [0, 0]
        self._known: dict[str, Judged] = {}
        self._prior: set[str] = set()  # episodes of a published actor that was the prior
        self._unreadable: set[str] = set()
        self._labels: dict[str, Label] = {}

    @property
    def _path(self) -> Path:
        return self._run_dir / "brakes.json"

    def look(self, status: FollowStatus) -> WatchState:
        """Catch up with the stores.

        Args:
            status: of the learner, for its numbers.
        """
        touched = self._touched()
        for episode_id in self._store.ids():
            fresh = episode_id not in self._known and episode_id not in self._unreadable
            if fresh or episode_id in touched:
                self._try_see(episode_id)
        answered = (LabelStatus.LABELLED, LabelStatus.ABSTAINED)
        statuses = [self._labels[e].status for e in self._known if e in self._labels]
        # With a person for a source such an episode waits for a key: no doubt of a model.
        person = self._view is not None and self._view.config.source == HUMAN
        doubted = [s is LabelStatus.ABSTAINED for s in statuses if s in answered]
        self._brake.update([] if person else doubted)
        last = status.metrics.last
        numbers = (last.critic_loss, last.actor_loss, last.alpha, last.q_mean)
        report = self._monitor.report(
            q_mean=last.q_mean, finite=all(math.isfinite(x) for x in numbers)
        )
        unmeasured = filter(None, self._unmeasured.values())
        report = dataclasses.replace(report, warnings=(*report.warnings, *unmeasured))
        claims = judge_claims(self._monitor.claims(), self._limits.false_share, self._limits.error)
        alarm = report.message if report.fall_back else claims.message or self._brake.message
        wanted = tuple(self._monitor.wanted())
        return WatchState(report, alarm, report.fall_back, wanted, claims)

    def release(self) -> None:
        """A person lets weights pass: what was counted against the steering counts no more."""
        self._brake.release()
        self._monitor.since = len(self._store.ids())
        values = {"format": BRAKES_FORMAT, "steering_since": self._monitor.since}
        write_atomic(self._path, json.dumps(values))

    def _touched(self) -> set[str]:
        """Episodes whose labels changed since the last look."""
        config, again = read_promoted(self._run_dir), set[str]()
        if config is not None and (self._view is None or config != self._view.config):
            self._view = RewardView.of_run(self._run_dir, config)
            self._source = RewardView([Ledger(self._run_dir, "r", SCORES)], config)
            self._cursors[0] = 0
            again = set(self._known)  # another source claims other successes
        self._cursors[1], audited = self._auditors.changes(self._cursors[1])
        if self._view is None:
            return set(audited)
        self._cursors[0], labelled = self._view.changes(self._cursors[0])
        for episode_id in labelled:
            self._labels[episode_id] = self._view.status(episode_id)
        return {*audited, *labelled, *again}

    def _try_see(self, episode_id: str) -> None:
        """Take an episode in; a damaged one judges nothing and does not stop the learner."""
        try:
            self._see(episode_id, episode_id not in self._known)
        except (StoreError, FormatError) as error:
            if episode_id not in self._unreadable:
                _LOG.error("the steering is judged without %s: %s", episode_id, error)
            self._unreadable.add(episode_id)

    def _see(self, episode_id: str, fresh: bool) -> None:
        episode = self._store.open(episode_id)
        summary = episode.summary
        self._ask_form(summary.meta)
        claim = None if self._source is None else self._source.label(episode_id)
        verdict = self._auditors.status(episode_id)
        audit = None if verdict.score is None else claims_success(verdict.score)
        if verdict.status is LabelStatus.ASK:
            audit = False  # a person said failure
        sound = summary.complete and not summary.taint and not summary.discarded
        acted = summary.policy_version > 0 and not summary.meta.canary
        chunks = without_closing(episode.chunks(), summary.n_steps) if fresh and acted else ()
        if drawn_by_prior(chunks, summary.meta.seed):
            self._prior.add(episode_id)
        judged = Judged(
            summary.meta,
            sound and acted and episode_id not in self._prior,
            audit if sound else None,
            None if claim is None or not sound else claims_success(claim),
        )
        stuck = self._stuck(summary, chunks) if judged.steered else math.nan
        self._monitor.see(judged, chunks, stuck)
        self._known[episode_id] = judged

    def _ask_form(self, meta: EpisodeMeta) -> None:
        """Look once for a measurement of the profile's noise with this policy and task.

        A warning, no refusal: who learns moves nothing, and knows policy and task by the first
        episode. Refusing is for whoever starts the arm.
        """
        if self._policy is None or (meta.policy_id, meta.task) in self._unmeasured:
            return
        problem = ""
        try:
            require_form(self._config, "", self._policy, meta.policy_id, meta.task, Place.ARM)
        except (LearnerError, FormatError) as error:
            problem = str(error)
            _LOG.warning("%s", problem)
        self._unmeasured[meta.policy_id, meta.task] = problem

    def _stuck(self, summary: EpisodeSummary, chunks: Sequence[Chunk]) -> float:
        """Share of the actor's means at their bound; NaN without decisions or its file."""
        version, policy_id = summary.policy_version, summary.meta.policy_id
        if not chunks:
            return math.nan
        actor = self._actor
        try:
            if actor is None or (actor.version, actor.policy_id) != (version, policy_id):
                actor = load_actor(actor_path(self._actors, version), None, policy_id)
        except CheckpointError:
            return math.nan  # pruned
        self._actor = actor
        return stuck_means(actor, chunks, summary.meta.max_steps)


def _read_since(path: Path) -> int:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        version, since = int(values["format"]), int(values["steering_since"])
    except FileNotFoundError:
        return 0
    except (OSError, ValueError, OverflowError, RecursionError, KeyError, TypeError) as error:
        raise FormatError(
            f"{path} cannot be read",
            got=repr(error),
            next_step="Remove it to judge the steering over the whole run.",
        ) from None
    if version > BRAKES_FORMAT:
        raise FormatError(
            f"{path} was written by a newer version",
            got=version,
            allowed=f"format <= {BRAKES_FORMAT}",
            next_step="Upgrade roboreward_ros, or use another run_dir.",
        )
    return since

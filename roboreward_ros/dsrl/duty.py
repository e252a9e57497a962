# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One learner on duty: follows the stores of a run, watches its own steering, keeps a board.

Knows nothing about ROS; one thread. ``learner_node`` gives it time and tells what came of it; for
several arms ``dsrl.fleet`` does. Each arm's steering is judged by itself, and any alarm holds the
one actor for all.
"""

from __future__ import annotations

import dataclasses
import functools
import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from roboreward_ros.dsrl.board import Board
from roboreward_ros.dsrl.compute import Compute
from roboreward_ros.dsrl.config import CriticForm, DsrlConfig
from roboreward_ros.dsrl.corrections import Corrector
from roboreward_ros.dsrl.figures import Bulletin, DutyState, figures, vitals
from roboreward_ros.dsrl.follow import FollowStatus, RunFollower
from roboreward_ros.dsrl.pacing import Pacing
from roboreward_ros.dsrl.pool import arm_of
from roboreward_ros.dsrl.prior_data import find_demonstrations, prior_episodes
from roboreward_ros.dsrl.prior_features import PriorFeatures
from roboreward_ros.dsrl.prior_intake import PriorData
from roboreward_ros.dsrl.saving import SLICE_S
from roboreward_ros.dsrl.stores import Stores
from roboreward_ros.dsrl.watch import SteeringWatch, WatchState
from roboreward_ros.policies.loading import invertible, load_any_policy
from roboreward_ros.protocols import Policy
from roboreward_ros.session.brakes import AbstainBrakeConfig
from roboreward_ros.session.monitor import MonitorConfig

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DutyConfig:
    """How the learner of a run works.

    Attributes:
        run_dir: the run.
        learner: every knob of the learning.
        seed: of weights, sampling and the draw of audits.
        source: reward source to learn from; "" follows the run's promoted one.
        policy: frozen policy, loaded where the algorithm decodes noise in its updates, or to learn
            from a person.
        compute: precision and compilation.
        exact_resume: refuse a resume that cannot equal the uninterrupted run.
        keep_actors: see ``RunFollower``.
        adapt: change the quota of updates by the idle time that the session reports.
        monitor, brake: see ``SteeringWatch``.
        board: write TensorBoard files.
        demonstrations: run folder of prior data (``dsrl.prior_data``); "" for none.
    """

    run_dir: Path
    learner: DsrlConfig
    seed: int
    source: str
    policy: str
    compute: Compute
    exact_resume: bool
    keep_actors: int
    adapt: bool
    monitor: MonitorConfig
    brake: AbstainBrakeConfig
    board: bool
    demonstrations: str = ""


class LearnerDuty:
    """See the module's text.

    Args:
        config: of the run.
        steady_s: seconds of a steady clock.
        stores: of several arms, each to be announced by ``attend``; None for the run's own.

    Raises:
        CheckpointError: the run's checkpoint does not fit it or the policy, or cannot be resumed
            exactly.
    """

    def __init__(
        self,
        config: DutyConfig,
        steady_s: Callable[[], float] = time.monotonic,
        stores: Stores | None = None,
    ) -> None:
        learner = config.learner
        config.run_dir.mkdir(parents=True, exist_ok=True)
        policy: Policy | None = None
        prior: PriorData | None = None
        load = functools.cache(lambda: load_any_policy(config.policy))
        if learner.critic is not CriticForm.LATENT:
            policy = load()
        if config.demonstrations:
            find_demonstrations(config.demonstrations)
            frozen = invertible(load(), config.policy)
            kept = PriorFeatures(config.run_dir, frozen.spec)
            prior = functools.partial(prior_episodes, config.demonstrations, frozen, kept=kept)
        self.follower = RunFollower(
            config.run_dir,
            learner,
            config.seed,
            config.source,
            stores=stores,
            compute=config.compute,
            policy=policy,
            prior=prior,
            correct=Corrector(load),
            exact=config.exact_resume,
            keep_actors=config.keep_actors,
        )
        self.follower.resume()
        self._steady_s = steady_s
        self._config = config
        self._pacing = Pacing() if config.adapt else None
        self._watches: dict[str, tuple[SteeringWatch, Board | None]] = {}
        self._rate = 0.0
        self._shown: FollowStatus | None = None
        self._states: dict[str, DutyState] = {}
        self._alarmed: list[str] = []
        self._bulletins: dict[str, Bulletin] = {}
        self._counted: FollowStatus | None = None  # what the counts of the arms are of
        self._done: Counter[str] = Counter()
        self._trainable: Counter[str] = Counter()
        if stores is None:
            self.attend("", config.run_dir)

    def attend(self, arm: str, run_dir: Path) -> None:
        """Watch the steering of one more arm, by its run; "" is the only one there is."""
        config = self._config
        watch = SteeringWatch(
            run_dir, config.learner, config.seed, config.monitor, config.brake, config.run_dir,
            config.policy,
        )  # fmt: skip
        self._watches[arm] = (watch, Board(run_dir) if config.board else None)
        self._look()

    @property
    def state(self) -> DutyState:
        """Where the learner stands, of a run of its own."""
        return self._states[""]

    def advance(self, max_updates: int) -> bool:
        """One piece of work, of a few seconds; False when there is none until a store changes."""
        follower, pacing = self.follower, self._pacing
        if pacing is not None and follower.owed:
            taken, called_for, owed = follower.taken, follower.called_for, follower.owed
            follower.grant(pacing.grant(taken, called_for, owed, self._rate))
        self._look()
        before, start_s = follower.grad_steps, self._steady_s()
        worked = follower.advance(max_updates, lambda: self._steady_s() - start_s >= SLICE_S)
        done, took_s = follower.grad_steps - before, self._steady_s() - start_s
        if done and took_s > 0:
            self._rate = done / took_s
        self._tell({arm: state.watch for arm, state in self._states.items()})
        if follower.status != self._shown:
            self._shown = follower.status
            for arm, (_, board) in self._watches.items():
                if board is not None:
                    board.write(self._states[arm])
        return worked

    def bulletin(self, arm: str = "") -> Bulletin:
        """What an arm is told; the same object until something in it but the rate has changed."""
        return self._bulletins[arm]

    @property
    def unsaved(self) -> bool:
        """Whether updates were done since the last save."""
        return self.follower.unsaved

    @property
    def place(self) -> str:
        """Where ``save`` writes."""
        return str(self.follower.checkpoint)

    def save(self) -> bool:
        """Write the checkpoint, if there is a sound one to write; raises OSError."""
        return self.follower.save() is not None

    def session(self, idle_s: float, committed: int) -> None:
        """What the session reports, see ``Pacing.session``; without ``adapt`` it is ignored."""
        if self._pacing is not None:
            self._pacing.session(idle_s, committed)

    def release(self) -> None:
        """A person lets weights pass and the actor act."""
        for arm in self._alarmed:  # what was counted of the others still counts
            self._watches[arm][0].release()
        self._look()

    def interrupt(self) -> None:
        """A slice of updates ends soon enough; any thread."""

    def close(self) -> None:
        """Flush the boards."""
        for _, board in self._watches.values():
            if board is not None:
                board.close()

    def _look(self) -> None:
        """Judge the steering and act on it, before anything may be published."""
        follower = self.follower
        watched = {arm: it.look(follower.status) for arm, (it, _) in self._watches.items()}
        self._alarmed = [arm for arm, watch in watched.items() if watch.alarm]
        alarm = "; ".join(
            f"{arm}: {watch.alarm}" if arm else watch.alarm
            for arm, watch in watched.items()
            if watch.alarm
        )
        base_acts = any(watch.base_acts for watch in watched.values())
        if base_acts and not follower.fallen_back:
            _LOG.error("%s; the base policy acts until ~/release", alarm)
            follower.fall_back(alarm)
        elif alarm != follower.held:
            _LOG.warning("%s", alarm or "weights are published again")
            follower.hold(alarm)
        self._tell({arm: self._shared(watch, alarm) for arm, watch in watched.items()})

    def _tell(self, watched: Mapping[str, WatchState]) -> None:
        """Where the learner stands now, for each arm."""
        for arm, watch in watched.items():
            state = DutyState(self._status_of(arm), watch, self._rate)
            before = self._states.get(arm)
            self._states[arm] = state
            if before is None or (before.status, before.watch) != (state.status, state.watch):
                self._bulletins[arm] = Bulletin(
                    figures(state),
                    vitals(state),
                    state.status.actor,
                    state.status.message if self.follower.halted else "",
                    watch.alarm or "; ".join((*watch.report.warnings, *self._refused_of(arm))),
                )

    def _refused_of(self, arm: str) -> list[str]:
        """Why an arm's newest episode teaches nothing; the same words as long as that lasts."""
        own = (name for name in self.follower.order if not arm or arm_of(name)[0] == arm)
        newest = max(own, default="")  # by index: a resume takes refused ones in out of turn
        if newest not in self.follower.refused:
            return []
        why = self.follower.refused[newest].replace(f"episode {newest}", "the episode")
        why = why.replace(newest.rpartition("/")[2], "*")  # as in the path of a damaged file
        return [f"nothing is learnt from the newest episodes: {why}"]

    def _shared(self, watch: WatchState, alarm: str) -> WatchState:
        """What an arm is told of its steering: an alarm of any arm is everybody's."""
        if watch.alarm == alarm:
            return watch
        return dataclasses.replace(watch, alarm=alarm, base_acts=self.follower.fallen_back)

    def _status_of(self, arm: str) -> FollowStatus:
        """The learner's status with an arm's own episodes."""
        status = self.follower.status
        if not arm:
            return status
        if status is not self._counted:
            self._counted, self._done, self._trainable = status, Counter(), Counter()
            for name in self.follower.order[: status.episodes_done]:
                self._done[arm_of(name)[0]] += 1
                self._trainable[arm_of(name)[0]] += self.follower.trains(name)
        done, trainable = self._done[arm], self._trainable[arm]
        return dataclasses.replace(status, episodes_done=done, trainable=trainable)

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One learner on duty for a run: follows its stores, watches its own steering, keeps a board.

Knows nothing about ROS; one thread. ``learner_node`` gives it time and tells what came of it.
"""

from __future__ import annotations

import functools
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from roboreward_ros.dsrl.board import Board
from roboreward_ros.dsrl.chunk_decoder import Decode
from roboreward_ros.dsrl.compute import Compute
from roboreward_ros.dsrl.config import CriticForm, DsrlConfig
from roboreward_ros.dsrl.corrections import Corrector
from roboreward_ros.dsrl.figures import DutyState
from roboreward_ros.dsrl.follow import FollowStatus, PriorData, RunFollower
from roboreward_ros.dsrl.pacing import Pacing
from roboreward_ros.dsrl.prior_data import find_demonstrations, prior_episodes
from roboreward_ros.dsrl.watch import SteeringWatch
from roboreward_ros.policies.diffusion import load_policy
from roboreward_ros.policies.loading import find_layout, load_any_policy
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

    Raises:
        CheckpointError: the run's checkpoint does not fit, or cannot be resumed exactly.
    """

    def __init__(self, config: DutyConfig, steady_s: Callable[[], float] = time.monotonic) -> None:
        learner = config.learner
        config.run_dir.mkdir(parents=True, exist_ok=True)
        decode: Decode | None = None
        prior: PriorData | None = None
        load = functools.cache(lambda: load_policy(config.policy))
        if learner.critic is not CriticForm.LATENT:
            foreign = find_layout(Path(config.policy)) is not None
            decode = (load_any_policy(config.policy) if foreign else load()).decode
        if config.demonstrations:
            find_demonstrations(config.demonstrations)
            prior = functools.partial(prior_episodes, config.demonstrations, load())
        self.follower = RunFollower(
            config.run_dir,
            learner,
            config.seed,
            config.source,
            compute=config.compute,
            decode=decode,
            prior=prior,
            correct=Corrector(load),
            exact=config.exact_resume,
            keep_actors=config.keep_actors,
        )
        self.follower.resume()
        self._steady_s = steady_s
        self._watch = SteeringWatch(
            config.run_dir, learner, config.seed, config.monitor, config.brake
        )
        self._pacing = Pacing(learner.updates_per_episode) if config.adapt else None
        self._board = Board(config.run_dir) if config.board else None
        self._rate = 0.0
        self._shown: FollowStatus | None = None
        self.state = self._look()

    def advance(self, max_updates: int) -> bool:
        """One bounded piece of work; False when there is nothing to do until a store changes."""
        follower = self.follower
        before, start_s = follower.grad_steps, self._steady_s()
        if self._pacing is not None and follower.owed:
            follower.grant(self._pacing.grant(follower.taken, follower.owed, self._rate))
        self.state = self._look()
        worked = follower.advance(max_updates)
        done, took_s = follower.grad_steps - before, self._steady_s() - start_s
        if done and took_s > 0:
            self._rate = done / took_s
        self.state = DutyState(follower.status, self.state.watch, self._rate)
        if self._board is not None and follower.status != self._shown:
            self._board.write(self.state)
            self._shown = follower.status
        return worked

    @property
    def trouble(self) -> str:
        """Why training stopped; "" while it goes on."""
        return self.follower.status.message if self.follower.halted else ""

    @property
    def warning(self) -> str:
        """What a person should look at."""
        return self.state.watch.alarm or "; ".join(self.state.watch.report.warnings)

    def session(self, idle_s: float, committed: int) -> None:
        """What the session reports, see ``Pacing.session``; without ``adapt`` it is ignored."""
        if self._pacing is not None:
            self._pacing.session(idle_s, committed)

    def release(self) -> None:
        """A person lets weights pass and the actor act."""
        self._watch.release()
        self.state = self._look()

    def close(self) -> None:
        """Flush the board."""
        if self._board is not None:
            self._board.close()

    def _look(self) -> DutyState:
        """Judge the steering and act on it, before anything may be published."""
        follower = self.follower
        watch = self._watch.look(follower.status)
        if watch.base_acts and not follower.fallen_back:
            _LOG.error("%s; the base policy acts until ~/release", watch.alarm)
            follower.fall_back(watch.alarm)
        elif watch.alarm != follower.held:
            _LOG.warning("%s", watch.alarm or "weights are published again")
            follower.hold(watch.alarm)
        return DutyState(follower.status, watch, self._rate)

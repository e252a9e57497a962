# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Trains the steering actor from the run's stores while the robot moves and resets.

Usage::

    python -m roboreward_ros.nodes.learner_node --ros-args -p run_dir:=runs/first -p profile:=widowx

``episode`` and ``reward`` only wake it: it learns from the disk. Publishes ``learner`` and
``policy_update`` (both latched) once a new actor is in ``run_dir/policies``. Saves itself to
``run_dir/checkpoints`` now and then, on ``~/save`` and at its end, and resumes there. Holds weights
back as ``dsrl.watch`` says; ``~/release`` is a person's word against it. With ``learner`` another
host does all that (``roboreward serve learner``): episodes go there, actors come back.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from std_srvs.srv import Trigger

import roboreward_ros.msg as msg
from roboreward_ros.dsrl.config import load_profile
from roboreward_ros.dsrl.figures import Bulletin
from roboreward_ros.dsrl.remote_duty import RemoteConfig, RemoteDuty, refuse_remote
from roboreward_ros.dsrl.saving import MOST_PERIOD_S, SLICE
from roboreward_ros.episodes.locks import WriterLock
from roboreward_ros.errors import ConfigError, RoboRewardError
from roboreward_ros.memory import explained
from roboreward_ros.ros.convert import header
from roboreward_ros.ros.diagnostics import Diagnostics, Health, Level
from roboreward_ros.ros.lifecycle import HostNode
from roboreward_ros.ros.params import HostConfig, option
from roboreward_ros.ros.qos import EVENT, LATCHED
from roboreward_ros.ros.spin import run
from roboreward_ros.session.brakes import AbstainBrakeConfig
from roboreward_ros.session.monitor import MonitorConfig

if TYPE_CHECKING:
    from roboreward_ros.dsrl.duty import LearnerDuty

JOIN_S = 20.0


@dataclass(frozen=True, slots=True)
class LearnerNodeConfig(HostConfig):
    """Parameters of learner_node; help texts are the fields' metadata."""

    profile: str = option("widowx", "learner profile, config/dsrl/<profile>.yaml")
    policy: str = option("demo", "frozen policy; loaded where the profile decodes in its updates")
    device: str = option("cpu", "its networks are small: it runs on the CPU beside any")
    seed: int = option(0, "seed of weights and sampling")
    source: str = option("", "reward source to learn from; empty: the run's present one")
    poll_s: float = option(1.0, "look at the stores at least this often, s")
    checkpoint_s: float = option(30.0, "save at least this often while training, s; at most 50")
    exact_resume: bool = option(True, "refuse a resume that cannot equal the uninterrupted run")
    keep_actors: int = option(50, "newest actor files that stay, and every tenth; 0: all")
    precision: str = option("auto", "hidden layers: fp32, bf16, auto (bf16 for wide ones)")
    compile: bool = option(False, "torch.compile the networks; needs a C++ compiler")
    adapt_updates: bool = option(False, "realtime: more updates while idle; not with learner")
    audit_share: float = option(0.3, "share of steered episodes drawn to be judged by a person")
    steering_error: float = option(0.05, "error of the test of base against steered")
    false_share: float = option(0.2, "hold weights above this share of false successes in audits")
    abstain_share: float = option(0.2, "hold weights above this share of abstained episodes")
    demonstrations: str = option("", "run folder of demonstrations to learn from, too")
    learner: str = option("", "learner at another host: wss://HOST:PORT, or a YAML file of it")
    arm: str = option("", "what this run is called there; empty: by the node's namespace")
    tensorboard: bool = option(True, "write every figure to run_dir/logs/tensorboard")

    def __post_init__(self) -> None:
        HostConfig.__post_init__(self)
        fits = self.seed >= 0 and self.poll_s > 0 and 0 < self.checkpoint_s <= MOST_PERIOD_S
        if not fits or self.keep_actors < 0:
            raise ConfigError(
                "seed, poll_s, checkpoint_s or keep_actors",
                got=f"{self.seed}, {self.poll_s}, {self.checkpoint_s}, {self.keep_actors}",
                allowed=f"0 or more, times above 0, checkpoint_s at most {MOST_PERIOD_S:g}",
            )
        MonitorConfig(self.audit_share, self.steering_error, self.false_share)
        AbstainBrakeConfig(share=self.abstain_share)


class LearnerNode(HostNode[LearnerNodeConfig]):
    """See the module's text."""

    def __init__(self, **arguments: object) -> None:
        super().__init__("learner_node", LearnerNodeConfig, **arguments)  # type: ignore[arg-type]
        self._duty: LearnerDuty | RemoteDuty | None = None
        self._thread: threading.Thread | None = None
        self._wake, self._ending = threading.Event(), threading.Event()
        self._lock: WriterLock | None = None
        self._save_wanted, self._release_wanted = threading.Event(), threading.Event()
        self._session = (0.0, 0)  # idle seconds and committed episodes
        self._saved_ns, self._problem = self.clock.steady_ns(), ""

    def _setup(self) -> None:
        config = self.config
        self._lock = WriterLock(Path(config.run_dir, "checkpoints", ".lock"), "the learner's state")
        self._ending.clear()
        self._problem = ""
        self._duty = self._elsewhere(config) if config.learner else self._here(config)
        self._learner = self.create_publisher(msg.LearnerStatus, "learner", LATCHED)
        self._updates = self.create_publisher(msg.PolicyUpdate, "policy_update", LATCHED)
        self.create_subscription(msg.EpisodeEvent, "episode", lambda _: self._wake.set(), EVENT)
        self.create_subscription(msg.Reward, "reward", lambda _: self._wake.set(), EVENT)
        if config.adapt_updates:
            self.create_subscription(msg.SessionState, "session", self._on_session, LATCHED)
        self.create_service(Trigger, "~/save", self._on_save)
        self.create_service(Trigger, "~/release", self._on_release)
        Diagnostics(self, {"learner": self._health})

    def _here(self, its: LearnerNodeConfig) -> LearnerDuty:
        from roboreward_ros.dsrl.compute import Compute, Precision  # these load torch
        from roboreward_ros.dsrl.duty import DutyConfig, LearnerDuty

        refuse_remote(Path(its.run_dir))
        compute = Compute(precision=Precision(its.precision), compile=its.compile)
        monitor = MonitorConfig(its.audit_share, its.steering_error, its.false_share)
        config = DutyConfig(
            Path(its.run_dir), load_profile(its.profile), its.seed, its.source, its.policy, compute,
            its.exact_resume, its.keep_actors, its.adapt_updates, monitor,
            AbstainBrakeConfig(share=its.abstain_share), its.tensorboard, its.demonstrations,
        )  # fmt: skip
        return LearnerDuty(config, lambda: self.clock.steady_ns() / 1e9)

    def _elsewhere(self, its: LearnerNodeConfig) -> RemoteDuty:
        arm = its.arm or self.get_namespace()
        config = RemoteConfig.at(its.learner, Path(its.run_dir), arm, its.seed, its.keep_actors)
        return RemoteDuty(config, lambda: self.clock.steady_ns() / 1e9)

    def _start(self) -> None:
        self._thread = threading.Thread(target=self._work, name="learner worker", daemon=True)
        self._thread.start()

    def _stop(self, reason: str) -> None:
        del reason
        self._ending.set()
        self._wake.set()
        if self._duty is not None:
            self._duty.interrupt()
        if self._thread is not None:
            self._thread.join(JOIN_S)

    def _teardown(self) -> None:
        self._stop("teardown")
        self._thread = self._duty = None
        if self._lock is not None:
            self._lock.release()

    def _on_save(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        del request
        self._save_wanted.set()
        self._wake.set()
        response.success = self._duty is not None
        response.message = self._duty.place if self._duty else "not active"
        return response

    def _on_release(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        del request
        alarm = str(self._duty.bulletin().figures.get("alarm", "")) if self._duty else ""
        response.success, response.message = bool(alarm), alarm or "nothing is held back"
        if alarm:
            self._release_wanted.set()
            self._wake.set()
        return response

    def _on_session(self, it: msg.SessionState) -> None:
        self._session = (float(it.reset_s + it.reward_s + it.operator_s), int(it.committed))

    # In the learner's thread.

    def _work(self) -> None:
        duty = self._duty
        assert duty is not None
        self._publish(duty.bulletin(), None)
        try:
            while not self._ending.is_set():
                self._turn(duty)
        except Exception as error:  # not saved: an update may be done by half
            self._problem = f"the learner ended: {explained(error)}"
            self.get_logger().error(self._problem)
            self.stop.set(self._problem, code=1)
        else:
            self._save(duty)
        finally:
            duty.close()

    def _turn(self, duty: LearnerDuty | RemoteDuty) -> None:
        """Work until the stores hold nothing new, then wait for a sign."""
        self._wake.clear()
        worked = True
        while worked and not self._ending.is_set():
            before = duty.bulletin()
            duty.session(*self._session)
            if self._release_wanted.is_set():
                self._release_wanted.clear()
                duty.release()
            worked = duty.advance(SLICE)
            if duty.bulletin() is not before:
                self._publish(duty.bulletin(), before)
            self._save_if_due(duty)
        self._wake.wait(self.config.poll_s)

    def _save_if_due(self, duty: LearnerDuty | RemoteDuty) -> None:
        age_s = (self.clock.steady_ns() - self._saved_ns) / 1e9
        due = duty.unsaved and age_s > self.config.checkpoint_s
        if due or self._save_wanted.is_set():
            self._save(duty)

    def _save(self, duty: LearnerDuty | RemoteDuty) -> None:
        self._save_wanted.clear()
        self._saved_ns = self.clock.steady_ns()
        try:
            duty.save()
        except (OSError, RoboRewardError) as error:
            self._problem = f"the learner could not be saved: {error}"
            self.get_logger().error(self._problem)

    def _publish(self, told: Bulletin, before: Bulletin | None) -> None:
        """The new actor first, so that whoever waits for the status finds it announced."""
        now_ns = self.clock.now_ns()
        actor = told.actor
        if actor is not None and (before is None or actor != before.actor):
            update = msg.PolicyUpdate(header=header(now_ns), uri=str(actor.path.resolve()))
            update.version, update.sha256 = actor.version, actor.sha256
            update.policy_id, update.grad_steps = actor.policy_id, actor.grad_steps
            self._updates.publish(update)
        known = {k: v for k, v in told.figures.items() if hasattr(msg.LearnerStatus, k)}
        self._learner.publish(msg.LearnerStatus(header=header(now_ns), **known))

    def _health(self) -> Health:
        duty = self._duty
        if duty is None:
            return Health(Level.STALE, "not active")
        told = duty.bulletin()
        stopped = self._problem or told.trouble
        level = Level.ERROR if stopped else Level.WARN if told.warning else Level.OK
        return Health(level, stopped or told.warning or told.message, told.vitals)


def main() -> int:
    return run(LearnerNode)


if __name__ == "__main__":
    raise SystemExit(main())

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Trains the steering actor from the run's stores while the robot moves and resets.

Usage::

    python -m roboreward_ros.nodes.learner_node --ros-args -p run_dir:=runs/first -p profile:=widowx

``episode`` and ``reward`` only wake it: what it learns from is read from disk. Publishes
``learner`` and ``policy_update`` (both latched) after it has put a new actor into
``run_dir/policies``. Saves itself to ``run_dir/checkpoints`` from time to time, on ``~/save`` and
at its end, and resumes there.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from std_srvs.srv import Trigger

import roboreward_ros.msg as msg
from roboreward_ros.dsrl.config import load_profile
from roboreward_ros.errors import ConfigError, RoboRewardError
from roboreward_ros.ros.convert import header
from roboreward_ros.ros.diagnostics import Diagnostics, Health, Level
from roboreward_ros.ros.lifecycle import HostNode
from roboreward_ros.ros.params import HostConfig, option
from roboreward_ros.ros.qos import EVENT, LATCHED
from roboreward_ros.ros.spin import run

if TYPE_CHECKING:
    from roboreward_ros.dsrl.follow import FollowStatus, RunFollower

SLICE = 20
"""Updates between two looks at what else is wanted."""
JOIN_S = 20.0


@dataclass(frozen=True, slots=True)
class LearnerNodeConfig(HostConfig):
    """Parameters of learner_node; help texts are the fields' metadata."""

    profile: str = option("widowx", "learner profile, config/dsrl/<profile>.yaml")
    device: str = option("cpu", "its networks are small: it runs on the CPU beside any")
    seed: int = option(0, "seed of weights and sampling")
    source: str = option("", "reward source to learn from; empty: the run's present one")
    poll_s: float = option(1.0, "look at the stores at least this often, s")
    checkpoint_s: float = option(30.0, "save at least this often while training, s")

    def __post_init__(self) -> None:
        HostConfig.__post_init__(self)
        if self.seed < 0 or self.poll_s <= 0 or self.checkpoint_s <= 0:
            raise ConfigError(
                "seed, poll_s or checkpoint_s",
                got=f"{self.seed}, {self.poll_s}, {self.checkpoint_s}",
                allowed="seed >= 0, times above 0",
            )


class LearnerNode(HostNode[LearnerNodeConfig]):
    """See the module's text."""

    def __init__(self, **arguments: object) -> None:
        super().__init__("learner_node", LearnerNodeConfig, **arguments)  # type: ignore[arg-type]
        self._follower: RunFollower | None = None
        self._thread: threading.Thread | None = None
        self._wake = threading.Event()
        self._ending = threading.Event()
        self._save_wanted = threading.Event()
        self._updates_per_s = 0.0
        self._saved_ns = self.clock.steady_ns()
        self._problem = ""

    def _setup(self) -> None:
        from roboreward_ros.dsrl.follow import RunFollower  # loads torch

        config = self.config
        self._ending.clear()
        self._problem = ""
        Path(config.run_dir).mkdir(parents=True, exist_ok=True)
        self._follower = RunFollower(
            config.run_dir, load_profile(config.profile), config.seed, config.source
        )
        self._follower.resume()
        self._learner = self.create_publisher(msg.LearnerStatus, "learner", LATCHED)
        self._updates = self.create_publisher(msg.PolicyUpdate, "policy_update", LATCHED)
        self.create_subscription(msg.EpisodeEvent, "episode", lambda _: self._wake.set(), EVENT)
        self.create_subscription(msg.Reward, "reward", lambda _: self._wake.set(), EVENT)
        self.create_service(Trigger, "~/save", self._on_save)
        Diagnostics(self, {"learner": self._health})

    def _start(self) -> None:
        self._thread = threading.Thread(target=self._work, name="learner worker", daemon=True)
        self._thread.start()

    def _stop(self, reason: str) -> None:
        del reason
        self._ending.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(JOIN_S)

    def _teardown(self) -> None:
        self._ending.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(JOIN_S)
        self._thread = self._follower = None

    def _on_save(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        del request
        self._save_wanted.set()
        self._wake.set()
        response.success = self._follower is not None
        response.message = str(self._follower.checkpoint) if self._follower else "not active"
        return response

    # In the learner's thread.

    def _work(self) -> None:
        follower = self._follower
        assert follower is not None
        self._publish(follower.status, None)
        try:
            while not self._ending.is_set():
                self._turn(follower)
        except Exception as error:
            self._problem = f"the learner ended: {error}"
            self.get_logger().error(self._problem)
            self.stop.set(self._problem, code=1)
        finally:
            self._save(follower)

    def _turn(self, follower: RunFollower) -> None:
        """Work until the stores hold nothing new, then wait for a sign."""
        self._wake.clear()
        before, start_ns = follower.status, self.clock.steady_ns()
        while not self._ending.is_set() and follower.advance(SLICE):
            now_ns = self.clock.steady_ns()
            if follower.status != before:
                steps = follower.status.metrics.grad_steps - before.metrics.grad_steps
                self._updates_per_s = steps * 1e9 / max(now_ns - start_ns, 1)
                self._publish(follower.status, before)
                before, start_ns = follower.status, now_ns
            self._save_if_due(follower)
        self._save_if_due(follower)
        self._wake.wait(self.config.poll_s)

    def _save_if_due(self, follower: RunFollower) -> None:
        age_s = (self.clock.steady_ns() - self._saved_ns) / 1e9
        if self._save_wanted.is_set() or (follower.unsaved and age_s > self.config.checkpoint_s):
            self._save(follower)

    def _save(self, follower: RunFollower) -> None:
        self._save_wanted.clear()
        self._saved_ns = self.clock.steady_ns()
        try:
            follower.save()
        except (OSError, RoboRewardError) as error:
            self._problem = f"the learner could not be saved: {error}"
            self.get_logger().error(self._problem)

    def _publish(self, status: FollowStatus, before: FollowStatus | None) -> None:
        """The new actor first, so that whoever waits for the status finds it announced."""
        now_ns = self.clock.now_ns()
        actor = status.actor
        if actor is not None and (before is None or actor != before.actor):
            self._updates.publish(
                msg.PolicyUpdate(
                    header=header(now_ns),
                    version=actor.version,
                    sha256=actor.sha256,
                    uri=str(actor.path.resolve()),
                    policy_id=actor.policy_id,
                    grad_steps=actor.grad_steps,
                )
            )
        last = status.metrics.last
        self._learner.publish(
            msg.LearnerStatus(
                header=header(now_ns),
                episodes_done=status.episodes_done,
                episodes_trainable=status.trainable,
                transitions=status.metrics.transitions,
                grad_steps=status.metrics.grad_steps,
                updates_owed=status.metrics.owed,
                policy_version=actor.version if actor else 0,
                critic_loss=float(last.critic_loss),
                actor_loss=float(last.actor_loss),
                alpha=float(last.alpha),
                entropy=float(last.entropy),
                q_mean=float(last.q_mean),
                updates_per_s=float(self._updates_per_s),
                message=status.message,
            )
        )

    def _health(self) -> Health:
        if self._follower is None:
            return Health(Level.STALE, "not active")
        status = self._follower.status
        stopped = self._problem or (status.message if self._follower.halted else "")
        values = {
            "grad_steps": status.metrics.grad_steps,
            "updates_per_s": self._updates_per_s,
            "transitions": status.metrics.transitions,
            "policy_version": status.actor.version if status.actor else 0,
        }
        return Health(Level.ERROR if stopped else Level.OK, stopped or status.message, values)


def main() -> int:
    return run(LearnerNode)


if __name__ == "__main__":
    raise SystemExit(main())

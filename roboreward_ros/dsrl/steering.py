# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One decision of the steered policy, and the shelf of actor versions that it may use.

Decisions are functions of (observation, task, episode seed, decision number, actor): the same over
ROS and in process. Numpy only; the policy brings what it needs.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np

from roboreward_ros.clock import Clock
from roboreward_ros.dsrl.actor import SteeringActor, load_actor
from roboreward_ros.dsrl.edit_actor import steered_chunk
from roboreward_ros.errors import CheckpointError, RoboRewardError
from roboreward_ros.policies.noise import prior_noise
from roboreward_ros.protocols import Policy
from roboreward_ros.types import (
    PROPRIO_DIM,
    Chunk,
    FloatArray,
    ImageU8,
    PolicySpec,
    closing_chunk,
)

POLL_S = 0.05
_ACTOR_FILE = re.compile(r"actor_(\d+)\.safetensors")


def decide(
    policy: Policy,
    actor: SteeringActor | None,
    *,
    image: ImageU8,
    proprio: FloatArray,
    task: str,
    step: int,
    max_steps: int,
    seed: int,
) -> Chunk:
    """The chunk of the decision at ``step``.

    Args:
        policy: frozen policy.
        actor: chooses the noise; None draws it from the prior.
        image: ``[H, W, 3]`` uint8 RGB, or a history ``[n, H, W, 3]``.
        proprio: ``[7]`` float64, or a history ``[n, 7]``.
        task: the sentence.
        step: control step, a multiple of the chunk size.
        max_steps: time limit of the episode in control steps.
        seed: of the episode.
    """
    spec = policy.spec
    index = step // spec.chunk_size
    features = policy.encode([image], proprio[None], [task])[0]
    if actor is None:
        noise = prior_noise(seed, index, spec.prediction_horizon)
        actions = policy.decode(features[None], noise[None])[0]
    else:
        remaining = (max_steps - step) / max_steps
        noise, actions = steered_chunk(policy.decode, actor, features, remaining, seed, index)
    return Chunk(
        index=index,
        step=step,
        noise=noise,
        features=features,
        actions=actions,
        policy_version=0 if actor is None else actor.version,
        steered=actor is not None,
    )


def close(
    policy: Policy,
    actor: SteeringActor | None,
    *,
    image: ImageU8,
    proprio: FloatArray,
    task: str,
    step: int,
    index: int,
) -> Chunk:
    """The closing decision of an episode of ``step`` steps and ``index`` decisions.

    Args:
        policy: frozen policy; encodes, nothing is decoded.
        actor: of the episode.
        image: of the state after the last step, as for ``decide``.
        proprio: of that state, as for ``decide``.
        task: the sentence.
        step: control steps of the episode.
        index: decisions before it.
    """
    features = policy.encode([image], proprio[None], [task])[0]
    version = 0 if actor is None else actor.version
    return closing_chunk(index, step, features, policy.spec.prediction_horizon, version)


def warm_up(policy: Policy) -> None:
    """Decide once on nothing: the first pass through a network is several times slower."""
    spec = policy.spec
    decide(
        policy,
        None,
        image=np.zeros((spec.image_size, spec.image_size, 3), dtype=np.uint8),
        proprio=np.zeros(PROPRIO_DIM),
        task=spec.tasks[0] if spec.tasks else "warm up",
        step=0,
        max_steps=1,
        seed=0,
    )


def release(policy: Policy) -> None:
    """Let go of what a policy holds: one of another host holds a connection, others nothing."""
    close: Callable[[], None] | None = getattr(policy, "close", None)
    if close is not None:
        close()


class ActorShelf:
    """The newest actor of a run that fits the policy; a version that does not fit is refused.

    Thread-safe. Actors come from announcements (with their hash) and, after a restart, from the
    run's folder: the files decide, announcements only tell of them.

    Args:
        folder: ``run_dir/policies``.
        spec: of the frozen policy.
    """

    def __init__(self, folder: Path, spec: PolicySpec) -> None:
        self._folder = folder
        self._spec = spec
        self._lock = threading.Lock()
        self._actor: SteeringActor | None = None
        self._refused: dict[int, str] = {}

    @property
    def actor(self) -> SteeringActor | None:
        """The newest; None before the first version."""
        with self._lock:
            return self._actor

    @property
    def version(self) -> int:
        """Of the newest; 0 is the prior."""
        actor = self.actor
        return 0 if actor is None else actor.version

    def refusal(self, version: int) -> str:
        """Why a version was refused; "" if it was not."""
        with self._lock:
            return self._refused.get(version, "")

    def take(self, path: Path, version: int, sha256: str | None = None) -> bool:
        """Load an announced version; False when it is no newer than what is there.

        Raises:
            CheckpointError: missing, changed since it was announced, or of another policy; what
                was loaded before stays.
        """
        if version <= self.version:
            return False
        try:
            actor = load_actor(path, sha256, self._spec.policy_id)
            if actor.version != version or actor.horizon != self._spec.prediction_horizon:
                raise CheckpointError(
                    f"actor {path} is not what was announced",
                    got=f"version {actor.version}, horizon {actor.horizon}",
                    allowed=f"version {version}, horizon {self._spec.prediction_horizon}",
                )
        except RoboRewardError as error:
            with self._lock:
                self._refused[version] = str(error)
            raise
        with self._lock:
            if self._actor is None or self._actor.version < version:
                self._actor = actor
            self._refused.pop(version, None)
        return True

    def wait_for(
        self, version: int, timeout_s: float, clock: Clock, pause: Callable[[float], bool]
    ) -> str:
        """Wait until at least ``version`` is there; "" or the reason why it is not.

        Args:
            version: wanted; 0 is always there.
            timeout_s: by the steady clock.
            clock: source of time.
            pause: sleeps so many seconds; True gives up early.
        """
        end_ns = clock.steady_ns() + round(timeout_s * 1e9)
        while self.version < version and not (self.scan() and self.version >= version):
            if pause(POLL_S) or clock.steady_ns() >= end_ns:
                why = self.refusal(version) or "it was not announced and is not in run_dir"
                return f"actor version {version} is not loaded, newest {self.version}: {why}"
        return ""

    def scan(self) -> bool:
        """Load the newest version of the folder that fits; True when there was a newer one."""
        known = self.version
        found = sorted(
            (int(match[1]), path)
            for path in (self._folder.iterdir() if self._folder.is_dir() else ())
            if (match := _ACTOR_FILE.fullmatch(path.name))
        )
        for version, path in reversed(found):
            if version <= known:
                return False
            try:
                return self.take(path, version)
            except RoboRewardError:
                continue  # the reason is kept under its version
        return False

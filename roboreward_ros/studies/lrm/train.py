# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One run of the study: iterations of episodes and updates, then the held-out layouts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from roboreward_ros.sim.seeds import held_out_seed, training_seed
from roboreward_ros.studies.lrm.actors import Actor, ChainActor, NoiseActor
from roboreward_ros.studies.lrm.config import Arm, LrmConfig
from roboreward_ros.studies.lrm.lanes import Batch, Lanes
from roboreward_ros.studies.lrm.policy import BasePolicy
from roboreward_ros.studies.lrm.ppo import Experience, Ppo, UpdateFigures
from roboreward_ros.studies.lrm.signals import rewards
from roboreward_ros.types import Float32Array, FloatArray


@dataclass(frozen=True, slots=True)
class RunResult:
    """A finished run.

    Attributes:
        arm: what it was paid with; None for the base policy.
        seed: of the run.
        curve: success of each iteration's episodes, exploring, before its update.
        successes: held-out successes.
        held_out: of so many.
        progress: mean held-out progress at the end.
        kl: of the last update.
        cpu_s: processor seconds.
    """

    arm: Arm | None
    seed: int
    curve: tuple[float, ...]
    successes: int
    held_out: int
    progress: float
    kl: float
    cpu_s: float

    @property
    def rate(self) -> float:
        """Held-out success."""
        return self.successes / self.held_out


OnIteration = Callable[[int, Batch, UpdateFigures], None]


def make_actor(arm: Arm, base: BasePolicy, config: LrmConfig, seed: int) -> Actor:
    """The actor of an arm, at its start."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        kind = NoiseActor if arm is Arm.NOISE else ChainActor
        return kind(base, config.ppo)


def train(
    arm: Arm,
    seed: int,
    base: BasePolicy,
    lanes: Lanes,
    config: LrmConfig,
    on_iteration: OnIteration = lambda *_: None,
) -> tuple[Actor, tuple[float, ...], float]:
    """Train an actor; returns it, the success of its own episodes and the last KL."""
    torch.set_num_threads(1)
    actor = make_actor(arm, base, config, seed)
    ppo = Ppo(actor, config.ppo, seed)
    rng = torch.Generator().manual_seed(seed)
    curve, kl = [], 0.0
    for iteration in range(config.iterations):
        first = iteration * config.episodes
        seeds = [training_seed(seed, first + k) for k in range(config.episodes)]
        batch, seen = explore(actor, base, lanes, seeds, rng, arm, config)
        figures = ppo.update(seen)
        curve.append(batch.rate)
        kl = figures.kl
        on_iteration(iteration, batch, figures)
    return actor, tuple(curve), kl


def explore(
    actor: Actor,
    base: BasePolicy,
    lanes: Lanes,
    seeds: list[int],
    rng: torch.Generator,
    arm: Arm,
    config: LrmConfig,
) -> tuple[Batch, Experience]:
    """One iteration's episodes with what PPO needs of them."""
    states: list[Tensor] = []
    left: list[Tensor] = []
    walks = []

    def decide(now: Float32Array, remaining: FloatArray) -> Float32Array:
        unit = base.unit_states(now)
        walk = actor.walk(unit, rng)
        states.append(unit)
        left.append(torch.from_numpy(remaining.astype(np.float32)))
        walks.append(walk)
        return base.chunk(walk.chunk)

    batch = lanes.run(seeds, decide)
    T = len(batch.live)

    def grid(parts: list[Tensor]) -> Tensor:
        """Waves follow each other in time; side by side they are ``[T, N, ...]``."""
        waves = [torch.stack(parts[i : i + T]) for i in range(0, len(parts), T)]
        return torch.cat(waves, dim=1)

    every = config.hold_steps // config.base.chunk_size
    return batch, Experience(
        states=grid(states),
        left=grid(left),
        points=grid([walk.points for walk in walks]),
        log_prob=grid([walk.log_prob for walk in walks]),
        rewards=rewards(arm, batch, every),
        live=batch.live.astype(np.float64),
    )


def evaluate(
    actor: Actor | None, base: BasePolicy, lanes: Lanes, seed: int, config: LrmConfig
) -> Batch:
    """Held-out layouts of a run seed without exploration; None is the base policy.

    The noise w ~ N(0, I) is a function of the run seed, so all arms of a seed draw the same.
    """
    rng = torch.Generator().manual_seed(1_000_003 + seed)

    def decide(now: Float32Array, remaining: FloatArray) -> Float32Array:
        del remaining
        unit = base.unit_states(now)
        noise = torch.randn((len(unit), base.chunk_dim), generator=rng)
        with torch.no_grad():
            chunk = base.decode(unit, noise) if actor is None else actor.deploy(unit, noise)
        return base.chunk(chunk)

    first = seed * config.held_out
    return lanes.run([held_out_seed(first + k) for k in range(config.held_out)], decide)

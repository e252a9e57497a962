# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What decides a run of the study, and its arms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from roboreward_ros.errors import ConfigError


class Arm(StrEnum):
    """What a run is paid with; the value is its key in files."""

    SPARSE = "sparse"
    PROGRESS = "r_prog"
    COMPLETION = "r_comp"
    CONTRAST = "r_cont"
    MIX = "mix"
    TRUTH = "truth"
    NOISE = "noise"


LABELS: Mapping[Arm, str] = {
    Arm.SPARSE: "sparse: 1 at the end of a success",
    Arm.PROGRESS: "r_prog, ground-truth stand-in",
    Arm.COMPLETION: "r_comp, ground-truth stand-in",
    Arm.CONTRAST: "r_cont, ground-truth stand-in",
    Arm.MIX: "mix of the three stand-ins",
    Arm.TRUTH: "the simulator's own reward, every decision",
    Arm.NOISE: "the simulator's own reward, PPO over the noise",
}


@dataclass(frozen=True, slots=True)
class PpoConfig:
    """The update; the paper's value in brackets where it differs.

    Attributes:
        gamma: discount of a decision.
        gae_lambda: of the advantage's estimate (GAE).
        clip: of the probability ratio.
        denoising_discount: an earlier denoising step gets this much less of its decision's
            advantage, per step (DPPO).
        learning_rate: of the actor [2.5e-6, a network of 3 billion weights].
        value_learning_rate: of the critic [5e-5].
        epochs: passes over an iteration's data.
        minibatch: decisions per gradient step.
        kl_beta: weight of KL(actor || base), per denoising step.
        min_std: least standard deviation of a denoising step while exploring, normalised units.
        noise_std: initial standard deviation of the actor over the noise.
        noise_learning_rate: of that actor, which starts from nothing.
        max_grad_norm: of the actor's gradient.
    """

    gamma: float = 0.99
    gae_lambda: float = 0.95
    clip: float = 0.10
    denoising_discount: float = 0.95
    learning_rate: float = 1e-4
    value_learning_rate: float = 1e-3
    epochs: int = 3
    minibatch: int = 128
    kl_beta: float = 0.01
    min_std: float = 0.1
    noise_std: float = 1.0
    noise_learning_rate: float = 3e-4
    max_grad_norm: float = 1.0

    def __post_init__(self) -> None:
        shares = (self.gamma, self.gae_lambda, self.denoising_discount)
        if not all(0 < share <= 1 for share in shares):
            raise ConfigError("a discount of PPO is out of range", got=shares, allowed="(0, 1]")
        positive = (
            self.clip, self.learning_rate, self.value_learning_rate, self.min_std,
            self.noise_std, self.noise_learning_rate, self.max_grad_norm,
        )  # fmt: skip
        if min(positive) <= 0 or self.kl_beta < 0 or min(self.epochs, self.minibatch) < 1:
            raise ConfigError("a number of PPO is not positive", got=self)


@dataclass(frozen=True, slots=True)
class BaseConfig:
    """The cloned policy that every arm starts from.

    Attributes:
        demonstrations: scripted, imperfect episodes.
        steps: optimiser steps.
        batch_size: rows of a step.
        learning_rate: peak.
        hidden: width.
        blocks: residual blocks.
        train_steps: T of the cosine schedule.
        sample_steps: S, denoising steps of a decision.
        chunk_size: actions per decision, all executed.
        seed: of demonstrations and training.
    """

    demonstrations: int = 300
    steps: int = 4000
    batch_size: int = 256
    learning_rate: float = 1e-3
    hidden: int = 128
    blocks: int = 2
    train_steps: int = 64
    sample_steps: int = 5
    chunk_size: int = 4
    seed: int = 0

    def __post_init__(self) -> None:
        numbers = (
            self.demonstrations, self.steps, self.batch_size, self.hidden, self.blocks,
            self.sample_steps, self.chunk_size,
        )  # fmt: skip
        if min(numbers) < 1 or self.sample_steps > self.train_steps or self.seed < 0:
            raise ConfigError("the base policy's numbers do not fit", got=self)


@dataclass(frozen=True, slots=True)
class LrmConfig:
    """One study.

    Attributes:
        arms: rewards to compare.
        seeds: run seeds; a seed's arms meet the same layouts.
        iterations: of collecting and updating.
        episodes: of one iteration, run side by side.
        max_steps: time limit in control steps.
        hold_steps: K, control steps between two queries of a dense signal; kept in between.
        held_out: layouts of a run's evaluation; every seed has its own.
        base: of the frozen start.
        ppo: of the update.
    """

    arms: tuple[Arm, ...] = tuple(Arm)
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    iterations: int = 30
    episodes: int = 64
    max_steps: int = 32
    hold_steps: int = 8
    held_out: int = 192
    base: BaseConfig = field(default_factory=BaseConfig)
    ppo: PpoConfig = field(default_factory=PpoConfig)

    def __post_init__(self) -> None:
        chunk = self.base.chunk_size
        if not self.arms or not self.seeds or len(set(self.seeds)) != len(self.seeds):
            raise ConfigError("the study has no cell, or one twice", got=(self.arms, self.seeds))
        if min(self.iterations, self.episodes, self.held_out) < 1:
            raise ConfigError("iterations, episodes and held_out are counts", got=self)
        if self.hold_steps < 1 or self.hold_steps % chunk or self.max_steps % chunk:
            raise ConfigError(
                "queries and the time limit fall on decisions",
                got=f"hold {self.hold_steps}, limit {self.max_steps}",
                allowed=f"multiples of {chunk}",
            )
        if self.max_steps < chunk:
            raise ConfigError("an episode without a decision", got=self.max_steps)

    @property
    def decisions(self) -> int:
        """T of an episode."""
        return self.max_steps // self.base.chunk_size

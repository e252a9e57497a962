# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Who gives the rewards in a study: the truth in its forms, the truth made worse, learned judges.

A learned judge sees the states before the first step and after the last, as a video's judge sees
its first and last frame; it never sees progress or success.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from roboreward_ros.errors import ConfigError
from roboreward_ros.policies.normalise import Statistics
from roboreward_ros.studies.lowdim.demonstrations import StateDemos
from roboreward_ros.studies.lowdim.lanes import LaneResult
from roboreward_ros.studies.online import truth_rubric
from roboreward_ros.studies.reward_noise import RewardNoise
from roboreward_ros.types import (
    RUBRIC_MAX,
    RUBRIC_MIN,
    Float32Array,
    FloatArray,
    Provenance,
    Score,
    ScoreKind,
    ScoreScale,
)

SUCCESS = 4.5
"""A judgement from here on says that the episode succeeded."""


class RewardType(StrEnum):
    """What a judge's answer is."""

    BINARY = "binary"  # 5 for a success, else 1
    LEVELS = "levels"  # 1, 2, 3, 4 or 5
    CONTINUOUS = "continuous"  # 1 + 4 * progress


class Judge(Protocol):
    """Labels the episodes of one run in their order."""

    def score(self, result: LaneResult, run_seed: int) -> Score | None:
        """The reward of a finished episode; None leaves it unlabelled."""


def rubric_score(value: float, source: str) -> Score:
    """A score on the rubric's scale, kept inside it."""
    inside = float(min(RUBRIC_MAX, max(RUBRIC_MIN, value)))
    return Score(inside, ScoreScale.RUBRIC, ScoreKind.NONE, Provenance(source))


@dataclass(frozen=True, slots=True)
class TruthJudge:
    """The simulator's own judgement.

    Attributes:
        kind: which of its forms; ``BINARY`` is what a person's key says.
    """

    kind: RewardType = RewardType.LEVELS

    def score(self, result: LaneResult, run_seed: int) -> Score:
        """See ``Judge``."""
        del run_seed
        if self.kind is RewardType.BINARY:
            return rubric_score(5.0 if result.success else 1.0, "ground_truth_binary")
        if self.kind is RewardType.CONTINUOUS:
            return rubric_score(1.0 + 4.0 * result.truth.progress, "ground_truth_progress")
        return truth_rubric(result)


@dataclass(frozen=True, slots=True)
class NoisyJudge:
    """The true level with drawn errors."""

    noise: RewardNoise

    def score(self, result: LaneResult, run_seed: int) -> Score:
        """See ``Judge``."""
        return self.noise.label(truth_rubric(result), run_seed, result.summary.meta.index)


@dataclass(slots=True)
class ShuffledJudge:
    """The true level of an episode of the run, but not of this one: says nothing about it.

    Attributes:
        levels: of the run's episodes so far.
    """

    levels: list[float] = dataclasses.field(default_factory=list)

    def score(self, result: LaneResult, run_seed: int) -> Score:
        """See ``Judge``."""
        others = list(self.levels)
        self.levels.append(float(result.truth.score))
        rng = np.random.default_rng((run_seed, result.summary.meta.index, 41))
        value = others[int(rng.integers(len(others)))] if others else float(rng.integers(1, 6))
        return rubric_score(value, "shuffled")


@dataclass(frozen=True, slots=True)
class Labels:
    """Judged ends of (parts of) demonstrations.

    Attributes:
        x: first and last state side by side ``[N, 2 S]`` float32.
        levels: 1..5 ``[N]``.
        progress: 0..1 ``[N]``.
        success: ``[N]``.
    """

    x: Float32Array
    levels: npt.NDArray[np.int64]
    progress: Float32Array
    success: npt.NDArray[np.bool_]


def draw_labels(demos: StateDemos, count: int, seed: int) -> Labels:
    """``count`` labelled clips: half whole demonstrations, half cut at a random step.

    Raises:
        ConfigError: more clips asked for than two of every demonstration.
    """
    episodes, states = demos.states.shape[:2]
    if not 2 <= count <= 2 * episodes:
        raise ConfigError("too many labels for the demonstrations", got=count, allowed=2 * episodes)
    rng = np.random.default_rng((seed, 51))
    chosen = rng.permutation(episodes)[: count - count // 2]
    whole = np.full(len(chosen), states - 1)
    cut = rng.integers(4, states - 1, size=count // 2)
    who = np.concatenate([chosen, chosen[: count // 2]])
    when = np.concatenate([whole, cut])
    return Labels(
        x=np.concatenate([demos.states[who, 0], demos.states[who, when]], axis=1),
        levels=demos.scores[who, when],
        progress=demos.progress[who, when],
        success=demos.success[who, when],
    )


class StateJudge:
    """A learned judge over states.

    Args:
        kind: what it was trained to answer.
        inputs: statistics ``[2 S]``.
        network: to one logit, or five for ``LEVELS``.
        name: of its rewards.
    """

    def __init__(self, kind: RewardType, inputs: Statistics, network: nn.Module, name: str) -> None:
        self._kind, self._inputs, self._network, self._name = kind, inputs, network, name

    def values(self, x: FloatArray | Float32Array) -> FloatArray:
        """Judgements ``[N]``, 1..5, of first and last states ``[N, 2 S]``."""
        with torch.inference_mode():
            raw = self._network(torch.from_numpy(self._inputs.normalise(x))).numpy()
        if self._kind is RewardType.LEVELS:
            return np.asarray(raw.argmax(axis=1) + 1.0)
        share = 1.0 / (1.0 + np.exp(-raw[:, 0].astype(np.float64)))
        if self._kind is RewardType.BINARY:
            return np.where(share > 0.5, 5.0, 1.0)
        return np.asarray(1.0 + 4.0 * share)

    def score(self, result: LaneResult, run_seed: int) -> Score:
        """See ``Judge``."""
        del run_seed
        x = np.concatenate([result.first, result.last])[None]
        return rubric_score(float(self.values(x)[0]), self._name)


def train_judges(
    labels: Labels, kind: RewardType, checkpoints: Sequence[int], seed: int, hidden: int = 64
) -> list[StateJudge]:
    """One training, a judge at each of ``checkpoints`` (ascending numbers of steps).

    Full batches, Adam, the same network, steps and labels for every kind; the loss is that of the
    answer: cross entropy of two or of five classes, or of the progress as a share.
    """
    torch.set_num_threads(1)
    inputs = Statistics.fit(labels.x)
    outputs = 5 if kind is RewardType.LEVELS else 1
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = nn.Sequential(
            nn.Linear(labels.x.shape[1], hidden),
            nn.SiLU(),
            nn.Linear(hidden, hidden),
            nn.SiLU(),
            nn.Linear(hidden, outputs),
        )
    optimiser = torch.optim.Adam(network.parameters(), lr=2e-3, weight_decay=1e-4)
    x = torch.from_numpy(inputs.normalise(labels.x))
    goal = _goals(labels, kind)
    found: list[StateJudge] = []
    for step in range(max(checkpoints) + 1):
        if step in checkpoints:
            found.append(StateJudge(kind, inputs, _copy(network), f"judge_{kind}_{step}"))
        raw = network(x)
        if kind is RewardType.LEVELS:
            loss = functional.cross_entropy(raw, goal.long())
        else:
            loss = functional.binary_cross_entropy_with_logits(raw[:, 0], goal)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return found


def _goals(labels: Labels, kind: RewardType) -> Tensor:
    if kind is RewardType.LEVELS:
        return torch.from_numpy(labels.levels - 1)
    if kind is RewardType.BINARY:
        return torch.from_numpy(labels.success.astype(np.float32))
    return torch.from_numpy(labels.progress.astype(np.float32))


def _copy(network: nn.Sequential) -> nn.Sequential:
    layers = [
        nn.Linear(part.in_features, part.out_features) if isinstance(part, nn.Linear) else nn.SiLU()
        for part in network
    ]
    copy = nn.Sequential(*layers)
    copy.load_state_dict(network.state_dict())
    return copy.eval().requires_grad_(False)

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From a label to rewards, bootstrap masks and returns of an episode's decisions.

An episodic score is about the state in which the episode ended, so it is paid once and nothing
comes after it: the mask is 0 also when the time limit ended the episode (remaining time is part
of the state, which keeps the values well defined). Rewards per step go on after a time limit,
so they bootstrap through it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from roboreward_ros.dsrl.config import DsrlConfig, RewardForm
from roboreward_ros.errors import LearnerError
from roboreward_ros.types import EndCause, Float32Array, FloatArray, Score, ScoreScale

_RANGES = {
    ScoreScale.RUBRIC: (1.0, 5.0),
    ScoreScale.UNIT: (0.0, 1.0),
    ScoreScale.SIGN: (-1.0, 1.0),
}


def unit_score(value: float, scale: ScoreScale) -> float:
    """A score as r01 in [0, 1]: (score - 1) / 4 on the rubric, (x + 1) / 2 on the signed scale."""
    low, high = _RANGES[scale]
    return (value - low) / (high - low)


def value_bounds(config: DsrlConfig) -> tuple[float, float]:
    """Lowest and highest value that any policy can have; targets are clipped to them."""
    if config.reward is RewardForm.STEP_COST:
        return -config.chunk_cost / (1.0 - config.chunk_gamma), 0.0
    if config.reward is RewardForm.PROGRESS:
        return -1.0, 1.0
    if config.reward is RewardForm.POTENTIAL:
        return -config.potential_weight, 1.0
    return 0.0, 1.0


@dataclass(frozen=True, slots=True)
class Decisions:
    """What shaping must know of an episode's N decisions.

    Attributes:
        steps: control step of each decision ``[N]``.
        whole: its chunk ran completely and untouched ``[N]``.
        takeover: a person moved the arm during it ``[N]``.
        n_steps: control steps of the episode.
        end_cause: why it ended.
        has_final_state: features of the state after the last step are known.
    """

    steps: Sequence[int]
    whole: Sequence[bool]
    takeover: Sequence[bool]
    n_steps: int
    end_cause: EndCause
    has_final_state: bool = False

    @property
    def last(self) -> int:
        """The last whole decision, the one that the end is paid to; -1 for none."""
        return max((k for k, whole in enumerate(self.whole) if whole), default=-1)


@dataclass(frozen=True, slots=True)
class Shaped:
    """What the learner gets for an episode's decisions, all ``[N]``.

    Attributes:
        rewards: of the whole chunk, float32; 0 where it may not train.
        masks: 1 where the target bootstraps from the next decision, 0 at a terminal, float32.
        returns: discounted return to go, float32; NaN where a label is missing.
        trainable: the row is a whole transition with a known reward.
    """

    rewards: Float32Array
    masks: Float32Array
    returns: Float32Array
    trainable: npt.NDArray[np.bool_]


def shape(config: DsrlConfig, decisions: Decisions, score: Score | None) -> Shaped:
    """Rewards of one episode.

    A cut chunk is no transition. Where the episode ends inside one, its steps belong to the
    environment's answer to the last whole chunk, which is then the one that is paid.
    Without a score all but the last whole chunk have a known reward (0, or the cost with
    ``step_cost``) and may train; dense forms need the score for every chunk.

    Args:
        config: reward form, discount and thresholds.
        decisions: of the episode.
        score: the label; None while there is none.

    Raises:
        LearnerError: a dense form with a score that has no values per step, or too few.
    """
    whole = np.asarray(decisions.whole, dtype=bool)
    n = len(whole)
    rewards = np.zeros(n, dtype=np.float64)
    masks = np.ones(n, dtype=np.float32)
    trainable = whole.copy()
    last = decisions.last
    if last < 0:
        empty = np.full(n, np.nan, dtype=np.float32)
        return Shaped(rewards.astype(np.float32), masks, empty, trainable)
    faulty = decisions.end_cause is EndCause.FAULT
    r01 = None if score is None or faulty else unit_score(score.value, score.scale)
    success = r01 is not None and r01 >= config.success_threshold - 1e-9

    terminal = True  # nothing comes after the last chunk
    if config.reward is RewardForm.STEP_COST:
        rewards[:] = -config.chunk_cost
        rewards[last] = 0.0 if success else -config.chunk_cost
        ran_out = decisions.end_cause is EndCause.TIME and r01 is not None
        terminal = success or (config.time_limit_ends and ran_out)
    elif config.reward is RewardForm.PROGRESS:
        terminal = decisions.end_cause is EndCause.SOURCE
    if config.reward in (RewardForm.TERMINAL_SCORE, RewardForm.POTENTIAL) and r01 is not None:
        rewards[last] = float(success) if config.binary else r01
    if config.needs_dense:
        if score is None:
            trainable[:] = False
        else:
            rewards += _dense(config, decisions, score, last)

    masks[last:] = 0.0 if terminal else 1.0
    if r01 is None:
        trainable[last] = False
    if not terminal and not decisions.has_final_state:
        trainable[last] = False  # the state to bootstrap from was not recorded
    returns = _returns(config.chunk_gamma, rewards, last, known=terminal and r01 is not None)
    taken = np.flatnonzero(np.asarray(decisions.takeover, dtype=bool))
    if taken.size:
        returns[: taken[-1] + 1] = np.nan  # what a person achieved is not the policy's return
    return Shaped(rewards.astype(np.float32), masks, returns.astype(np.float32), trainable)


def _dense(config: DsrlConfig, decisions: Decisions, score: Score, last: int) -> FloatArray:
    """Rewards ``[N]`` from progress values ``Phi``, 0 before the first step if not given.

    Alone, progress pays Phi' - Phi: its sum is the final progress, so policies that end further
    earn more (not policy-invariant). Added to a task reward it is a potential,
    gamma * Phi' - Phi with Phi' = 0 at the terminal, which leaves the optimal policy unchanged.
    """
    given = len(score.per_step)
    if given not in (decisions.n_steps, decisions.n_steps + 1):
        raise LearnerError(
            f"reward form '{config.reward}' needs a value per step",
            got=f"{given} values of source '{score.provenance.source}'",
            allowed=f"{decisions.n_steps}, or one more for the first observation",
            next_step="Take a dense reward source, or reward: terminal_score.",
        )
    values = [unit_score(value, score.scale) for value in score.per_step]
    phi = np.array(values if given == decisions.n_steps + 1 else [0.0, *values])
    starts = np.asarray(decisions.steps, dtype=np.int64)
    ends = np.append(starts[1:], decisions.n_steps)
    ends[last] = decisions.n_steps
    if config.reward is RewardForm.PROGRESS:
        dense = phi[ends] - phi[starts]
    else:
        after = config.chunk_gamma * phi[ends]
        after[last] = 0.0
        dense = config.potential_weight * (after - phi[starts])
    dense[last + 1 :] = 0.0
    return np.asarray(dense, dtype=np.float64)


def _returns(
    gamma: float, rewards: npt.NDArray[np.float64], last: int, *, known: bool
) -> npt.NDArray[np.float64]:
    """Discounted return to go ``[N]``; NaN where it is not known."""
    returns = np.full(len(rewards), np.nan)
    if known:
        running = 0.0
        for k in range(last, -1, -1):
            running = rewards[k] + gamma * running
            returns[k] = running
    return returns

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Discounting, masks and time limits, for whatever happens in an episode."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roboreward_ros.dsrl.config import DsrlConfig, RewardForm
from roboreward_ros.dsrl.shaping import Decisions, Shaped, shape, value_bounds
from roboreward_ros.types import EndCause, Provenance, Score, ScoreKind, ScoreScale

C = 4
CONFIGS = st.builds(
    lambda form, gamma, steps, cost, ends: DsrlConfig(
        reward=form, gamma=gamma, gamma_steps=steps, chunk_cost=cost, time_limit_ends=ends
    ),
    st.sampled_from(list(RewardForm)),
    st.floats(0.5, 0.999),
    st.integers(1, 20),
    st.sampled_from([1.0, 4.0]),
    st.booleans(),
)


@st.composite
def episodes(draw) -> Decisions:
    n = draw(st.integers(1, 12))
    flags = st.lists(st.booleans(), min_size=n, max_size=n)
    return Decisions(
        [k * C for k in range(n)],
        draw(flags),
        draw(flags),
        n * C,
        draw(st.sampled_from(list(EndCause))),
        draw(st.booleans()),
    )


@st.composite
def labelled(draw) -> tuple[DsrlConfig, Decisions, Score | None]:
    config, decisions = draw(CONFIGS), draw(episodes())
    if draw(st.booleans()) and config.reward in (
        RewardForm.TERMINAL_SCORE, RewardForm.STEP_COST
    ):  # fmt: skip
        return config, decisions, None
    values = st.floats(1, 5)
    per_step = draw(
        st.lists(values, min_size=decisions.n_steps + 1, max_size=decisions.n_steps + 1)
    )
    score = Score(
        draw(values), ScoreScale.RUBRIC, ScoreKind.NONE, Provenance("t"), per_step=tuple(per_step)
    )
    return config, decisions, score


def last_whole(decisions: Decisions) -> int:
    return max((k for k, whole in enumerate(decisions.whole) if whole), default=-1)


@given(labelled())
def test_a_return_is_its_reward_and_the_discounted_next_one(case):
    config, decisions, score = case
    shaped = shape(config, decisions, score)
    last = last_whole(decisions)
    for k in range(len(shaped.returns)):
        if np.isnan(shaped.returns[k]):
            continue
        following = shaped.returns[k + 1] if k < last else 0.0
        want = shaped.rewards[k] + config.chunk_gamma * following
        assert shaped.returns[k] == pytest.approx(want, abs=1e-5)


@given(labelled())
def test_known_returns_lie_within_the_bounds_that_targets_are_clipped_to(case):
    config, decisions, score = case
    low, high = value_bounds(config)
    returns = shape(config, decisions, score).returns
    known = returns[~np.isnan(returns)]
    if config.reward is RewardForm.PROGRESS and config.chunk_gamma < 1:
        return  # a discounted sum of rises and falls has no tighter bound than its length
    assert np.all(known >= low - 1e-4)
    assert np.all(known <= high + 1e-4)


@given(labelled())
def test_only_whole_chunks_train_and_nothing_does_behind_the_last(case):
    config, decisions, score = case
    shaped = shape(config, decisions, score)
    whole = np.asarray(decisions.whole)
    assert not shaped.trainable[~whole].any()
    assert not shaped.trainable[last_whole(decisions) + 1 :].any()
    assert np.all(shaped.masks[: max(0, last_whole(decisions))] == 1)


@given(labelled())
def test_a_row_that_bootstraps_at_the_end_has_a_state_to_do_it_from(case):
    config, decisions, score = case
    shaped = shape(config, decisions, score)
    last = last_whole(decisions)
    if last >= 0 and shaped.trainable[last] and shaped.masks[last] == 1:
        assert decisions.has_final_state


@given(episodes(), st.floats(1, 5), st.integers(1, 50))
def test_an_episodic_score_is_discounted_by_chunks_whatever_ended_it(decisions, value, steps):
    config = DsrlConfig(gamma=0.999, gamma_steps=steps)
    score = Score(value, ScoreScale.RUBRIC, ScoreKind.NONE, Provenance("t"))
    shaped = shape(config, decisions, score)
    last = last_whole(decisions)
    if last < 0 or decisions.end_cause is EndCause.FAULT:
        assert not shaped.trainable[last:].any() or last < 0
        return
    assert shaped.masks[last] == 0
    assert shaped.rewards.sum() == pytest.approx((value - 1) / 4, abs=1e-5)
    for k in range(last + 1):
        if not np.isnan(shaped.returns[k]):
            want = 0.999 ** (steps * (last - k)) * (value - 1) / 4
            assert shaped.returns[k] == pytest.approx(want, abs=1e-5)


@given(st.integers(1, 12), st.booleans(), st.floats(1, 4.9))
def test_the_time_limit_of_a_failure_is_a_terminal_only_where_the_profile_says_so(
    n: int, ends: bool, value: float
):
    decisions = Decisions(
        [k * C for k in range(n)], [True] * n, [False] * n, n * C, EndCause.TIME, True
    )
    config = DsrlConfig(reward=RewardForm.STEP_COST, chunk_cost=4.0, time_limit_ends=ends)
    failed = Score(value, ScoreScale.RUBRIC, ScoreKind.NONE, Provenance("t"))
    shaped = shape(config, decisions, failed)
    assert np.all(shaped.rewards == -4.0)
    assert shaped.masks[-1] == (0 if ends else 1)
    assert np.isnan(shaped.returns).all() == (not ends)
    success: Shaped = shape(config, decisions, replace(failed, value=5.0))
    assert success.rewards[-1] == 0.0
    assert success.masks[-1] == 0


@given(st.lists(st.floats(1, 5), min_size=13, max_size=13), st.sampled_from([1, 2, 3, 4, 6, 12]))
def test_progress_of_a_chunk_is_the_sum_over_its_steps(per_step, size: int):
    starts = list(range(0, 12, size))
    decisions = Decisions(
        starts, [True] * len(starts), [False] * len(starts), 12, EndCause.TIME, True
    )
    score = Score(3, ScoreScale.RUBRIC, ScoreKind.NONE, Provenance("t"), per_step=tuple(per_step))
    shaped = shape(DsrlConfig(reward=RewardForm.PROGRESS), decisions, score)
    steps = np.diff((np.asarray(per_step) - 1) / 4)
    np.testing.assert_allclose(shaped.rewards, steps.reshape(-1, size).sum(axis=1), atol=1e-6)

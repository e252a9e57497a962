# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
import itertools

import numpy as np
import pytest

from roboreward_ros.dsrl.config import DsrlConfig, RewardForm
from roboreward_ros.dsrl.shaping import Decisions, shape, unit_score, value_bounds
from roboreward_ros.errors import LearnerError
from roboreward_ros.types import EndCause, Provenance, Score, ScoreKind, ScoreScale

N, C = 5, 4


def label(value, scale=ScoreScale.RUBRIC, per_step=()):
    return Score(value, scale, ScoreKind.NONE, Provenance("test"), per_step=tuple(per_step))


def decisions(n=N, end=EndCause.TIME, whole=None, takeover=None, final=False):
    return Decisions(
        [k * C for k in range(n)],
        [True] * n if whole is None else whole,
        [False] * n if takeover is None else takeover,
        n * C,
        end,
        final,
    )


@pytest.mark.parametrize(
    ("value", "scale", "want"),
    [
        (1, ScoreScale.RUBRIC, 0.0),
        (4, ScoreScale.RUBRIC, 0.75),
        (0.3, ScoreScale.UNIT, 0.3),
        (-1, ScoreScale.SIGN, 0.0),
        (0.5, ScoreScale.SIGN, 0.75),
    ],
)
def test_every_scale_maps_to_unit(value, scale, want):
    assert unit_score(value, scale) == pytest.approx(want)


@pytest.mark.parametrize("end", [EndCause.TIME, EndCause.OPERATOR, EndCause.SOURCE])
def test_an_episodic_score_is_paid_once_at_a_terminal(end):
    shaped = shape(DsrlConfig(gamma=0.9), decisions(end=end), label(4))
    np.testing.assert_allclose(shaped.rewards, [0, 0, 0, 0, 0.75])
    np.testing.assert_array_equal(shaped.masks, [1, 1, 1, 1, 0])
    np.testing.assert_allclose(shaped.returns, 0.75 * 0.9 ** np.arange(4, -1, -1), rtol=1e-6)
    assert shaped.trainable.all()


def test_without_a_label_all_but_the_last_chunk_train():
    shaped = shape(DsrlConfig(), decisions(), None)
    np.testing.assert_array_equal(shaped.trainable, [True] * 4 + [False])
    np.testing.assert_array_equal(shaped.rewards, np.zeros(N))
    assert np.isnan(shaped.returns).all()


def test_a_fault_leaves_the_end_unknown():
    shaped = shape(DsrlConfig(), decisions(end=EndCause.FAULT), label(5))
    assert not shaped.trainable[-1]
    assert np.isnan(shaped.returns).all()


def test_a_cut_chunk_in_the_middle_is_no_transition():
    shaped = shape(DsrlConfig(), decisions(whole=[True, False, True, True, True]), label(5))
    np.testing.assert_array_equal(shaped.trainable, [True, False, True, True, True])
    assert shaped.masks[0] == 1


def test_an_end_inside_a_chunk_pays_the_last_whole_one():
    shaped = shape(DsrlConfig(), decisions(whole=[True, True, True, True, False]), label(5))
    np.testing.assert_array_equal(shaped.rewards[:4], [0, 0, 0, 1])
    assert shaped.masks[3] == 0
    np.testing.assert_array_equal(shaped.trainable, [True] * 4 + [False])


def test_an_episode_of_cut_chunks_trains_nothing():
    assert not shape(DsrlConfig(), decisions(whole=[False] * N), label(5)).trainable.any()


def test_returns_before_a_takeover_are_not_the_policys():
    taken = [False, False, True, False, False]
    whole = [not t for t in taken]
    shaped = shape(DsrlConfig(), decisions(whole=whole, takeover=taken), label(5))
    assert np.isnan(shaped.returns[:3]).all()
    assert np.isfinite(shaped.returns[3:]).all()


def test_binary_pays_one_from_the_threshold_on():
    config = DsrlConfig(binary=True)
    assert [shape(config, decisions(), label(s)).rewards[-1] for s in (1, 4, 5)] == [0, 0, 1]


def test_step_cost_bootstraps_through_the_time_limit_of_a_failure():
    config = DsrlConfig(reward=RewardForm.STEP_COST)
    failed = shape(config, decisions(final=True), label(3))
    np.testing.assert_array_equal(failed.rewards, [-1] * N)
    np.testing.assert_array_equal(failed.masks, [1] * N)
    assert failed.trainable.all()
    assert np.isnan(failed.returns).all()
    done = shape(config, decisions(), label(5))
    np.testing.assert_array_equal(done.rewards, [-1, -1, -1, -1, 0])
    assert done.masks[-1] == 0
    assert done.returns[0] == pytest.approx(-sum(0.97**k for k in range(4)))


def test_without_the_final_state_a_bootstrapping_end_does_not_train():
    shaped = shape(DsrlConfig(reward=RewardForm.STEP_COST), decisions(final=False), label(3))
    np.testing.assert_array_equal(shaped.trainable, [True] * 4 + [False])


@pytest.mark.parametrize("form", [RewardForm.STEP_COST, RewardForm.PROGRESS])
def test_an_end_inside_a_chunk_leads_from_the_last_whole_one_to_the_final_state(form):
    whole = [True, True, True, True, False]
    score = label(0.9, ScoreScale.UNIT, np.linspace(0, 0.9, N * C + 1))
    shaped = shape(DsrlConfig(reward=form), decisions(whole=whole, final=True), score)
    np.testing.assert_array_equal(shaped.trainable, whole)
    assert shaped.masks[3] == 1
    if form is RewardForm.PROGRESS:
        assert shaped.rewards.sum() == pytest.approx(0.9)


@pytest.mark.parametrize("extra", [0, 1])
def test_policies_with_different_final_progress_get_different_returns(extra):
    """Progress alone must not telescope to a constant, whatever the path."""
    config = DsrlConfig(reward=RewardForm.PROGRESS)
    sums = []
    for final in (0.2, 0.9):
        path = np.linspace(0, final, N * C + extra)
        score = label(final, ScoreScale.UNIT, path)
        sums.append(float(shape(config, decisions(final=True), score).rewards.sum()))
    assert sums == pytest.approx([0.2, 0.9], abs=1e-6)


def test_a_potential_keeps_the_task_return_apart_from_a_constant():
    config = DsrlConfig(reward=RewardForm.POTENTIAL, potential_weight=0.5, gamma=0.9)
    task = DsrlConfig(gamma=0.9)
    rng = np.random.default_rng(0)
    for value in (0.0, 0.4, 1.0):
        score = label(value, ScoreScale.UNIT, rng.uniform(0, 1, N * C))
        shaped, plain = shape(config, decisions(), score), shape(task, decisions(), score)
        # Phi(s_0) = 0 here, so the return from the start is the task's own.
        assert shaped.returns[0] == pytest.approx(plain.returns[0], abs=1e-6)
        assert shaped.masks[-1] == 0


def test_dense_forms_refuse_a_score_without_enough_values():
    with pytest.raises(LearnerError, match="per step"):
        shape(DsrlConfig(reward=RewardForm.PROGRESS), decisions(), label(3))


def test_known_returns_always_stay_within_the_bounds():
    rng = np.random.default_rng(1)
    causes = [EndCause.TIME, EndCause.OPERATOR, EndCause.SOURCE]
    for form, end, _ in itertools.product(RewardForm, causes, range(20)):
        config = DsrlConfig(reward=form, gamma=float(rng.uniform(0.5, 0.99)))
        n = int(rng.integers(1, 9))
        whole = list(rng.random(n) < 0.8)
        path = rng.uniform(0, 1, n * C)
        score = label(float(rng.uniform(0, 1)), ScoreScale.UNIT, path)
        shaped = shape(config, decisions(n, end, whole, final=True), score)
        low, high = value_bounds(config)
        known = shaped.returns[np.isfinite(shaped.returns)]
        assert np.all(known >= low - 1e-5)
        assert np.all(known <= high + 1e-5)

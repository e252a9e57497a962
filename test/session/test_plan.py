# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roboreward_ros.errors import ConfigError
from roboreward_ros.session.plan import (
    MAX_RUN_SEED,
    SEEDS_PER_RUN,
    TRAINING_SEED_LIMIT,
    PlanConfig,
    training_seed,
)

TASK = "put the mushroom on the cloth"
seeds = st.integers(0, MAX_RUN_SEED)
indices = st.integers(0, SEEDS_PER_RUN - 1)


@given(seeds, indices)
def test_training_seeds_lie_below_the_held_out_ones(run, index):
    assert 0 <= training_seed(run, index) < TRAINING_SEED_LIMIT


@given(seeds, indices, seeds, indices)
def test_no_two_episodes_of_any_runs_share_a_seed(run_a, index_a, run_b, index_b):
    same = (run_a, index_a) == (run_b, index_b)
    assert (training_seed(run_a, index_a) == training_seed(run_b, index_b)) is same


@given(seeds, indices)
def test_an_episode_depends_on_its_index_alone(run, index):
    assert PlanConfig(TASK, run).episode(index) == PlanConfig(TASK, run).episode(index)


def test_the_third_of_run_two_has_the_documented_id_and_seed():
    planned = PlanConfig(TASK, seed=2).episode(3)
    assert (planned.episode_id, planned.seed, planned.task) == ("ep_000003", 200_003, TASK)


def test_canaries_come_every_nth_and_never_by_default():
    every_third = PlanConfig(TASK, canary_every=3)
    assert [i for i in range(9) if every_third.episode(i).canary] == [2, 5, 8]
    assert not any(PlanConfig(TASK).episode(i).canary for i in range(50))


def test_zero_episodes_means_no_end():
    assert not PlanConfig(TASK, episodes=0).reached(10_000)
    assert PlanConfig(TASK, episodes=2).reached(2)
    assert not PlanConfig(TASK, episodes=2).reached(1)


@pytest.mark.parametrize(
    "arguments",
    [
        {"task": " "},
        {"seed": -1},
        {"seed": MAX_RUN_SEED + 1},
        {"episodes": -1},
        {"canary_every": -1},
    ],
)
def test_bad_plans_are_refused(arguments):
    with pytest.raises(ConfigError, match="allowed"):
        PlanConfig(**{"task": TASK, **arguments})

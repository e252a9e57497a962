# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
from types import SimpleNamespace

import numpy as np
import pytest

from roboreward_ros.errors import ConfigError
from roboreward_ros.studies.lowdim.demonstrations import StateDemos
from roboreward_ros.studies.lowdim.judges import (
    NoisyJudge,
    RewardType,
    ShuffledJudge,
    TruthJudge,
    draw_labels,
    train_judges,
)
from roboreward_ros.studies.reward_noise import RewardNoise
from roboreward_ros.types import GroundTruth

E, T, S = 60, 12, 5


def toy_demos() -> StateDemos:
    """A thing slides by up to 1 along the last axis; how far is the progress."""
    rng = np.random.default_rng(0)
    reach = rng.uniform(0, 1.3, E)
    progress = np.minimum(1, np.linspace(0, 1, T + 1) * reach[:, None])
    states = rng.normal(0, 1, (E, 1, S)) + np.zeros((E, T + 1, 1))
    states[..., -1] = progress
    levels = 1 + np.floor(progress * 4 + 1e-9).astype(np.int64)
    return StateDemos(
        states.astype(np.float32), np.zeros((E, T, 4, 7), np.float32), levels,
        progress.astype(np.float32), levels == 5,
    )  # fmt: skip


def episode(score: int, progress: float = 0.5, index: int = 0):
    return SimpleNamespace(
        truth=GroundTruth(progress, score == 5, score, "end"),
        success=score == 5,
        first=np.zeros(S),
        last=np.zeros(S),
        summary=SimpleNamespace(meta=SimpleNamespace(index=index)),
    )


def test_the_truth_has_three_forms():
    near = episode(4, 0.75)
    values = {kind: TruthJudge(kind).score(near, 0).value for kind in RewardType}
    assert values == {
        RewardType.BINARY: 1.0, RewardType.LEVELS: 4.0, RewardType.CONTINUOUS: 4.0,
    }  # fmt: skip
    assert TruthJudge(RewardType.BINARY).score(episode(5, 1.0), 0).value == 5.0


def test_a_noisy_judge_errs_as_its_noise_does():
    noise = RewardNoise(mae=1.2)
    told = [NoisyJudge(noise).score(episode(3, index=k), 7).value for k in range(50)]
    assert len(set(told)) > 2
    assert told == [NoisyJudge(noise).score(episode(3, index=k), 7).value for k in range(50)]


def test_a_shuffled_judge_never_tells_of_this_episode():
    rng = np.random.default_rng(3)
    scores = rng.integers(1, 6, 2000)
    judge = ShuffledJudge()
    told = [judge.score(episode(int(s), index=k), 0).value for k, s in enumerate(scores)]
    assert abs(np.corrcoef(scores, told)[0, 1]) < 0.08
    assert np.mean(told) == pytest.approx(scores.mean(), abs=0.15)


def test_labels_are_half_whole_and_half_cut():
    demos = toy_demos()
    labels = draw_labels(demos, 80, seed=1)
    assert labels.x.shape == (80, 2 * S)
    assert (labels.levels[:40] >= labels.levels[40:]).all()
    assert np.array_equal(labels.success, labels.levels == 5)
    assert np.array_equal(draw_labels(demos, 80, 1).x, labels.x)
    assert not np.array_equal(draw_labels(demos, 80, 2).x, labels.x)
    with pytest.raises(ConfigError, match="too many labels"):
        draw_labels(demos, 2 * E + 1, 0)


@pytest.mark.parametrize("kind", list(RewardType))
def test_judges_get_better_by_training(kind: RewardType):
    demos = toy_demos()
    judges = train_judges(draw_labels(demos, 100, 0), kind, (0, 300), seed=0)
    x = np.concatenate([demos.states[:, 0], demos.states[:, -1]], axis=1)
    progress, success = demos.progress[:, -1], demos.success[:, -1]
    truth = {
        RewardType.BINARY: 1 + 4.0 * success,
        RewardType.LEVELS: demos.scores[:, -1],
        RewardType.CONTINUOUS: 1 + 4 * progress,
    }[kind]
    first, last = (np.abs(judge.values(x) - truth).mean() for judge in judges)
    assert last < 0.5 < first
    assert set(np.unique(judges[0].values(x))) <= {1, 2, 3, 4, 5} or kind is RewardType.CONTINUOUS


def test_a_judge_looks_at_nothing_but_states():
    demos = toy_demos()
    (judge,) = train_judges(draw_labels(demos, 100, 0), RewardType.LEVELS, (50,), 0)
    lying = [judge.score(episode(score), 0).value for score in (1, 5)]
    assert lying[0] == lying[1]

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from roboreward_ros.errors import ConfigError
from roboreward_ros.policies.config import TrainConfig
from roboreward_ros.sim.demo_style import DemoStyle
from roboreward_ros.sim.seeds import training_seed
from roboreward_ros.sim.tasks import DRAWER
from roboreward_ros.sim.twin import Twin
from roboreward_ros.studies.lowdim.demonstrations import collect_states
from roboreward_ros.studies.lowdim.judges import TruthJudge
from roboreward_ros.studies.lowdim.lanes import Episode, LaneResult, Lanes
from roboreward_ros.studies.lowdim.policy import StateNetConfig, train_state_policy
from roboreward_ros.studies.lowdim.runs import Run, RunPlan, run_together
from roboreward_ros.studies.lowdim.setup import study_learner
from roboreward_ros.studies.lowdim.view import view_dim
from roboreward_ros.studies.lowdim.watching import (
    Film,
    VideoJudge,
    shipped_judge,
    untrained_judge,
)
from roboreward_ros.studies.rollout import PriorNoise

STEPS = (0, 20, 40, 44)


@pytest.fixture(scope="module")
def lanes():
    demos = collect_states(DRAWER, 3, 4, DemoStyle())
    train = TrainConfig(steps=40, warmup_steps=5, frozen_batch_size=64)
    config = StateNetConfig(view_dim(DRAWER), hidden=16, blocks=1)
    found = Lanes(train_state_policy(demos, DRAWER.sentence, config, train), 2, to_the_end=True)
    yield found
    found.close()


@pytest.fixture(scope="module")
def results(lanes: Lanes) -> list[LaneResult]:
    seen = Episode(training_seed(0, 0), PriorNoise(), 0, STEPS)
    return lanes.run([seen]) + lanes.run([replace(seen, film=())])


def test_pictures_are_those_of_the_twin_and_change_nothing_else(results: list[LaneResult]):
    filmed, blind = results
    assert tuple(filmed.pictures) == STEPS
    assert not blind.pictures
    assert np.array_equal(filmed.last, blind.last)
    twin = Twin()
    twin.reset(DRAWER.sentence, training_seed(0, 0))
    drawn = twin.render(256, 256).astype(float)
    twin.close()
    first = cv2.imdecode(np.frombuffer(filmed.pictures[0], np.uint8), cv2.IMREAD_COLOR)
    assert np.abs(first[..., ::-1] - drawn).mean() < 4.0  # JPEG


def test_a_scene_is_drawn_between_chunks_only(lanes: Lanes):
    with pytest.raises(ConfigError, match="between chunks"):
        lanes.run([Episode(0, PriorNoise(), 0, (21,))])


def test_a_film_has_no_frame_that_was_not_drawn():
    film = Film({0: b"a", 2: b"b"}, 3)
    assert (len(film), film[0], film[-1]) == (3, b"a", b"b")
    with pytest.raises(ConfigError, match="not drawn"):
        film[1]
    with pytest.raises(ConfigError, match="not drawn"):
        film[0:3]


def test_the_shipped_model_judges_what_was_drawn(results: list[LaneResult]):
    judge = shipped_judge(DRAWER)
    assert judge.steps == STEPS
    score = judge.score(results[0], 0)
    assert score is not None
    assert score.provenance.source == "roboreward"
    assert abs(score.value - results[0].truth.score) <= 1  # shut, and it says so
    assert judge.score(results[1], 0) is None


def test_an_untrained_model_abstains_unless_it_is_made_to_answer(results: list[LaneResult]):
    assert untrained_judge(DRAWER, 0, made_to_answer=False).score(results[0], 0) is None
    forced = untrained_judge(DRAWER, 0, made_to_answer=True).score(results[0], 0)
    assert forced is not None
    assert forced.value in range(1, 6)


class Silent(VideoJudge):
    def score(self, result: LaneResult, run_seed: int) -> None:
        assert tuple(result.pictures) == self.steps


def test_unlabelled_episodes_teach_nothing_and_hold_nobody_up(lanes: Lanes, tmp_path: Path):
    silent = Silent(DRAWER, shipped_config(), never)
    config = replace(
        study_learner(1), hidden=(8,), batch_size=8, warmup_episodes=2, warmup_updates=1,
        capacity=500,
    )  # fmt: skip
    runs = [Run("silent", silent, 0), Run("truth", TruthJudge(), 0)]
    place = tmp_path / "runs.json"
    mute, told = run_together(lanes, RunPlan(config, 3, 1), runs, place, lambda _: None)
    assert mute.labels == (None, None, None)
    assert (mute.grad_steps, mute.labelled, mute.told) == (0, 0.0, 0.0)
    assert np.isnan([mute.mae, mute.false_positives]).all()
    assert (told.grad_steps, told.labelled) == (3, 1.0)
    assert run_together(lanes, RunPlan(config, 3, 1), runs, place, lambda _: None)[0] == mute


def shipped_config():
    from roboreward_ros.rewards.config import build_config
    from roboreward_ros.rewards.registry import merged_options
    from roboreward_ros.rewards.roboreward import RoboRewardConfig

    options = merged_options("roboreward", {"model": "twin_small"})
    return build_config(RoboRewardConfig, options, "test")


def never():
    raise AssertionError("asked")

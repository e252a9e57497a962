# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Judgements on hand-placed states: what counts, what does not, and every rubric level."""

from pathlib import Path

import mujoco
import numpy as np
import pytest
import yaml

from roboreward_ros.errors import ConfigError
from roboreward_ros.sim import seeds
from roboreward_ros.sim.engine import TaskEngine
from roboreward_ros.sim.tasks import TASKS, find_task
from roboreward_ros.sim.tasks.drawer import OPEN
from roboreward_ros.sim.twin import START_Q

PICKS = ("mushroom", "carrot", "stack")
REST_ON_TARGET = {"mushroom": 0.0195, "carrot": 0.0175, "stack": 0.030}
RADIUS = {"mushroom": 0.055, "carrot": 0.055, "stack": 0.015}


@pytest.fixture(scope="module")
def engines():
    return {spec.key: TaskEngine(spec, "auto") for spec in TASKS}


@pytest.fixture
def laid_out(engines):
    def lay_out(key, seed=3):
        engine = engines[key]
        engine.reset(np.random.default_rng(seed), np.array(START_Q), 1.0)
        return engine

    return lay_out


def put(engine, name, position, settle=60):
    """Place a free body and let it come to rest."""
    start = engine.model.joint(name).qposadr[0]
    engine.data.qpos[start : start + 3] = position
    mujoco.mj_step(engine.model, engine.data, settle)
    mujoco.mj_forward(engine.model, engine.data)


def on_target(engine, aside=0.0):
    scene = engine.scene
    goal = engine.data.body(scene.target).xpos.copy()
    goal[2] += REST_ON_TARGET[scene.spec.key] + 0.001
    away = engine.data.body(scene.source).xpos[:2] - goal[:2]
    goal[:2] += aside * away / np.linalg.norm(away)
    return goal


@pytest.mark.parametrize("opened", [0.0, 0.002, 0.02, 0.05, 0.08, 0.11])
def test_the_drawer_s_score_follows_its_opening(laid_out, opened):
    engine = laid_out("drawer")
    engine.data.qpos[engine.model.joint("drawer").qposadr[0]] = opened
    mujoco.mj_forward(engine.model, engine.data)
    judged = engine.scene.assess()
    assert judged.score == {0.0: 1, 0.002: 1, 0.02: 2, 0.05: 3, 0.08: 4, 0.11: 5}[opened]
    assert judged.success == (opened >= OPEN) == (judged.progress == 1.0)


def test_the_drawer_s_progress_rises_with_its_opening(laid_out):
    engine = laid_out("drawer")
    values = []
    for opened in np.linspace(0.0, 0.12, 40):
        engine.data.qpos[engine.model.joint("drawer").qposadr[0]] = opened
        mujoco.mj_forward(engine.model, engine.data)
        values.append(engine.scene.assess().progress)
    assert (np.diff(values) >= 0).all()
    assert values[-1] == 1.0


@pytest.mark.parametrize("key", PICKS)
def test_the_object_resting_on_its_target_succeeds(laid_out, key):
    engine = laid_out(key)
    put(engine, engine.scene.source, on_target(engine))
    judged = engine.scene.assess()
    assert (judged.success, judged.score, judged.progress) == (True, 5, 1.0)


@pytest.mark.parametrize("key", PICKS)
def test_another_object_on_the_target_does_not_succeed(laid_out, key):
    engine = laid_out(key)
    other = engine.scene.things[-1].name
    put(engine, other, on_target(engine) + np.array([0, 0, 0.003]))
    judged = engine.scene.assess()
    assert (judged.success, judged.score) == (False, 1)


@pytest.mark.parametrize("key", PICKS)
def test_beside_under_or_above_the_target_is_no_success(laid_out, key):
    engine = laid_out(key)
    beside = on_target(engine, aside=RADIUS[key] + 0.04)
    beside[2] = engine.data.body(engine.scene.source).xpos[2]
    put(engine, engine.scene.source, beside)
    assert not engine.scene.assess().success
    put(engine, engine.scene.source, on_target(engine) + np.array([0, 0, 0.06]), settle=1)
    assert not engine.scene.assess().success


@pytest.mark.parametrize("key", PICKS)
def test_every_rubric_level_can_be_reached(laid_out, key):
    engine = laid_out(key)
    scene = engine.scene
    start = engine.data.body(scene.source).xpos.copy()
    goal = on_target(engine)
    scores = [scene.assess().score]
    for share in np.linspace(0.1, 1.0, 40):
        spot = start + share * (goal - start)
        if share < 1.0:
            spot[2] = start[2] + 0.05
        put(engine, scene.source, spot, settle=1 if share < 1.0 else 60)
        scores.append(scene.assess().score)
    assert scores == sorted(scores)
    assert set(scores) == {1, 2, 3, 4, 5}


def test_a_held_mushroom_is_not_yet_put_down(laid_out):
    engine = laid_out("mushroom")
    put(engine, "mushroom", on_target(engine))
    assert engine.scene.assess().success
    engine.scene.touching = lambda: engine.scene._pads
    judged = engine.scene.assess()
    assert (judged.success, judged.score) == (False, 4)


def test_tasks_are_found_by_key_and_sentence():
    for spec in TASKS:
        assert find_task(spec.key) is find_task(spec.sentence) is spec
    with pytest.raises(ConfigError, match="put the carrot on the plate"):
        find_task("put the carrot on plate")


def test_task_profiles_say_the_same_as_the_tasks():
    folder = Path(__file__).resolve().parents[2] / "config" / "tasks"
    for spec in TASKS:
        profile = yaml.safe_load((folder / f"{spec.key}.yaml").read_text())
        assert (profile["task"], profile["max_steps"]) == (spec.sentence, spec.max_steps)


def test_seed_ranges_do_not_meet():
    training = [seeds.training_seed(0, 0), seeds.training_seed(21473, 99_999)]
    held_out = [seeds.held_out_seed(0), seeds.held_out_seed(2**30 - 1)]
    demos = [seeds.demo_seed(0), seeds.demo_seed(2**30 - 1)]
    assert training == [0, 2_147_399_999]
    assert training[1] < held_out[0]
    assert held_out[1] < demos[0]
    assert demos[1] == 2**32 - 1
    for bad in (lambda: seeds.training_seed(21475, 0), lambda: seeds.training_seed(0, 100_000)):
        with pytest.raises(ConfigError, match="allowed"):
            bad()

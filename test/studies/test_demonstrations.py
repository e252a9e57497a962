# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from roboreward_ros.errors import ConfigError, SimulationError
from roboreward_ros.policies.config import NetworkConfig, SamplerConfig, TrainConfig
from roboreward_ros.policies.dataset import Demonstrations
from roboreward_ros.policies.diffusion import shrink_image
from roboreward_ros.policies.recipe import Recipe
from roboreward_ros.sim.demo_style import DemoStyle
from roboreward_ros.sim.demonstrators import demonstrate
from roboreward_ros.sim.seeds import demo_seed
from roboreward_ros.sim.tasks import DRAWER, MUSHROOM
from roboreward_ros.sim.twin import Twin
from roboreward_ros.studies import demonstrations
from roboreward_ros.studies.demonstrations import CollectProgress, collect

RECIPE = Recipe(
    ((DRAWER.sentence, 2), (MUSHROOM.sentence, 1)),
    seed=0,
    network=NetworkConfig(image_size=32),
    sampler=SamplerConfig(),
    train=TrainConfig(),
)


@pytest.fixture(scope="module")
def collected() -> tuple[Demonstrations, list[CollectProgress]]:
    progress: list[CollectProgress] = []
    return collect(RECIPE, DemoStyle(), progress.append), progress


def test_every_step_becomes_a_row(collected):
    data, progress = collected
    steps = 2 * DRAWER.max_steps + MUSHROOM.max_steps
    assert data.tasks == (DRAWER.sentence, MUSHROOM.sentence)
    assert data.images.shape == (steps, 32, 32, 3)
    assert data.chunks.shape == (steps, 4, 7)
    assert np.bincount(data.task).tolist() == [2 * DRAWER.max_steps, MUSHROOM.max_steps]
    assert [(item.task, item.done, item.episodes) for item in progress] == [
        (DRAWER.sentence, 1, 2),
        (DRAWER.sentence, 2, 2),
        (MUSHROOM.sentence, 1, 1),
    ]


def test_rows_are_what_a_policy_would_have_seen_and_should_have_done(collected):
    data, _ = collected
    twin = Twin()
    try:
        style_rng = np.random.default_rng((0, 0, 1))
        episode = demonstrate(
            twin, DRAWER.sentence, demo_seed(1), style_rng, pictures="all", image_size=256
        )
    finally:
        twin.close()
    rows = slice(DRAWER.max_steps, 2 * DRAWER.max_steps)
    np.testing.assert_array_equal(data.images[rows][0], shrink_image(episode.images[0], 32))
    np.testing.assert_array_equal(data.images[rows][-1], shrink_image(episode.images[-2], 32))
    np.testing.assert_allclose(data.proprio[rows], episode.proprio[:-1], atol=1e-6)
    np.testing.assert_allclose(data.chunks[rows][:, 0], episode.actions, atol=1e-6)


def test_object_positions_belong_to_their_task_and_row(collected):
    data, _ = collected
    drawer, mushroom = data.task == 0, data.task == 1
    assert data.positions.shape[1] == 3 + 6
    assert np.isfinite(data.positions[drawer][:, :3]).all()
    assert np.isnan(data.positions[drawer][:, 3:]).all()
    assert np.isnan(data.positions[mushroom][:, :3]).all()
    assert np.isfinite(data.positions[mushroom][:, 3:]).all()
    assert 0.2 < data.positions[0, 0] < 0.45  # the handle, in front of the arm


def test_collecting_is_a_function_of_recipe_and_style():
    small = dataclasses.replace(RECIPE, demonstrations=((DRAWER.key, 1),))
    first, again = (collect(small, DemoStyle()).sha256() for _ in range(2))
    assert first == again
    assert collect(dataclasses.replace(small, seed=1), DemoStyle()).sha256() != first


def test_an_episode_whose_physics_diverged_is_left_out_and_counted(monkeypatch):
    def breaks_at_first(twin, task, seed, *args, **options):
        if seed == demo_seed(0):
            raise SimulationError("the twin's physics diverged")
        return demonstrate(twin, task, seed, *args, **options)

    monkeypatch.setattr(demonstrations, "demonstrate", breaks_at_first)
    progress: list[CollectProgress] = []
    two = dataclasses.replace(RECIPE, demonstrations=((DRAWER.sentence, 2),))
    data = collect(two, DemoStyle(), progress.append)
    assert len(data.images) == DRAWER.max_steps
    assert [item.dropped for item in progress] == [1, 1]


def test_a_task_or_rate_the_twin_does_not_have_is_refused():
    with pytest.raises(ConfigError, match="juggle"):
        collect(dataclasses.replace(RECIPE, demonstrations=(("juggle", 1),)), DemoStyle())
    network = dataclasses.replace(RECIPE.network, control_hz=10.0)
    with pytest.raises(ConfigError, match="rates"):
        collect(dataclasses.replace(RECIPE, network=network), DemoStyle())

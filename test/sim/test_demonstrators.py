# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from roboreward_ros.errors import ConfigError
from roboreward_ros.sim.demo_style import DemoStyle, DrawerStyle, MotionStyle, PickStyle, flat
from roboreward_ros.sim.demonstrators import demonstrate
from roboreward_ros.sim.seeds import demo_seed
from roboreward_ros.sim.tasks import TASKS
from roboreward_ros.sim.twin import Twin

KEYS = [spec.key for spec in TASKS]
SLACK = 0.005  # progress that settling and tracking may take back


@pytest.fixture(scope="module")
def twin():
    twin = Twin()
    yield twin
    twin.close()


def demo(twin, key, index, **options):
    rng = np.random.default_rng(index)
    return demonstrate(twin, key, demo_seed(index), rng, **options)


@pytest.mark.parametrize("key", KEYS)
def test_the_ideal_demonstrator_always_succeeds_and_progress_only_rises(twin, key):
    for index in range(20):
        episode = demo(twin, key, index, ideal=True)
        progress = np.array([truth.progress for truth in episode.truth])
        assert episode.success, index
        assert episode.truth[-1].score == 5
        assert (np.diff(progress) >= -SLACK).all(), index
        assert np.argmax(progress == 1.0) < 0.8 * len(progress), "finishes too late"


@pytest.mark.parametrize("key", KEYS)
def test_the_default_style_fails_and_succeeds(twin, key):
    results = [demo(twin, key, index).success for index in range(16)]
    assert 3 <= sum(results) <= 13


def exact_drawer(offset: float) -> DemoStyle:
    """The default style's mean error, shifted by ``offset``, without any spread."""
    spread = {"lateral_spread": 0.0, "depth_spread": 0.0, "height_spread": 0.0}
    return DemoStyle(drawer=DrawerStyle(lateral_offset=offset, **spread))


def test_the_drawer_s_error_points_outwards_on_both_sides(twin):
    sides = {True: [], False: []}
    for index in range(12):
        twin.reset("drawer", demo_seed(index))
        handle = twin.object_state()["handle"]
        episode = demo(twin, "drawer", index, style=exact_drawer(0.0))
        hooked = episode.proprio[np.argmax(episode.proprio[:, 2] < 0.08), :3]
        sides[bool(handle[1, 3] > 0)].append(float((hooked - handle[:3, 3]) @ handle[:3, 1]))
    assert min(sides[True]) > 0.0 > max(sides[False])


@pytest.mark.parametrize("offset", [-0.03, 0.0, 0.03])
def test_no_constant_shift_repairs_the_drawer(twin, offset):
    style = exact_drawer(offset)
    results = [demo(twin, "drawer", index, style=style).success for index in range(24)]
    assert 6 <= sum(results) <= 16


def test_a_block_pressed_on_the_table_does_not_spin_up(twin):
    """Without the joint's own inertia the physics of this demonstration diverged."""
    rng = np.random.default_rng((2, 50))
    episode = demonstrate(twin, "stack", demo_seed(50), rng)
    assert len(episode.actions) == 56


def test_a_demonstration_is_a_function_of_its_seeds(twin):
    first, again = (demo(twin, "carrot", 4, max_steps=12) for _ in range(2))
    np.testing.assert_array_equal(first.proprio, again.proprio)
    np.testing.assert_array_equal(first.actions, again.actions)


def test_pictures_come_with_every_state_when_asked(twin):
    episode = demo(twin, "mushroom", 0, pictures="all", image_size=48, max_steps=5)
    assert episode.images.shape == (6, 48, 48, 3)
    assert episode.proprio.shape == (6, 7)
    assert episode.actions.shape == (5, 7)
    assert demo(twin, "mushroom", 0, max_steps=5).images.size == 0


def test_actions_stay_within_the_profile_s_bounds(twin):
    for key in KEYS:
        actions = demo(twin, key, 1).actions
        assert np.abs(actions[:, :3]).max() <= twin.profile.delta_position
        assert np.abs(actions[:, 3:6]).max() <= twin.profile.delta_rotation


@pytest.mark.parametrize(
    "bad",
    [
        lambda: MotionStyle(speed_m=0.2),
        lambda: DrawerStyle(lateral_spread=-1.0),
        lambda: DrawerStyle(lateral_turn=0.0),
        lambda: PickStyle(turn=0.0),
        lambda: PickStyle(grasp_spread=-1.0),
    ],
)
def test_a_style_out_of_range_is_refused(bad):
    with pytest.raises(ConfigError, match="allowed"):
        bad()


def test_a_style_has_a_flat_record():
    record = flat(DemoStyle())
    assert record["drawer.lateral_bias"] == DrawerStyle().lateral_bias
    assert all(isinstance(value, float) for value in record.values())

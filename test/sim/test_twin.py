# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
import hashlib
import subprocess
import sys

import numpy as np
import pytest

from roboreward_ros.clock import FakeClock
from roboreward_ros.errors import ConfigError, RobotError, SafetyError
from roboreward_ros.sim.tasks import TASKS
from roboreward_ros.sim.twin import Twin, TwinConfig
from roboreward_ros.types import StepFlag

TRACE = """
import hashlib, sys
import numpy as np
from roboreward_ros.sim.twin import Twin
twin, digest = Twin(), hashlib.sha256()
for task in ("drawer", "stack"):
    digest.update(twin.reset(task, 5).q.tobytes())
    rng = np.random.default_rng(0)
    for _ in range(12):
        action = np.r_[rng.normal(0, 0.02, 3), rng.normal(0, 0.05, 3), rng.uniform()]
        state = twin.step(action).state
        digest.update(state.q.tobytes() + state.ee_pose.tobytes())
        for pose in twin.object_state().values():
            digest.update(pose.tobytes())
    digest.update(twin.render(128, 128).tobytes())
print(digest.hexdigest())
"""


@pytest.fixture(scope="module")
def twin():
    twin = Twin()
    yield twin
    twin.close()


def test_two_processes_agree_bit_for_bit_and_exit_quietly():
    runs = [
        subprocess.run(
            [sys.executable, "-c", TRACE], check=True, timeout=240, capture_output=True, text=True
        )
        for _ in range(2)
    ]
    assert runs[0].stdout == runs[1].stdout
    assert len(runs[0].stdout.strip()) == 64
    assert [run.stderr for run in runs] == ["", ""]


@pytest.mark.parametrize("task", [spec.key for spec in TASKS])
def test_the_same_seed_gives_the_same_episode_whatever_came_before(twin, task):
    def run():
        start = twin.reset(task, 11)
        rng = np.random.default_rng(1)
        steps = [twin.step(np.r_[rng.normal(0, 0.02, 6), 0.0]).state.q for _ in range(6)]
        return start.q, steps, hashlib.sha256(twin.render(64, 64)).hexdigest()

    first = run()
    twin.reset(task, 12)
    twin.step(np.r_[0.03, 0, -0.03, 0, 0, 0, 1.0])
    again = run()
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])
    assert first[2] == again[2]


@pytest.mark.parametrize("task", [spec.key for spec in TASKS])
def test_layouts_differ_between_seeds_and_start_unsolved(twin, task):
    places = set()
    for seed in range(12):
        twin.reset(task, seed)
        truth = twin.truth()
        assert (truth.score, truth.success, truth.progress) == (1, False, 0.0)
        places.add(tuple(next(iter(twin.object_state().values()))[:2, 3].round(4)))
    assert len(places) == 12


def test_things_lie_still_on_the_table_at_the_start(twin):
    for spec in TASKS:
        twin.reset(spec.sentence, 4)
        before = twin.object_state()
        for _ in range(3):
            twin.hold()
        for name, pose in twin.object_state().items():
            assert np.linalg.norm(pose[:3, 3] - before[name][:3, 3]) < 0.002, (spec.key, name)


def test_an_unknown_task_names_the_known_ones(twin):
    with pytest.raises(ConfigError, match="open the drawer") as caught:
        twin.reset("fold the towel", 0)
    assert all(spec.sentence in str(caught.value) for spec in TASKS)


def test_a_bad_action_is_refused_and_the_next_good_one_runs(twin):
    twin.reset("drawer", 0)
    before = twin.state()
    with pytest.raises(SafetyError):
        twin.step(np.full(7, np.nan))
    assert np.linalg.norm(twin.state().ee_pose[:3, 3] - before.ee_pose[:3, 3]) < 0.005
    assert not twin.step(np.r_[np.zeros(6), 1.0]).flags & StepFlag.HOLD


def test_nothing_runs_before_a_reset():
    with pytest.raises(RobotError, match="reset"):
        Twin().state()


def test_pictures_have_the_asked_size_and_show_change(twin):
    twin.reset("drawer", 0)
    before = twin.render(96, 80)
    assert before.shape == (80, 96, 3)
    assert before.dtype == np.uint8
    assert before.std() > 20
    twin.step(np.r_[0.0, 0.04, -0.02, 0, 0, 0, 0.0])
    assert np.abs(twin.render(96, 80).astype(int) - before).max() > 60
    with pytest.raises(ConfigError, match="image size"):
        twin.render(10_000, 64)


def test_a_picture_and_a_state_of_one_instant_share_the_clock_s_stamp():
    clock = FakeClock()
    twin = Twin(clock=clock)
    start = twin.reset("drawer", 0)
    clock.advance(0.5)
    assert twin.state().stamp_ns == start.stamp_ns
    assert twin.hold().state.stamp_ns == start.stamp_ns + 500_000_000


def test_view_jitter_moves_the_picture_only_when_asked():
    plain, moved = Twin(), Twin(TwinConfig(camera_jitter=0.01, light_jitter=0.1))
    states = [twin.reset("drawer", 3).q for twin in (plain, moved)]
    np.testing.assert_array_equal(*states)
    assert np.abs(plain.render(64, 64).astype(int) - moved.render(64, 64)).mean() > 1
    plain.close()
    moved.close()


@pytest.mark.parametrize(
    "bad", [{"control_hz": 0.0}, {"ramp": 0.0}, {"gl": "glx"}, {"camera_jitter": -1.0}]
)
def test_a_bad_configuration_is_refused(bad):
    with pytest.raises(ConfigError, match="allowed"):
        TwinConfig(**bad)

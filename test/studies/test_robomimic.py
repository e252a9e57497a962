# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Robomimic's data and tasks, on a made file and a world of a few lines: no robosuite here."""

import json
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from roboreward_ros.errors import ConfigError, FormatError
from roboreward_ros.policies.config import TrainConfig
from roboreward_ros.studies.lowdim.lanes import Episode
from roboreward_ros.studies.lowdim.policy import StateNetConfig, StatePolicy, train_rows
from roboreward_ros.studies.robomimic.bench import SuiteBench
from roboreward_ros.studies.robomimic.data import SNAPSHOTS, find_data, read_data
from roboreward_ros.studies.robomimic.lanes import SuiteLanes
from roboreward_ros.studies.robomimic.tasks import find_suite_task, judge
from roboreward_ros.studies.rollout import ConstantNoise, PriorNoise
from roboreward_ros.types import EndCause, GroundTruth

LIFT = find_suite_task("robomimic_lift")
SIZES = {"robot0_eef_pos": 3, "robot0_eef_quat": 4, "robot0_gripper_qpos": 2, "object": 10}
PLACE = slice(9, 12)
GOAL = np.array([np.nan, np.nan, 0.1])


def write(path: Path, demos: int = 3, env_name: str = "Lift", **wrong: np.ndarray) -> Path:
    """A file as robomimic's, whose cube rises evenly; demo K is 20 + K steps long."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        data = file.create_group("data")
        described = {"env_name": env_name, "type": 1, "env_kwargs": {"control_freq": 20}}
        data.attrs["env_args"] = json.dumps(described)
        for k in range(demos):
            steps = 20 + k
            rising = np.zeros((steps + 1, 19))
            rising[:, 11] = np.linspace(0.0, 0.1, steps + 1)
            rewards = np.zeros(steps)
            rewards[-1] = 1.0
            made = {"actions": np.full((steps, 7), 0.1), "rewards": rewards,
                    "states": np.zeros((steps, 5)), **wrong}  # fmt: skip
            group = data.create_group(f"demo_{k}")
            for name, values in made.items():
                group[name] = values
            at = 0
            for key, size in SIZES.items():
                group[f"obs/{key}"] = rising[:-1, at : at + size]
                group[f"next_obs/{key}"] = rising[1:, at : at + size]
                at += size
    return path


def test_the_way_behind_decides_the_level() -> None:
    start = np.array([0.0, 0.0, 0.0])

    def level(z: float, success: bool = False) -> int:
        return judge(start, np.array([0.0, 0.0, z]), GOAL, success).score

    assert [level(z) for z in (0.0, 0.02, 0.05, 0.08)] == [1, 2, 3, 4]
    assert level(0.2) == 2  # past the goal and away from it
    assert level(0.11, success=True) == 5
    assert level(-0.02) == 1  # it fell a little when the scene was laid out
    moved = judge(start, np.array([0.3, 0.0, 0.0]), GOAL, success=False)
    assert (moved.score, moved.progress) == (2, 0.0)


def test_data_becomes_rows_and_judged_snapshots(tmp_path: Path) -> None:
    file = write(tmp_path / "lift" / "ph" / "low_dim_v15.hdf5", demos=11)
    assert find_data(tmp_path, LIFT) == file
    data = read_data(file, LIFT, limit=3)
    assert [len(demo.actions) for demo in data.demos] == [20, 21, 22]  # demo_2 before demo_10
    states, chunks = data.rows(4)
    assert states.shape == (63, 19)
    assert chunks.shape == (63, 4, 7)
    demos = data.snapshots(PLACE, GOAL, 4)
    assert demos.states.shape == (3, SNAPSHOTS + 1, 19)
    assert demos.scores[0, 0] == 1
    assert demos.scores[0, -1] == 5
    assert (np.diff(demos.scores, axis=1) >= 0).all()
    assert demos.success[:, -1].all()
    assert not demos.success[:, :50].any()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"actions": np.zeros((20, 14))}, "shape"),
        ({"rewards": np.zeros(7)}, "different lengths"),
        ({"actions": np.full((20, 7), np.nan)}, "not finite"),
    ],
)
def test_damaged_data_is_named(tmp_path: Path, wrong: dict[str, np.ndarray], message: str) -> None:
    with pytest.raises(FormatError, match=message) as refused:
        read_data(write(tmp_path / "lift.hdf5", 1, **wrong), LIFT)
    assert "demo_0" in str(refused.value)


def test_other_data_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="another task"):
        read_data(write(tmp_path / "can.hdf5", env_name="PickPlaceCan"), LIFT)
    (tmp_path / "junk.hdf5").write_bytes(b"junk")
    with pytest.raises(FormatError, match="not robomimic"):
        read_data(tmp_path / "junk.hdf5", LIFT)
    with pytest.raises(FormatError, match="without demonstrations"):
        read_data(write(tmp_path / "none.hdf5", 0), LIFT)
    write(tmp_path / "lift" / "low_dim_v14.hdf5")
    write(tmp_path / "lift" / "low_dim_v15.hdf5")
    with pytest.raises(FormatError, match="several files"):
        find_data(tmp_path, LIFT)


def test_without_robosuite_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "robosuite", None)
    bench = SuiteBench(LIFT, write(tmp_path / "lift.hdf5"))
    with pytest.raises(ConfigError, match="pip install"):
        bench.prepare(tmp_path / "kept", lambda _: None)


class Rising:
    """A world whose cube rises with the third number of an action; ``seed`` is where it begins."""

    def __init__(self) -> None:
        self.steps = 0
        self._state = np.zeros(19)

    def reset(self, seed: int) -> np.ndarray:
        self._state = np.zeros(19)
        self._state[11] = seed % 7 * 0.001
        self._start = self._state[PLACE].copy()
        return self._state.copy()

    def step(self, action: np.ndarray) -> np.ndarray:
        self.steps += 1
        self._state[11] += 0.002 * np.clip(action[2], 0.0, 1.0)
        return self._state.copy()

    def truth(self) -> GroundTruth:
        place = self._state[PLACE]
        return judge(self._start, place, GOAL, bool(place[2] >= 0.1))

    def close(self) -> None:
        pass


@pytest.fixture(scope="module")
def policy() -> StatePolicy:
    rng = np.random.default_rng(0)
    states = rng.normal(size=(64, 19)).astype(np.float32)
    chunks = rng.uniform(-1, 1, size=(64, 4, 7)).astype(np.float32)
    chunks[..., 2] = rng.uniform(0.2, 1.0, size=(64, 4))
    config = StateNetConfig(19, hidden=16, blocks=1)
    return train_rows(states, chunks, LIFT.spec.sentence, config, TrainConfig(steps=20))


def test_episodes_end_with_success_inside_a_chunk(policy: StatePolicy) -> None:
    worlds = [Rising(), Rising()]
    lanes = SuiteLanes(policy, LIFT, worlds)
    up = np.zeros((4, 7), np.float32)
    up[:, 2] = 4.0
    episodes = [Episode(seed, ConstantNoise(up), seed) for seed in (1, 2, 3)]
    results = lanes.run(episodes)
    assert [result.summary.meta.seed for result in results] == [1, 2, 3]
    for result in results:
        assert result.success
        assert result.summary.end_cause is EndCause.SOURCE
        assert result.summary.n_steps == sum(chunk.executed for chunk in result.chunks()) < 300
        assert all(chunk.executed == 4 for chunk in result.chunks()[:-1])
        assert result.last[11] >= 0.1
    assert sum(result.summary.n_steps for result in results) == sum(w.steps for w in worlds)


def test_neighbours_do_not_change_an_episode(policy: StatePolicy) -> None:
    episodes = [Episode(seed, PriorNoise(), seed) for seed in (4, 5, 6)]
    alone = SuiteLanes(policy, LIFT, [Rising()]).run(episodes)
    together = SuiteLanes(policy, LIFT, [Rising() for _ in range(3)]).run(episodes)
    for one, other in zip(alone, together, strict=True):
        assert one.summary.n_steps == other.summary.n_steps
        np.testing.assert_allclose(one.last, other.last, atol=1e-6)
    assert {result.success for result in alone} <= {True, False}

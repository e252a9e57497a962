# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
import re

import numpy as np
import pytest

from roboreward_ros.errors import ConfigError
from roboreward_ros.robot.profile import load_profile
from roboreward_ros.robot.task_profile import TaskProfile, find_task, load_task, task_names

PLACE = re.compile(r"x ([\d.]+) y ([+-][\d.]+)")
PAPER = ("mushroom", "monkey", "drawer")


@pytest.mark.parametrize("name", task_names())
def test_every_shipped_task_is_sound(name):
    task = load_task(name)
    assert find_task(name) == find_task(task.task) == task
    assert task.max_steps > 0


@pytest.mark.parametrize("name", PAPER)
def test_the_papers_tasks_have_twenty_scenes_inside_their_box(name):
    task = load_task(name)
    assert len(set(task.scenes)) == 20
    box = load_profile("wx250s").with_workspace(task.workspace).box
    places = [
        np.array([float(x), float(y), 0.1])
        for scene in task.scenes
        for x, y in PLACE.findall(scene)
    ]
    assert len(places) >= 20
    assert all(box.distance(place) == 0.0 for place in places)


@pytest.mark.parametrize("name", ["mushroom", "monkey"])
def test_toy_and_goal_do_not_lie_on_each_other(name):
    for scene in load_task(name).scenes:
        toy, goal = (np.array([float(x), float(y)]) for x, y in PLACE.findall(scene))
        assert np.linalg.norm(toy - goal) > 0.12, scene


@pytest.mark.parametrize(
    "text",
    [
        "task: t\n",
        "task: t\nmax_steps: many\n",
        "task: ''\nmax_steps: 3\n",
        "task: t\nmax_steps: 0\n",
        "task: t\nmax_steps: 3\nspeed: 9\n",
        "task: t\nmax_steps: 3\nscenes: [a, a]\n",
        "task: t\nmax_steps: 3\nscenes: a\n",
        "- task\n",
        "task: [\n",
    ],
)
def test_bad_files_are_refused(tmp_path, text):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError):
        load_task(str(path))


def test_an_own_file_is_taken_and_an_unknown_name_lists_the_known(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("task: fold the cloth\nmax_steps: 70\nworkspace: table\nscenes: [flat]\n")
    assert find_task(str(path)) == TaskProfile("fold the cloth", 70, "table", ("flat",))
    assert find_task("juggle") is None
    with pytest.raises(ConfigError, match="mushroom"):
        load_task("juggle")

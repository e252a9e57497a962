# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
import json

import pytest

from roboreward_ros.episodes.run import open_run, read_run
from roboreward_ros.errors import ConfigError, FormatError, StoreError

CONFIG = {"task": "open the drawer", "robot": "wx250s", "policy": "demo", "profile": "widowx"}


def test_a_new_run_is_created_with_its_folders(run_dir):
    run = open_run(run_dir, CONFIG)
    assert not run.resumed
    assert json.loads((run_dir / "run.json").read_text()) == {"format": 1, "config": CONFIG}
    for name in ("episodes", "ledger", "policies", "checkpoints", "logs"):
        assert (run_dir / name).is_dir()


def test_a_resume_keeps_what_is_not_given_and_takes_what_may_change(run_dir):
    open_run(run_dir, {**CONFIG, "episodes": 10, "seed": 3})
    run = open_run(run_dir, {"episodes": 20})
    assert run.resumed
    assert run.config == {**CONFIG, "episodes": 20, "seed": 3}
    assert read_run(run_dir).config == run.config


def test_a_resume_that_changes_the_problem_is_refused_and_changes_nothing(run_dir):
    open_run(run_dir, CONFIG)
    with pytest.raises(
        ConfigError, match=r"robot and task.*'y'.*'x'.*open the drawer.*new run_dir"
    ):
        open_run(run_dir, {**CONFIG, "task": "x", "robot": "y"})
    assert read_run(run_dir).config == CONFIG


@pytest.mark.parametrize("name", list(CONFIG))
def test_each_fixed_key_is_held(run_dir, name):
    open_run(run_dir, CONFIG)
    with pytest.raises(ConfigError, match=name):
        open_run(run_dir, {name: "other"})


def test_a_newer_run_is_refused(run_dir):
    open_run(run_dir, CONFIG)
    (run_dir / "run.json").write_text('{"format": 2, "config": {}}')
    with pytest.raises(FormatError, match=r"newer.*format 2"):
        open_run(run_dir, CONFIG)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": "1"}', '{"format": 1}'])
def test_a_damaged_run_is_a_clear_error(run_dir, text):
    open_run(run_dir, CONFIG)
    (run_dir / "run.json").write_text(text)
    with pytest.raises(FormatError, match=r"run\.json"):
        open_run(run_dir, CONFIG)


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(StoreError, match=r"thesis\.tex"):
        open_run(tmp_path, CONFIG)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_file_in_place_of_the_folder_is_a_clear_error(tmp_path):
    (tmp_path / "run").write_text("")
    with pytest.raises(StoreError, match="run_dir cannot be read"):
        open_run(tmp_path / "run", CONFIG)


def test_there_is_no_run_to_read(tmp_path):
    with pytest.raises(StoreError, match="no run"):
        read_run(tmp_path)


def test_a_value_that_is_no_json_is_refused_before_anything_is_written(run_dir):
    with pytest.raises(ConfigError, match="JSON"):
        open_run(run_dir, {"seed": float("nan")})
    assert not run_dir.exists()


def test_a_run_whose_run_json_was_deleted_takes_its_arguments_anew(run_dir):
    open_run(run_dir, CONFIG)
    (run_dir / "session.json").write_text("{}")
    (run_dir / "run.json").write_text("{")
    with pytest.raises(FormatError, match="delete it, and launch with all arguments"):
        open_run(run_dir, CONFIG)
    (run_dir / "run.json").unlink()
    open_run(run_dir, CONFIG)
    assert read_run(run_dir).config == CONFIG

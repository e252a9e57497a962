# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""``roboreward reward relabel``: what it says when its input is not what it needs."""

from __future__ import annotations

import json

import pytest

from roboreward_ros.cli.main import main


def relabel(*words):
    return main(["reward", "relabel", *map(str, words)])


def test_a_folder_that_is_not_there_or_has_other_splits_is_said_so(tmp_path, capsys):
    out = ["--out", tmp_path / "out", "--endpoint", "http://127.0.0.1:9/v1"]
    assert relabel(tmp_path / "none", *out) == 2
    assert "no such folder" in capsys.readouterr().err
    (tmp_path / "data" / "val").mkdir(parents=True)
    (tmp_path / "data" / "val" / "metadata.jsonl").write_text("")
    assert relabel(tmp_path / "data", *out) == 2
    error = capsys.readouterr().err
    assert "split 'train'" in error
    assert "--split val" in error


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ([], "what shall be relabelled"),
        (["data"], "who shall be asked"),
        (["data", "--sim", "3"], "what shall be relabelled"),
        (["--sim", "3", "--shard", "2"], "--shard"),
        (["--sim", "3", "--clip-ends", "0.9", "0.1"], "clip_ends"),
    ],
)
def test_a_wrong_command_is_refused_before_anything_is_made(tmp_path, capsys, words, named):
    assert relabel(*words, "--out", tmp_path / "out") == 2
    assert named in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_bad_row_stops_it_by_its_line(tmp_path, capsys):
    (tmp_path / "train").mkdir()
    row = {"file_name": "a/x.mp4", "task": "lift it", "reward": 5}
    (tmp_path / "train" / "metadata.jsonl").write_text(json.dumps(row) + "\n")
    words = ["--out", tmp_path / "out", "--endpoint", "http://127.0.0.1:9/v1", "--model", "m"]
    assert relabel(tmp_path, *words) == 2
    error = capsys.readouterr().err
    assert "missing video" in error
    assert "line 1" in error

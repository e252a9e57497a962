# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Labelled videos: what a reward model would be trained on."""

from __future__ import annotations

import json

import pytest

from roboreward_ros.cli.main import main
from roboreward_ros.episodes.exchange.video import read_frames
from roboreward_ros.episodes.ledger import Ledger
from roboreward_ros.evaluation.benchmark.dataset import read_folder
from roboreward_ros.types import LabelRecord, Provenance, Score, ScoreKind, ScoreScale


def label(run, values, scale=ScoreScale.RUBRIC):
    ledger = Ledger(run, "w")
    for episode_id, value in values.items():
        score = Score(value, scale, ScoreKind.NONE, Provenance("ground_truth"))
        ledger.append(LabelRecord(-1, episode_id, score, 0))
    ledger.close()


def export(run, out):
    words = ["episodes", "export", str(run), str(out), "--format", "videos"]
    return main([*words, "--source", "ground_truth"])


def test_labelled_episodes_become_a_folder_that_the_benchmark_reads(stored_run, tmp_path):
    label(stored_run, {"ep_000000": 5.0, "ep_000002": 2.0})
    assert export(stored_run, tmp_path / "out") == 0
    rows = read_folder(tmp_path / "out", "train").rows
    assert [row.reward for row in rows] == [5, 2]
    assert {row.task for row in rows} == {"put the mushroom on the cloth"}
    frames = list(read_frames(rows[0].path))
    assert len(frames) == 6  # five steps, and what was seen after the last
    assert "split: train" in (tmp_path / "out" / "README.md").read_text()


def test_a_second_export_takes_corrections_and_new_labels(stored_run, tmp_path):
    label(stored_run, {"ep_000000": 5.0})
    export(stored_run, tmp_path / "out")
    video = next((tmp_path / "out").rglob("*.mp4"))
    written = video.stat().st_mtime_ns
    label(stored_run, {"ep_000000": 1.0, "ep_000001": 3.0})
    export(stored_run, tmp_path / "out")
    lines = (tmp_path / "out/train/metadata.jsonl").read_text().splitlines()
    assert [json.loads(line)["reward"] for line in lines] == [1, 3]
    assert video.stat().st_mtime_ns == written


@pytest.mark.parametrize("values", [{}, {"ep_000000": 0.5}])
def test_no_label_on_the_scale_is_an_error(stored_run, tmp_path, capsys, values):
    label(stored_run, values, ScoreScale.UNIT)
    assert export(stored_run, tmp_path / "out") == 2
    assert "no labelled episode" in capsys.readouterr().err

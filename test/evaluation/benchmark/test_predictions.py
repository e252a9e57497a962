# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Files of predictions: what is read, what is refused, what is named."""

from __future__ import annotations

import json

import pytest
from rows import one_hot, row

from roboreward_ros.errors import ConfigError, FormatError
from roboreward_ros.evaluation.benchmark.predictions import parse_row, read_predictions

GOOD = {"id": 1, "subset": "bridge", "task": "lift", "reward": 3, "output": "ANSWER: 3"}


def test_a_row_survives_being_written():
    full = row(
        "k", 4, "ANSWER: 4", probabilities=one_hot(4, 0.8), latency_s=0.25, cost=0.001,
        video_sha256="ab", abstained=True, paraphrase_of="j", probe=True,
    )  # fmt: skip
    again = parse_row(full.to_json(), "here")
    assert again.to_json() == full.to_json()
    assert again.probabilities == pytest.approx(full.probabilities)
    assert (again.abstained, again.probe, again.paraphrase_of) == (True, True, "j")


def test_a_number_as_output_and_no_output_are_taken():
    assert parse_row(json.dumps(GOOD | {"output": 4}), "x").output == "4"
    assert parse_row(json.dumps(GOOD | {"output": None}), "x").output == ""


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("{", "not JSON"),
        ("[1]", "no JSON object"),
        (json.dumps({"id": 1, "output": ""}), "lacks fields"),
        (json.dumps(GOOD | {"reward": 6}), "out of range"),
        (json.dumps(GOOD | {"reward": 2.5}), "no whole number"),
        (json.dumps(GOOD | {"reward": True}), "no whole number"),
        (json.dumps(GOOD | {"output": ["4"]}), "output is no text"),
        (json.dumps(GOOD | {"probabilities": [1, 1, 1, 1, 1]}), "no distribution"),
        (json.dumps(GOOD | {"latency_s": "fast"}), "latency_s is no number"),
    ],
)
def test_a_bad_row_is_refused_by_its_place(line, named):
    with pytest.raises(FormatError, match=named):
        parse_row(line, "file, line 7")


def test_bad_rows_are_left_out_only_when_asked_and_then_named(tmp_path):
    path = tmp_path / "p.jsonl"
    path.write_text("\n".join([json.dumps(GOOD), "nonsense", json.dumps(GOOD), ""]))
    with pytest.raises(FormatError, match="line 2"):
        read_predictions(path)
    loaded = read_predictions(path, keep_going=True)
    assert len(loaded.rows) == 1
    assert "line 2" in loaded.problems[0]
    assert "repeats an id" in loaded.problems[1]


def test_nothing_usable_is_an_error(tmp_path):
    path = tmp_path / "p.jsonl"
    path.write_text("nonsense\n")
    with pytest.raises(FormatError, match="no usable row"):
        read_predictions(path, keep_going=True)
    with pytest.raises(ConfigError, match="no such file"):
        read_predictions(tmp_path / "absent.jsonl")

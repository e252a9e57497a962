# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Counts of killed stacks: old files stay readable, series on other terms are kept apart."""

import json
import sys
from pathlib import Path

import pytest

from roboreward_ros.errors import StackError
from roboreward_ros.testing.kills import WORKER, Kill

ROOT = Path(__file__).parents[2]
BOOK = ROOT / "bench" / "results" / "kills.json"


@pytest.fixture
def soak(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    yield __import__("soak")
    sys.modules.pop("soak", None)


def test_counts_of_before_there_were_speeds_are_those_in_lock_step(soak, tmp_path):
    content = json.loads(BOOK.read_text())
    content.pop("speed", None)
    old = tmp_path / "kills.json"
    old.write_text(json.dumps(content))
    book = soak.read(old, soak.Terms(content["seed"], content["reward"], content["max_steps"]))
    assert len(book.kills) == len(content["kills"]) > 0
    assert f"| any | {len(book.kills)} |" in soak.table(book.kills)
    real_time = soak.Terms(content["seed"], content["reward"], content["max_steps"], "realtime")
    with pytest.raises(StackError, match="other terms"):
        soak.read(old, real_time)


def test_a_series_at_real_time_claims_no_learner_compared_to_the_bit(soak, tmp_path):
    terms = soak.Terms(0, "roboreward", 12, "realtime")
    rows = [Kill(0, WORKER, "RUNNING", 1.0, 0.0, 2.0, 3)]
    path = tmp_path / "kills.json"
    soak.write(soak.Book(terms, [soak.Sitting(0, "abc")], rows), path)
    about = path.with_suffix(".md").read_text()
    assert "at real time" in about
    assert "to the bit" not in about
    assert soak.read(path, terms).kills == rows

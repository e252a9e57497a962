# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roboreward_ros.errors import ConfigError
from roboreward_ros.studies.lrm.keep import LONGEST, parse_keep

NAMES = ("completion", "score", "steps")
FACTS = {"completion": 0.75, "score": 4.0, "steps": 30.0}


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("completion>0.5", True),
        ("completion > 0.75", False),
        ("completion >= .75", True),
        ("0.5 < completion <= 0.75", True),
        ("0.5 < completion < 0.75", False),
        ("score>=5 or steps<40", True),
        ("score>=5 and steps<40", False),
        ("not score == 5", True),
        ("not (score == 4 and steps != 31)", False),
        ("completion > -1", True),
        ("  completion>0.5\n", True),
    ],
)
def test_a_condition_means_what_it_says(text: str, holds: bool):
    assert parse_keep(text, NAMES)(FACTS) is holds


def test_a_condition_names_the_facts_that_it_asks_for():
    assert parse_keep("completion>0.5 and (steps<40 or steps>50)", NAMES).names == {
        "completion",
        "steps",
    }


@pytest.mark.parametrize(
    "text",
    [
        "",
        "completion",
        "completion > ",
        "complete > 0.5",
        "completion > '0.5'",
        "completion > True",
        "completion > 1e999",
        "completion = 0.5",
        "completion + 1 > 0.5",
        "completion in (1, 2)",
        "0.5 < 0.7",
        "completion.real > 0.5",
        "completion[0] > 0.5",
        "(lambda: 1)() > completion",
        "__import__('os').system('true') == completion",
        "[c for c in completion] == 1",
        "completion > 0.5; steps",
        "completion > 0.5 if steps else 1",
        "completion\0 > 1",
        "completion>0" + " and completion>0" * LONGEST,
    ],
)
def test_anything_else_is_refused_in_a_line(text: str):
    with pytest.raises(ConfigError, match="--keep"):
        parse_keep(text, NAMES)


@given(st.text(max_size=60))
def test_no_text_does_anything_but_hold_or_be_refused(text: str):
    try:
        keep = parse_keep(text, NAMES)
    except ConfigError:
        return
    assert keep(FACTS) in (True, False)

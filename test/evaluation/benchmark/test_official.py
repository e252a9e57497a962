# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The official metrics, against numbers worked out by hand."""

from __future__ import annotations

import pytest
from rows import row

from roboreward_ros.evaluation.benchmark import official


@pytest.mark.parametrize(
    ("output", "number"),
    [
        ("ANSWER: 4", 4.0),
        ("answer : 2.5 because", 2.5),
        ("I think. Answer:-3", -3.0),
        ("ANSWER: 2 ... ANSWER: 5", 2.0),
        ("ANSWER: 50", 50.0),
        ("3", 3.0),
        ("  4 out of 5", 4.0),
        ("my answer: 1, not 3", 1.0),
        ("the score is 4", None),
        ("answers: 4", None),
        ("ANSWER: four", None),
        ("", None),
        ("5 then ANSWER: 1", 1.0),
    ],
)
def test_the_parser_takes_the_named_number_then_a_leading_one(output, number):
    assert official.parse_output(output) == number


def test_no_number_costs_four_and_numbers_are_not_clamped():
    assert official.absolute_error(row(1, 5, "no idea")) == 4.0
    assert official.absolute_error(row(1, 2, "ANSWER: 50")) == 48.0


def test_the_overall_error_weighs_subsets_and_not_rows():
    rows = [row(k, 5, "ANSWER: 5") for k in range(9)] + [row(9, 5, "ANSWER: 1", subset="b")]
    assert official.mae_by_subset(rows) == {"a": 0.0, "b": 4.0}
    assert official.macro_mae(rows) == 2.0
    assert official.exact_match(rows) == 0.9
    assert official.unparsed([*rows, row("x", 1, "?")]) == 1


def test_win_rates_match_rows_by_id_and_split_ties():
    models = {
        "good": [row(1, 5, "5"), row(2, 3, "3"), row(3, 1, "1", subset="b")],
        "same": [row(1, 5, "5"), row(2, 3, "1"), row(4, 1, "5", subset="b")],
        "bad": [row(1, 5, "1"), row(2, 3, "1"), row(3, 1, "5", subset="b")],
    }
    rates = official.win_rates(models)
    # against same: a tie and a win of two common rows; against bad: three wins of three
    assert rates["good"] == pytest.approx((0.75 + 1.0) / 2)
    # against good: a tie and a loss; against bad: a win and a tie
    assert rates["same"] == pytest.approx((0.25 + 0.75) / 2)
    by_subset = official.win_rates_by_subset(models)
    assert by_subset["good"]["b"] == 1.0
    assert by_subset["same"]["b"] is None
    assert official.win_rates({"alone": models["good"]}) == {"alone": None}

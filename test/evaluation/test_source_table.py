# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A person reads what each source is worth, and what it left out."""

import math

from synthetic import made_results, made_rows, made_summary

from roboreward_ros.cli.report import with_sources
from roboreward_ros.evaluation.agreement import Coverage, SourceReport, agreement
from roboreward_ros.evaluation.html import render_page
from roboreward_ros.evaluation.source_table import source_rows, source_section
from roboreward_ros.evaluation.summary import read_summary, write_summary

REPORTS = (
    SourceReport(
        "ground_truth",
        False,
        Coverage(10, 8, 2, 0, {1: (2, 4), 5: (0, 6)}, 0.25, 0.5),
        agreement([5, 5, 3, 2], [1, 5, 4, 2]),
        agreement([], []),
    ),
    SourceReport(
        "<model>",
        True,
        Coverage(3, 3, 0, 0, {}, math.nan, math.nan),
        agreement([], []),
        agreement([5, 1], [5, 1]),
    ),
)


def test_a_row_has_every_figure_and_a_dash_where_there_is_none():
    active, shadow = source_rows(REPORTS)
    assert active[:6] == ("ground_truth", "8 of 10", "80 %", "1: 2/4, 5: 0/6", "0.25", "0.50")
    assert active[9].startswith("50 % (")
    assert shadow[0] == "<model> (shadow)"
    assert set(shadow[3:10]) == {"-"}
    assert shadow[10] == "100 % / 1.00 (n = 2)"


def test_the_page_shows_the_table_and_escapes_names(tmp_path):
    rows, results = made_rows(), made_results()
    summary = with_sources(made_summary(rows, results), REPORTS)
    page = render_page(summary, results, [source_section(REPORTS)])
    assert "&lt;model&gt; (shadow)" in page
    assert "<th>kappa</th>" in page
    write_summary(tmp_path, summary)
    found = read_summary(tmp_path)
    assert (found.reward_coverage, found.reward_mae_with_abstained) == (0.8, 0.5)
    assert found.abstain_rate == {"1": 0.5, "5": 0.0}


def test_a_run_without_answers_has_no_coverage():
    summary = made_summary(made_rows(), made_results())
    assert with_sources(summary, ()) == summary
    assert summary.reward_coverage is None

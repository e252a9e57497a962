# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A run's reward sources side by side, for its page and for the terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence

from roboreward_ros.evaluation.agreement import Agreement, SourceReport
from roboreward_ros.evaluation.html import Section

HEAD = (
    "source", "answers", "coverage", "declined at true 1 to 5", "error", "with declined",
    "exact", "within 1", "kappa", "false praise", "exact / kappa with active",
)  # fmt: skip


def source_rows(reports: Sequence[SourceReport]) -> list[tuple[str, ...]]:
    """One row a source, cells as in ``HEAD``; a dash where nothing is known."""
    return [_row(report) for report in reports]


def source_section(reports: Sequence[SourceReport]) -> Section:
    """The table with what its columns mean."""
    return Section(
        "Reward sources",
        "Against the operator's labels, else the simulator's rubric score; errors in levels of "
        "1-5. What a source declines has no label, so its error is shown with and without. False "
        "praise: certain failures (1 or 2) that were scored 5, with the 95 % interval. Kappa is "
        "Cohen's with quadratic weights. A shadow scores beside the active source and labels "
        "nothing.",
        table=(HEAD, *source_rows(reports)),
    )


def _row(report: SourceReport) -> tuple[str, ...]:
    coverage, truth = report.coverage, report.truth
    return (
        report.name + (" (shadow)" if report.shadow else ""),
        f"{coverage.scored} of {coverage.asked}",
        _share(coverage.coverage),
        _declined(report),
        _number(coverage.mae),
        _number(coverage.mae_with_abstained),
        _share(truth.exact),
        _share(truth.within_one),
        _number(truth.kappa),
        _praise(truth),
        "-"
        if not report.active.n
        else f"{_share(report.active.exact)} / "
        f"{_number(report.active.kappa)} (n = {report.active.n})",
    )


def _declined(report: SourceReport) -> str:
    rates = report.coverage.abstain_rate
    if not any(declined for declined, _ in rates.values()):
        return "none" if rates else "-"
    return ", ".join(
        f"{level}: {declined}/{count}" for level, (declined, count) in rates.items() if count
    )


def _praise(truth: Agreement) -> str:
    rate = truth.false_positives
    if not truth.n_failed:
        return "-"
    interval = f"{100 * rate.low:.0f} to {100 * rate.high:.0f}"
    return f"{_share(rate.value)} ({interval}, n = {truth.n_failed})"


def _share(value: float) -> str:
    return "-" if math.isnan(value) else f"{100 * value:.0f} %"


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.2f}"

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The leaderboard as one self-contained page: models side by side, then each one's weaknesses."""

from __future__ import annotations

import base64
import html
import math
from collections.abc import Sequence
from dataclasses import dataclass

from roboreward_ros.evaluation.benchmark.predictions import Prediction
from roboreward_ros.evaluation.benchmark.result import BenchmarkResult, Rate
from roboreward_ros.evaluation.html import STYLE

EXTRA_STYLE = """
table.heat td { text-align: center; }
table.heat td:first-child { text-align: left; }
.worst { margin: 16px 0; }
.worst img { max-width: 100%; border-radius: 6px; display: block; margin-top: 4px; }
tr.published td { color: var(--muted); font-style: italic; }
"""


@dataclass(frozen=True, slots=True)
class Published:
    """A figure from the literature, not measured here.

    Attributes:
        name: of the model.
        macro_mae: as published.
        origin: where it was read.
    """

    name: str
    macro_mae: float
    origin: str


PUBLISHED: tuple[Published, ...] = (
    Published("RoboReward-8B", 0.665, "arXiv 2601.00675 v2, by way of secondary notes"),
    Published("GPT-5 mini", 0.691, "arXiv 2601.00675 v2, by way of secondary notes"),
    Published("GPT-5", 0.811, "arXiv 2601.00675 v2, by way of secondary notes"),
    Published("RoboReward-4B", 0.845, "arXiv 2601.00675 v2, by way of secondary notes"),
    Published("Qwen3-VL-8B", 0.892, "arXiv 2601.00675 v2, by way of secondary notes"),
    Published("Qwen2.5-VL-3B", 1.607, "arXiv 2601.00675 v2, by way of secondary notes"),
)
"""Of the real benchmark only; comparable with nothing that was measured on other videos."""


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A row that a model got badly wrong, with its film (PNG)."""

    model: str
    row: Prediction
    error: float
    film: bytes


def render(
    results: Sequence[BenchmarkResult],
    worst: Sequence[Disagreement] = (),
    *,
    title: str = "Reward models",
    problems: Sequence[str] = (),
    published: bool = False,
) -> str:
    """The whole page.

    Args:
        results: best first.
        worst: films to show, in their order.
        title: heading.
        problems: rows that were left out, a sentence each.
        published: also list the literature's figures, marked as such.
    """
    rows = results[0].n
    lead = (
        f"{rows} rows in {len(results[0].mae_by_subset)} subsets. The error is the mean absolute "
        "error in levels of the 1..5 rubric, averaged over subsets; an answer without a number "
        "costs 4. Intervals redraw videos, not rows."
    )
    body = [f"<h1>{html.escape(title)}</h1>", f'<p class="lead">{lead}</p>']
    body.append(_ranking(results, published))
    body.append(_subsets(results))
    body += [_model(result) for result in results]
    if worst:
        body.append(_worst(worst))
    if problems:
        items = "".join(f"<li>{html.escape(problem)}</li>" for problem in problems)
        body.append(f"<section><h2>Left out</h2><ul>{items}</ul></section>")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{STYLE}{EXTRA_STYLE}</style></head>\n"
        f"<body><main>{''.join(body)}</main></body></html>\n"
    )


def _ranking(results: Sequence[BenchmarkResult], published: bool) -> str:
    head = _row(
        "th", "model", "error", "95 % interval", "exact", "within one", "win rate",
        "false 5s", "AUC", "no number", "s a video",
    )  # fmt: skip
    rows = []
    for place, result in enumerate(results):
        low, high = result.macro_mae_interval
        cells = _row(
            "td",
            html.escape(result.name),
            f"{result.macro_mae:.3f}",
            f"{low:.3f} to {high:.3f}",
            _percent(result.exact_match),
            _percent(result.within_one),
            "-" if result.mean_win_rate is None else f"{result.mean_win_rate:.3f}",
            _rate(result.false_positives),
            _figure(result.success_auc),
            str(result.unparsed),
            _figure(result.latency_p50_s),
        )
        rows.append(f'<tr class="{"main" if place == 0 else ""}">{cells}</tr>')
    if published:
        rows += [
            f'<tr class="published"><td>{html.escape(row.name)}</td><td>{row.macro_mae:.3f}</td>'
            f'<td colspan="8">published, not measured here: {html.escape(row.origin)}</td></tr>'
            for row in sorted(PUBLISHED, key=lambda row: row.macro_mae)
        ]
    return (
        "<section><h2>All models</h2><p>False 5s are failures (label 1 or 2) that were called a "
        "success: the mistake that reinforcement learning exploits.</p>"
        f'<div class="scroll"><table><tr>{head}</tr>{"".join(rows)}</table></div></section>'
    )


def _subsets(results: Sequence[BenchmarkResult]) -> str:
    names = sorted({subset for result in results for subset in result.mae_by_subset})
    head = _row("th", "subset", *(html.escape(result.name) for result in results))
    rows = []
    for name in names:
        cells = [f"<td>{html.escape(name)}</td>"]
        for result in results:
            value = result.mae_by_subset.get(name)
            cells.append("<td>-</td>" if value is None else _heat(value / 2, f"{value:.3f}"))
        rows.append(f"<tr>{''.join(cells)}</tr>")
    return (
        "<section><h2>Error by subset</h2>"
        f'<div class="scroll"><table class="heat"><tr>{head}</tr>{"".join(rows)}</table></div>'
        "</section>"
    )


def _model(result: BenchmarkResult) -> str:
    head = _row("th", "label", "1", "2", "3", "4", "5", "none")
    table = []
    for level, counts in enumerate(result.confusion, 1):
        total = max(1, sum(counts))
        cells = "".join(_heat(count / total, str(count), good=True) for count in counts)
        table.append(f"<tr><td>{level}</td>{cells}</tr>")
    facts = [
        ("Kendall's tau", _figure(result.kendall)),
        ("Spearman's rho", _figure(result.spearman)),
        ("calibration error of the likeliest answer", _figure(result.ece)),
        ("abstained", f"{result.abstained} of {result.n}"),
    ]
    if result.paraphrase_groups:
        share = _percent(result.score_crossing)
        facts.append(("crossed by paraphrase", f"{share} of {result.paraphrase_groups} groups"))
    if result.wrong_instruction is not None:
        facts.append(("4 or 5 under another's sentence", _rate(result.wrong_instruction)))
    if result.contamination is not None:
        rows, clean = result.contamination.rows, result.contamination.clean_macro_mae
        facts.append(("videos trained on", f"{rows} rows; error without them {_figure(clean)}"))
    if math.isfinite(result.cost_per_episode):
        facts.append(("cost a video", f"{result.cost_per_episode:.4f}"))
    listed = "".join(f"<tr><td>{name}</td><td>{value}</td></tr>" for name, value in facts)
    return (
        f"<section><h2>{html.escape(result.name)}</h2><p>Rows are labels, columns answers.</p>"
        f'<div class="scroll"><table class="heat"><tr>{head}</tr>{"".join(table)}</table></div>'
        f'<table class="numbers">{listed}</table></section>'
    )


def _worst(worst: Sequence[Disagreement]) -> str:
    films = "".join(
        f'<div class="worst"><b>{html.escape(item.row.task)}</b><br>'
        f"label {item.row.reward}, {html.escape(item.model)} said "
        f"&ldquo;{html.escape(item.row.output[:120])}&rdquo; ({html.escape(item.row.subset)})"
        f'<img alt="{html.escape(item.row.id)}" '
        f'src="data:image/png;base64,{base64.b64encode(item.film).decode()}"></div>'
        for item in worst
    )
    return f"<section><h2>Worst disagreements</h2>{films}</section>"


def _row(tag: str, *cells: str) -> str:
    return "".join(f"<{tag}>{cell}</{tag}>" for cell in cells)


def _heat(share: float, text: str, *, good: bool = False) -> str:
    colour = "15,118,110" if good else "185,28,28"
    return f'<td style="background:rgba({colour},{0.6 * min(1.0, share):.2f})">{text}</td>'


def _figure(value: float) -> str:
    return f"{value:.3f}" if math.isfinite(value) else "-"


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %" if math.isfinite(value) else "-"


def _rate(rate: Rate) -> str:
    if not rate.n:
        return "-"
    return f"{100 * rate.value:.1f} % of {rate.n} (to {100 * rate.high:.1f})"

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The figures of a run as PNG bytes. Loads matplotlib; knows nothing about files."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from roboreward_ros.evaluation.comparison import succeeded
from roboreward_ros.evaluation.intervals import wilson
from roboreward_ros.evaluation.run_view import EpisodeRow
from roboreward_ros.evaluation.success import Arm, ArmResult
from roboreward_ros.types import FloatArray, IdleAccount

INK, MUTED, GRID = "#1d2733", "#6b7785", "#e4e8ec"
STEERED, BASELINE, ACCENT, WARN = "#0f766e", "#9aa5b1", "#d97706", "#b91c1c"
ARM_COLOURS: Mapping[Arm, str] = {
    Arm.STEERED: STEERED,
    Arm.DETERMINISTIC: "#5bb5ab",
    Arm.CONSTANT: "#c9a86a",
}
CAUSES: Mapping[str, tuple[str, str]] = {
    "motion_s": ("moving", STEERED),
    "reset_s": ("reset", "#5b8db8"),
    "reward_s": ("reward", ACCENT),
    "learner_s": ("learner", "#8b6fb3"),
    "operator_s": ("operator", "#c9a227"),
    "fault_s": ("fault", WARN),
}
WINDOW = 20
DPI = 144


def learning_curve(rows: Sequence[EpisodeRow], baselines: Sequence[ArmResult] = ()) -> bytes:
    """Success of the training episodes over their number, with the mean's 95 % interval.

    Args:
        rows: training episodes; those without a known end are left out.
        baselines: drawn as horizontal lines with their interval.
    """
    figure, axes = _axes((8.4, 3.7))
    x, y = _ends(rows)
    styles = ("--", ":")
    for arm, style in zip(baselines, styles, strict=False):
        rate = arm.rate
        axes.axhspan(rate.low, rate.high, color=BASELINE, alpha=0.13, lw=0)
        axes.axhline(rate.value, color=MUTED, ls=style, lw=1.2, label=f"{arm.label} (held-out)")
    if len(x):
        colours = [STEERED if value else BASELINE for value in y]
        axes.scatter(x, np.where(y > 0, 1.04, -0.04), s=10, c=colours, marker="|", lw=1.1)
        label = f"training, mean of the last {WINDOW}"
        _success_line(axes, x, y, STEERED, label)
    _success_axes(axes)
    return _png(figure)


def compare_curves(runs: Mapping[str, Sequence[EpisodeRow]]) -> bytes:
    """Success of several runs over their episodes, each with its interval."""
    figure, axes = _axes((8.4, 3.7))
    for (name, rows), colour in zip(runs.items(), (BASELINE, STEERED, ACCENT), strict=False):
        x, y = _ends(rows)
        if len(x):
            _success_line(axes, x, y, colour, name)
    _success_axes(axes)
    return _png(figure)


def _ends(rows: Sequence[EpisodeRow]) -> tuple[FloatArray, FloatArray]:
    """Number and success of the episodes with a known end, ``[n]`` each."""
    known = [(row.index + 1, end) for row in rows if (end := succeeded(row)) is not None]
    x, y = np.array(known, np.float64).reshape(-1, 2).T
    return x, y


def _success_line(axes: Axes, x: FloatArray, y: FloatArray, colour: str, label: str) -> None:
    """The mean of the last episodes and its 95 % Wilson interval."""
    settled = slice(min(4, len(y) - 1), None)  # a mean of less than five says nothing
    mean = rolling_mean(y, WINDOW)
    counts = np.minimum(np.arange(1, len(y) + 1), WINDOW)
    bands = [wilson(round(m * n), int(n)) for m, n in zip(mean, counts, strict=True)]
    low, high = (np.array([getattr(band, side) for band in bands]) for side in ("low", "high"))
    axes.fill_between(x[settled], low[settled], high[settled], color=colour, alpha=0.15, lw=0)
    axes.plot(x[settled], mean[settled], color=colour, lw=2.4, label=label)
    axes.set_xlim(0, max(axes.get_xlim()[1], float(x[-1]) + 1))


def _success_axes(axes: Axes) -> None:
    axes.set_ylim(-0.08, 1.08)
    _percent(axes)
    axes.set_xlabel("episode")
    axes.set_ylabel("success")
    _legend(axes)


def success_bars(results: Sequence[ArmResult]) -> bytes:
    """Held-out success of every arm with its 95 % Wilson interval."""
    figure, axes = _axes((8.4, 0.62 + 0.44 * max(1, len(results))))
    for position, result in enumerate(reversed(list(results))):
        rate = result.rate
        axes.barh(position, rate.value, 0.62, color=ARM_COLOURS.get(result.arm, BASELINE))
        axes.plot([rate.low, rate.high], [position, position], color=INK, lw=1.4)
        text = f"{100 * rate.value:.0f} %"
        axes.text(rate.high + 0.015, position, text, va="center", fontsize=10, color=INK)
    axes.set_yticks(range(len(results)), [r.label for r in reversed(list(results))])
    axes.tick_params(axis="y", length=0)
    axes.set_xlim(0, 1.08)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1.0], ["0", "25", "50", "75", "100 %"])
    axes.grid(axis="y", visible=False)
    n = min((result.n for result in results), default=0)
    axes.set_xlabel(f"success on {n} held-out layouts, 95 % intervals")
    return _png(figure)


def reward_curve(rows: Sequence[EpisodeRow]) -> bytes:
    """Every training episode's reward, with what stayed unlabelled and the twin's own score."""
    figure, axes = _axes((8.4, 3.3))
    labelled = [row for row in rows if row.reward is not None]
    x = np.array([row.index + 1 for row in labelled], np.float64)
    y = np.array([row.reward for row in labelled], np.float64)
    truth = [(row.index + 1, row.truth_score) for row in rows if row.truth_score is not None]
    if truth:
        points = np.array(truth, np.float64)
        axes.scatter(points[:, 0], points[:, 1], s=30, facecolors="none", edgecolors=BASELINE)
        axes.scatter([], [], s=30, facecolors="none", edgecolors=BASELINE, label="twin's own score")
    if labelled:
        axes.scatter(x, y, s=9, color=STEERED, alpha=0.75, label="reward")
        label = f"mean of the last {WINDOW}"
        axes.plot(x, rolling_mean(y, WINDOW), color=STEERED, lw=2.2, label=label)
    missing = [row.index + 1 for row in rows if row.reward is None]
    if missing:
        bottom = 0.6
        axes.scatter(missing, [bottom] * len(missing), marker="x", s=22, color=WARN)
        axes.scatter([], [], marker="x", s=22, color=WARN, label="unlabelled")
    axes.set_ylim(0.4, 5.4)
    axes.set_yticks(range(1, 6))
    axes.set_xlabel("episode")
    axes.set_ylabel("score, 1 to 5")
    _legend(axes)
    return _png(figure)


def time_bars(idle: IdleAccount, stages: Mapping[str, float]) -> bytes:
    """Where the wall time went: the session's account, and the stages of the demo."""
    bars: list[tuple[str, list[tuple[str, float, str]]]] = []
    if stages:
        tones = ("#b6c2ce", STEERED, "#94a8ba", "#d3dae1")
        parts = [(n, s, tones[i % len(tones)]) for i, (n, s) in enumerate(stages.items())]
        bars.append(("demo", parts))
    spent = [(label, getattr(idle, name), c) for name, (label, c) in CAUSES.items()]
    bars.append(("training session", spent))
    figure, axes = _axes((8.4, 0.9 + 0.75 * len(bars)))
    longest = max(sum(seconds for _, seconds, _ in parts) for _, parts in bars)
    for position, (_, parts) in enumerate(reversed(bars)):
        left = 0.0
        unnamed = []
        for label, seconds, colour in parts:
            axes.barh(position, seconds, 0.5, left=left, color=colour)
            text = f"{label}\n{seconds:.0f} s"
            if seconds < 0.09 * longest:
                unnamed += [f"{label} {seconds:.0f} s"] if seconds >= 0.5 else []
            else:
                middle = left + seconds / 2
                axes.text(
                    middle,
                    position,
                    text,
                    ha="center",
                    va="center",
                    fontsize=8.5,
                    color=_on(colour),
                )
            left += seconds
        if unnamed:
            text = "  + " + ", ".join(unnamed)
            axes.text(left, position, text, ha="left", va="center", fontsize=8.5, color=MUTED)
    axes.set_xlim(0, max(longest, 1.0) * 1.18)
    axes.set_yticks(range(len(bars)), [name for name, _ in reversed(bars)])
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", visible=False)
    axes.set_xlabel("seconds")
    return _png(figure)


def rolling_mean(values: FloatArray, window: int) -> FloatArray:
    """Mean of the last ``window`` values at each position; fewer at the start. ``[n]``."""
    total = np.cumsum(np.insert(values, 0, 0.0))
    ends = np.arange(1, len(values) + 1)
    starts = np.maximum(0, ends - window)
    mean: FloatArray = (total[ends] - total[starts]) / (ends - starts)
    return mean


def _axes(size: tuple[float, float]) -> tuple[Figure, Axes]:
    figure = Figure(figsize=size, dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_axisbelow(True)
    axes.grid(color=GRID, lw=0.8)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(MUTED)
    axes.tick_params(colors=INK, labelsize=9.5)
    axes.xaxis.label.set_color(MUTED)
    axes.yaxis.label.set_color(MUTED)
    return figure, axes


def _legend(axes: Axes) -> None:
    """Above the plot, where no data can lie under it."""
    if not axes.get_legend_handles_labels()[0]:
        return
    axes.legend(
        frameon=False, loc="lower left", bbox_to_anchor=(0, 1), ncols=4, fontsize=9, borderpad=0.2
    )


def _on(colour: str) -> str:
    """Ink that is readable on ``colour``."""
    red, green, blue = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return "#ffffff" if 0.30 * red + 0.59 * green + 0.11 * blue < 0.55 else INK


def _percent(axes: Axes) -> None:
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1.0], ["0", "25", "50", "75", "100 %"])


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", facecolor="white")
    return buffer.getvalue()

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Plots that the studies over states share."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from roboreward_ros.studies.lowdim.study import TaskResult, mean_interval

if TYPE_CHECKING:
    from matplotlib.figure import Figure

GREY = "#64748b"


def new_figure(width: float, height: float) -> Figure:
    """An off-screen figure, inches."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def png(figure: Figure) -> bytes:
    """The picture's bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", facecolor="white")
    return buffer.getvalue()


def arms_picture(results: Sequence[TaskResult]) -> bytes:
    """Held-out success by arm, a dot a run, the mean with its interval; a panel a task."""
    figure = new_figure(5.2 * len(results) + 1.5, 0.42 * len(results[0].arms) + 1.4)
    panels = figure.subplots(1, len(results), sharey=True, squeeze=False)[0]
    for axes, result in zip(panels, results, strict=True):
        for row, arm in enumerate(result.arms):
            rates = [run.rate for run in result.of(arm)]
            axes.plot(rates, [row] * len(rates), "o", ms=4, alpha=0.4, color="#0f766e")
            if len(rates) > 1:
                mean = mean_interval(rates)
                shown = np.clip([mean.low, mean.high], 0.0, 1.0)
                axes.plot(shown, [row, row], color="#0f766e", lw=2)
            axes.plot(np.mean(rates), row, "D", ms=7, color="#0f766e")
        axes.axvline(result.base_rate, color=GREY, ls="--", lw=1.0)
        axes.set_title(f"{result.task} (dashed: the frozen policy)", fontsize=10)
        axes.set_xlabel("held-out success")
        axes.set_xlim(0, 1.02)
        axes.grid(color="#e5e7eb", lw=0.8, axis="x")
    panels[0].set_yticks(range(len(results[0].arms)), results[0].arms)
    panels[0].invert_yaxis()
    return png(figure)

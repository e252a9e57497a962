# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The night as one strip of time: episodes, faults, success by hour."""

from __future__ import annotations

import io
from datetime import datetime

import numpy as np
from matplotlib import dates
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from roboreward_ros.evaluation.comparison import succeeded
from roboreward_ros.evaluation.figures import BASELINE, DPI, GRID, INK, MUTED, STEERED, WARN
from roboreward_ros.evaluation.morning import HOUR_NS, Morning, hours_of

LANES = {"faults": 0, "episodes": 1}


def night(morning: Morning) -> bytes:
    """PNG of the strip: above success by hour with its interval, below episodes and faults."""
    figure = Figure(figsize=(8.8, 3.6), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(2.0, 1.0))
    for axes in (above, below):
        axes.set_axisbelow(True)
        axes.grid(color=GRID, lw=0.8)
        for side in ("top", "right", "left"):
            axes.spines[side].set_visible(False)
        axes.spines["bottom"].set_color(MUTED)
        axes.tick_params(colors=INK, labelsize=9.5)
    for hour in hours_of(morning):
        if hour.known:
            begin_ns = max(hour.begin_ns, morning.from_ns)
            middle = _day((begin_ns + min(hour.begin_ns + HOUR_NS, morning.to_ns)) // 2)
            rate = hour.rate
            above.plot([middle, middle], [rate.low, rate.high], color=STEERED, lw=1.4)
            above.plot([middle], [rate.value], "o", color=STEERED, ms=6)
            above.annotate(
                f"n = {hour.known}", (middle, rate.high), (0, 4), textcoords="offset points",
                ha="center", fontsize=8.5, color=MUTED,
            )  # fmt: skip
    above.set_ylim(-0.03, 1.18)
    above.set_yticks([0, 0.5, 1.0], ["0", "50", "100 %"])
    above.set_ylabel("success", color=MUTED)
    for done in morning.episodes:
        end = succeeded(done.row)
        colour = STEERED if end else (BASELINE if end is not None else "none")
        left, right = _day(done.from_ns), _day(done.to_ns)
        lane = LANES["episodes"]
        below.barh(lane, right - left, 0.6, left=left, color=colour, edgecolor=MUTED, lw=0.4)
    shortest = (morning.to_ns - morning.from_ns) / 400  # what is shorter would not be seen
    for spell in morning.faults:
        end_ns = morning.to_ns if spell.to_ns is None else spell.to_ns
        width = max(end_ns - spell.from_ns, shortest) / (24 * HOUR_NS)
        below.barh(LANES["faults"], width, 0.6, left=_day(spell.from_ns), color=WARN)
    below.set_yticks(list(LANES.values()), list(LANES))
    below.tick_params(axis="y", length=0)
    below.set_ylim(-0.6, 1.6)
    below.set_xlim(_day(morning.from_ns), _day(morning.to_ns))
    below.xaxis.set_major_formatter(dates.DateFormatter("%H:%M"))
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", facecolor="white")
    return buffer.getvalue()


def _day(stamp_ns: float) -> float:
    """Local time as matplotlib counts it, days."""
    moment = datetime.fromtimestamp(stamp_ns / 1e9)
    return float(np.asarray(dates.date2num(moment)))

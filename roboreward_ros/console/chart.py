# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The reward curve as plain ECharts options."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from roboreward_ros.types import RewardPoint

Option = dict[str, object]
SOURCE_COLOURS = {"human": "#f97316", "ground_truth": "#22c55e"}
OTHERS = ("#3b82f6", "#a855f7", "#14b8a6", "#ec4899", "#eab308", "#64748b")
WINDOW = 10
GREY = "#8b98a5"
MEAN = "mean of 10"


def colour_of(source: str, others: Sequence[str]) -> str:
    """A source keeps its colour as long as the list of the others does not change before it."""
    if source in SOURCE_COLOURS:
        return SOURCE_COLOURS[source]
    return OTHERS[list(others).index(source) % len(OTHERS)]


def running_mean(values: Sequence[tuple[int, float]], window: int = WINDOW) -> list[list[float]]:
    """Mean of the last ``window`` values at each index."""
    means = []
    for k, (index, _) in enumerate(values):
        last = [value for _, value in values[max(0, k + 1 - window) : k + 1]]
        means.append([float(index), sum(last) / len(last)])
    return means


def reward_chart(points: Sequence[RewardPoint]) -> Option:
    """Dots by source (hollow: in the shadow), and the running mean of what counts."""
    by_source: dict[tuple[str, bool], list[RewardPoint]] = defaultdict(list)
    for point in points:
        by_source[point.source, point.shadow].append(point)
    others = sorted({p.source for p in points if p.source not in SOURCE_COLOURS})
    series: list[Option] = []
    for (source, shadow), found in sorted(by_source.items()):
        colour = colour_of(source, others)
        style: Option = {"color": "transparent", "borderColor": colour, "borderWidth": 1.5}
        series.append(
            {
                "name": f"{source} (shadow)" if shadow else source,
                "type": "scatter",
                "symbolSize": 8,
                "color": colour,
                "itemStyle": style if shadow else {"color": colour},
                "data": [[p.index, round(p.value, 3)] for p in found],
            }
        )
    counted = [(p.index, p.value) for p in points if p.counts]
    series.append(
        {
            "name": MEAN,
            "type": "line",
            "showSymbol": False,
            "smooth": False,
            "color": GREY,
            "lineStyle": {"width": 2},
            "data": running_mean(counted),
        }
    )
    axis: Option = {
        "nameTextStyle": {"color": GREY},
        "axisLabel": {"color": GREY},
        "axisLine": {"lineStyle": {"color": GREY}},
        "splitLine": {"lineStyle": {"color": GREY, "opacity": 0.18}},
    }
    return {
        "animation": False,
        "grid": {"left": 34, "right": 12, "top": 30, "bottom": 26},
        "legend": {"top": 0, "textStyle": {"color": GREY}, "type": "scroll"},
        "tooltip": {"trigger": "item"},
        "xAxis": {**axis, "type": "value", "minInterval": 1, "min": 0},
        "yAxis": {**axis, "type": "value", "min": 1, "max": 5, "interval": 1},
        "series": series,
    }

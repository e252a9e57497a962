# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Two runs side by side, and all runs of a folder in a list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from roboreward_ros.evaluation.html import Picture, Section
from roboreward_ros.evaluation.intervals import Interval, newcombe, wilson
from roboreward_ros.evaluation.run_view import EpisodeRow
from roboreward_ros.evaluation.summary import RunSummary

LAST = 50
"""Episodes at the end of a run that say how good it has become."""


@dataclass(frozen=True, slots=True)
class NamedRun:
    """Attributes: name: of its folder; summary: its numbers; rows: its episodes."""

    name: str
    summary: RunSummary
    rows: Sequence[EpisodeRow]


def succeeded(row: EpisodeRow) -> bool | None:
    """By the simulator's truth where there is one, else as the label claims; None without both."""
    if row.success is not None:
        return row.success
    return None if row.reward is None else row.reward >= 5


def late_success(rows: Sequence[EpisodeRow], last: int = LAST) -> tuple[int, int]:
    """Successes and episodes with a known end among the ``last`` ones."""
    ends = [end for end in (succeeded(row) for row in rows[-last:]) if end is not None]
    return sum(ends), len(ends)


def comparison_sections(first: NamedRun, second: NamedRun, curve: bytes) -> list[Section]:
    """What differs, with its interval, the two curves, and the numbers.

    Args:
        first: a run.
        second: the run that is compared with it; differences are second minus first.
        curve: figure of both, PNG.
    """
    (won_a, n_a), (won_b, n_b) = (late_success(run.rows) for run in (first, second))
    gap = newcombe((won_b, n_b), (won_a, n_a))
    text = (
        f"Of the last {LAST} training episodes with a known end, {first.name} succeeds in "
        f"{_rate(won_a, n_a)} and {second.name} in {_rate(won_b, n_b)}: "
        f"{_points(gap)} for {second.name}."
    )
    if first.summary.task != second.summary.task:
        text += " The two runs have different tasks, so this compares nothing but numbers."
    sections = [
        Section("Success while training", text, [Picture("success of both runs", curve, CAPTION)])
    ]
    both = (first.summary, second.summary)
    if all(s.final_success is not None and s.success_n for s in both):
        held = [(round((s.final_success or 0) * s.success_n), s.success_n) for s in both]
        gap = newcombe(held[1], held[0])
        text = (
            f"{first.name} {_rate(*held[0])}, {second.name} {_rate(*held[1])} at their final "
            f"actors: {_points(gap)} for {second.name}."
        )
        sections.append(Section("Held-out success", text))
    head = ("", first.name, second.name)
    cells = zip(_numbers(first), _numbers(second), strict=True)
    rows = [(name, a, b) for (name, a), (_, b) in cells]
    return [*sections, Section("Numbers", "", table=(head, *rows))]


def runs_section(runs: Sequence[tuple[str, RunSummary | None, int]]) -> Section:
    """A table of runs.

    Args:
        runs: name, summary where a report was written, and committed episodes.
    """
    head = ("run", "task", "reward", "episodes", "labelled", "held-out success", "base")
    rows = []
    for name, summary, count in runs:
        if summary is None:
            rows.append((name, "no report yet", "", str(count), "", "", ""))
            continue
        rows.append(
            (
                name,
                summary.task,
                summary.reward_source,
                str(count),
                str(summary.labelled),
                _share(summary.final_success),
                _share(summary.base_success),
            )
        )
    text = f"{len(runs)} runs. A run gets its numbers from: roboreward report RUN."
    return Section("Runs", text, table=(head, *rows))


CAPTION = (
    "Mean of the last 20 episodes with its 95 % Wilson interval, by the simulator's truth, else as "
    "the labels claim."
)


def _numbers(run: NamedRun) -> list[tuple[str, str]]:
    s = run.summary
    total = s.idle.total_s()
    return [
        ("task", s.task),
        ("reward source", s.reward_source),
        ("seed", str(s.seed)),
        ("episodes", str(s.episodes)),
        ("labelled", str(s.labelled)),
        ("abstained", str(s.abstained)),
        ("errors", str(s.errors)),
        ("updates", str(s.grad_steps)),
        ("actor", str(s.policy_version)),
        ("base success", _share(s.base_success)),
        ("final success", _share(s.final_success)),
        ("error of the reward, levels", "-" if s.reward_mae is None else f"{s.reward_mae:.2f}"),
        ("share of time in motion", _share(s.idle.motion_s / total if total > 0 else None)),
        ("wall time", f"{s.wall_s / 60:.1f} min"),
        ("code", s.git),
    ]


def _rate(won: int, n: int) -> str:
    if not n:
        return "none that is known"
    rate = wilson(won, n)
    return f"{100 * rate.value:.0f} % ({won} of {n}, {100 * rate.low:.0f} to {100 * rate.high:.0f})"


def _points(gap: Interval) -> str:
    interval = f"{100 * gap.low:+.0f} to {100 * gap.high:+.0f}"
    return f"{100 * gap.value:+.0f} points, 95 % interval {interval}"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.0f} %"

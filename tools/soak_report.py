# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Figures, plot and verdicts of hours of simulated operation, in bench/results/soak.*."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from roboreward_ros.cli.run_files import git_commit, versions
from roboreward_ros.errors import ConfigError
from roboreward_ros.files import write_atomic
from roboreward_ros.testing.trends import Trend, trend

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from soak_hours import Look

RESULTS = Path(__file__).resolve().parent.parent / "bench" / "results"
LEARNER = "learner_node"
WARM_UP_H = 0.5
MEMORY_MB = 32.0  # a process may gain in the hours asked for and still be called flat
HANDLES = 2.0
THREADS = 2.0
SHM_MB = 1.0
NEIGHBOURS = 12  # looks on each side of a restart
STEP_MS = 5.0
STEP_SHARE = 0.15  # of its own length that a step may gain, the machine's load taken out
BUDGET_SHARE = 1.05  # the recorder looks after each episode, so the one on its way comes on top
LOG_MB = 64.0

Figure = Callable[["Look"], float]


def write_report(
    looks: Sequence[Look], wrong: Sequence[str], restarts: Sequence[str], args: argparse.Namespace
) -> None:
    """Judge what was seen and put it into bench/results."""
    trends = judge(looks, args.hours)
    name = "soak"
    lines = [f"| figure | median | growth in {args.hours:g} h | 95 % interval | allowed | |"]
    lines.append("|---|---|---|---|---|---|")
    for label, it in trends.items():
        lines.append(
            f"| {label} | {it.median:.4g} | {it.growth:+.3g} | {it.low:+.3g} to {it.high:+.3g} | "
            f"{it.allowed:g} | {it.verdict} |"
        )
    last = looks[-1]
    sittings = sorted({x.sitting for x in looks})
    wall_s = sum(max(x.wall_s for x in looks if x.sitting == k) for k in sittings)
    again = sum(max(x.restarts for x in looks if x.sitting == k) for k in sittings)
    about = f"""\
# Hours of operation

`make soak ARGS="--hours {args.hours:g}"`: {last.hours:.2f} simulated hours at 5 Hz
({last.hours * 18000:.0f} steps with rendered 256x256 pictures), {last.episodes} episodes of
{args.max_steps} steps, the whole stack on the twin in lock-step, reward `{args.reward}`, learner
and all. {wall_s / 60:.0f} minutes on a machine that was busy with other work; {last.sitting + 1}
sittings, {len(looks)} looks. Restarts of a node: {again}. Problems: {len(wrong)}. {args.note}

![Figures over simulated hours]({name}.png)

A figure is *flat* where the whole 95 % interval of its growth over {args.hours:g} h lies below what
is allowed; one slope through all sittings, each process at a level of its own, the first
{WARM_UP_H * 60:g} simulated minutes of each left out. The growth is the fitted slope times those
hours.

{chr(10).join(lines)}

{step_words(looks)} {disk_words(looks)}

The same stack, aged and fresh, one after the other:
{aged_and_fresh(looks) or "one sitting so far, no comparison"}.
"""
    for title, texts in (("What was wrong", wrong), ("Restarts", restarts)):
        if texts:
            about += f"\n## {title}\n\n" + "".join(f"- {text}\n" for text in texts)
    content = {
        "git": git_commit(),
        "versions": versions(),
        "reward": args.reward,
        "max_steps": args.max_steps,
        "hours": last.hours,
        "episodes": last.episodes,
        "wall_s": wall_s,
        "wrong": list(wrong),
        "restarts": list(restarts),
        "trends": {k: {**asdict(v), "verdict": v.verdict} for k, v in trends.items()},
        "looks": [asdict(look) for look in looks[:: max(1, len(looks) // 200)]],
    }
    write_atomic(RESULTS / f"{name}.json", json.dumps(content, indent=1) + "\n")
    write_atomic(RESULTS / f"{name}.md", about)
    draw(looks, RESULTS / f"{name}.png")
    print("\n" + about)


def step_words(looks: Sequence[Look]) -> str:
    """What the time from step to step was judged by."""
    if not any(np.isfinite(look.reference_ms) for look in looks):
        return (
            "The time from step to step follows what else the machine does, and no reference was "
            "timed beside it: its growth may be the machine's or the stack's."
        )
    median = np.nanmedian([look.reference_ms for look in looks])
    return (
        "The time from step to step follows what else the machine does: it is judged as a multiple "
        f"of a small fixed piece of work that was timed in the same seconds (median {median:.1f} "
        "ms)."
    )


def disk_words(looks: Sequence[Look]) -> str:
    """Whether the run kept within its disk budget; `episodes/` grows up to it by design."""
    held = [look for look in looks if look.budget_mb]
    top = max(sum(look.disk_mb.values()) for look in looks)
    if not held:
        return f"No disk budget was noted: `episodes/` is not judged; the run took {top:.0f} MB."
    worst = max(sum(look.disk_mb.values()) / look.budget_mb for look in held)
    verdict = "kept" if worst <= BUDGET_SHARE else "NOT kept"
    since = "from the start" if len(held) == len(looks) else f"in {len(held)} of the looks"
    return (
        f"Disk: a budget of {held[-1].budget_mb / 1e3:g} GB {since}, {verdict}: at most "
        f"{100 * worst:.0f} % of it (allowed {100 * BUDGET_SHARE:.0f} %)."
    )


def aged_and_fresh(looks: Sequence[Look]) -> str:
    """Step to step at the end of each sitting and at the begin of the next, in words."""
    found = []
    for sitting in sorted({look.sitting for look in looks})[1:]:
        old = [x.step_ms[0] for x in looks if x.sitting < sitting][-NEIGHBOURS:]
        new = [x.step_ms[0] for x in looks if x.sitting == sitting and x.step_ms[0] > 0]
        hours = max(x.hours for x in looks if x.sitting < sitting)
        found.append(
            f"after {hours:.1f} h {np.nanmedian(old):.0f} ms, then "
            f"{np.median(new[:NEIGHBOURS]):.0f} ms in new processes"
        )
    return "; ".join(found)


def judge(looks: Sequence[Look], hours: float) -> dict[str, Trend]:
    """The trend of every figure that has enough samples."""
    names = sorted({name for look in looks for name in look.processes})
    wanted: dict[str, tuple[Figure, float]] = {}
    for name in names:
        wanted |= {f"{name}: memory, MB": (_part(name, 0), MEMORY_MB)}
    wanted |= {f"{LEARNER}: memory without its data, MB": (_without_data, MEMORY_MB)}
    wanted[f"{LEARNER}: memory, MB"] = (_part(LEARNER, 0), 4 * MEMORY_MB)
    for name in names:
        wanted |= {f"{name}: open files": (_part(name, 1), HANDLES)}
    for name in names:
        wanted |= {f"{name}: threads": (_part(name, 2), THREADS)}
    wanted |= {
        "/dev/shm, MB": (lambda look: look.shm_mb, SHM_MB),
        **_step_figure(looks),
        "logs of the run, MB": (lambda look: look.disk_mb.get("logs", 0.0), LOG_MB),
        "logs of ROS, MB": (lambda look: look.ros_log_mb, LOG_MB),
        "policies, MB": (lambda look: look.disk_mb.get("policies", 0.0), LOG_MB),
    }
    found = {}
    for label, (figure, allowed) in wanted.items():
        values = np.array([figure(look) for look in looks])
        there = np.isfinite(values)
        progress = np.array([look.hours for look in looks])[there]
        segments = [look.sitting for look in looks if np.isfinite(figure(look))]
        try:
            found[label] = trend(
                progress, values[there], segments,
                span=hours, allowed=allowed, warm_up=WARM_UP_H,
            )  # fmt: skip
        except ConfigError:
            continue
    return found


def _step_figure(looks: Sequence[Look]) -> dict[str, tuple[Figure, float]]:
    """As a multiple of the reference work wherever that was timed."""
    ratios = np.array([look.step_ms[0] / look.reference_ms for look in looks])
    if not np.isfinite(ratios).any():
        return {"step to step, median, ms": (lambda look: look.step_ms[0], STEP_MS)}
    allowed = STEP_SHARE * float(np.nanmedian(ratios))
    label = "step to step, multiple of the reference work"
    return {label: (lambda look: look.step_ms[0] / look.reference_ms, allowed)}


def _part(name: str, k: int) -> Figure:
    return lambda look: float(look.processes.get(name, (float("nan"),) * 3)[k])


def _without_data(look: Look) -> float:
    """The replay is what the learner is there to keep: its checkpoint's size says how much it is.

    It lies in memory once, and twice more while it is saved.
    """
    return _part(LEARNER, 0)(look) - 3 * look.disk_mb.get("checkpoints", 0.0)


def draw(looks: Sequence[Look], path: Path) -> None:
    """Six panels over simulated hours."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, 3, figsize=(15, 8), layout="constrained")
    hours = [look.hours for look in looks]
    names = sorted({name for look in looks for name in look.processes})
    for axis, k, title in (
        (axes[0, 0], 0, "own memory of each process, MB"),
        (axes[0, 1], 1, "open files of each process"),
        (axes[0, 2], 2, "threads of each process"),
    ):
        for name in names:
            axis.plot(hours, [_part(name, k)(look) for look in looks], label=name, linewidth=1)
        axis.set_title(title)
    axes[0, 0].legend(fontsize=6)
    _panel(axes[1, 0], hours, "step to step, ms", median=[x.step_ms[0] for x in looks],
           p99=[x.step_ms[1] for x in looks])  # fmt: skip
    axes[1, 0].set_yscale("log")
    folders = sorted({name for look in looks for name in look.disk_mb})
    _panel(axes[1, 1], hours, "disk, MB", **{
        name: [look.disk_mb.get(name, 0.0) for look in looks] for name in folders
    })  # fmt: skip
    _panel(axes[1, 2], hours, "/dev/shm and logs of ROS, MB", shm=[x.shm_mb for x in looks],
           ros_logs=[x.ros_log_mb for x in looks])  # fmt: skip
    for axis in axes.flat:
        axis.set_xlabel("simulated hours")
        axis.set_ylim(bottom=0 if axis.get_yscale() == "linear" else None)
    figure.savefig(path, dpi=90)


def _panel(axis: Axes, hours: Sequence[float], title: str, **lines: Sequence[float]) -> None:
    for name, values in lines.items():
        axis.plot(hours, values, label=name, linewidth=1)
    axis.set_title(title)
    axis.legend(fontsize=7)

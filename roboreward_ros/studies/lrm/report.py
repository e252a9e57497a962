# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Table and plot of the study; what stands in for what, and where it is smaller, is said there."""

from __future__ import annotations

import dataclasses
import io
import json
import math
from pathlib import Path

import numpy as np

from roboreward_ros.evaluation.intervals import Interval, wilson
from roboreward_ros.files import write_atomic
from roboreward_ros.studies.lrm.config import LABELS, Arm
from roboreward_ros.studies.lrm.lanes import TASK
from roboreward_ros.studies.lrm.study import LrmResult, mean_interval

REPORT_FORMAT = 1
COLOURS = {
    Arm.SPARSE: "#64748b",
    Arm.PROGRESS: "#0f766e",
    Arm.COMPLETION: "#5b8db8",
    Arm.CONTRAST: "#b91c1c",
    Arm.MIX: "#8b6fb3",
    Arm.TRUTH: "#111827",
    Arm.NOISE: "#d97706",
}


CAVEAT = (
    "The three signals are the simulator's truth in the units of the learned heads: r_prog rounded "
    "to tenths, r_comp 0 or 1, r_cont the sign of the change since the last query. No learned head "
    "was asked, so the rows compare what the signals can teach when they are right, not how well a "
    "model gives them. Smaller than the paper: one task instead of 25, a network of 0.16 million "
    "weights over states instead of a model of billions over pictures, 64 instead of 320 episodes "
    "side by side."
)


def write_report(result: LrmResult, folder: Path, stem: str, command: str) -> None:
    """Write ``<stem>.json``, ``<stem>.md`` and ``<stem>.png``, each whole or not at all."""
    content = {
        "format": REPORT_FORMAT,
        "command": command,
        "config": dataclasses.asdict(result.config),
        "base": [dataclasses.asdict(run) for run in result.base],
        "runs": [dataclasses.asdict(run) for run in result.runs],
    }
    write_atomic(folder / f"{stem}.json", json.dumps(content, indent=1) + "\n")
    write_atomic(folder / f"{stem}.md", markdown(result, stem, command))
    write_atomic(folder / f"{stem}.png", curves(result))


def markdown(result: LrmResult, stem: str, command: str) -> str:
    """The page for people."""
    config = result.config
    n = sum(run.held_out for run in result.base)
    base = wilson(sum(run.successes for run in result.base), n)
    heads = ("paid with", "held-out success", "minus base, paired by seed", "seeds",
             "last 5 iterations", "KL to base", "processor s a run")  # fmt: skip
    how = (
        f"PPO on every denoising step of a small diffusion policy over states, {config.iterations} "
        f"iterations of {config.episodes} episodes, {config.max_steps} control steps each, dense "
        f"signals asked every {config.hold_steps} and held in between; {config.held_out} held-out "
        "layouts a seed, without exploration, by the simulator's truth. Intervals are 95 %: "
        "Wilson's for the base policy, Student's t over seeds elsewhere."
    )
    lines = [
        f"# Online refinement with dense rewards: {TASK.sentence}",
        "",
        how,
        "",
        f"| {' | '.join(heads)} |",
        "|---" * len(heads) + "|",
        f"| nothing: the base policy | {_percent(base)} | | {len(result.base)} | | | |",
    ]
    for arm in config.arms:
        runs = result.of(arm)
        rate, gain = mean_interval([run.rate for run in runs]), result.gain(arm)
        late = 100 * float(np.mean([np.mean(run.curve[-5:]) for run in runs]))
        kl, cost = np.mean([run.kl for run in runs]), np.mean([run.cpu_s for run in runs])
        lines.append(
            f"| {LABELS[arm]} | {_percent(rate)} | {_points(gain)} | {len(runs)} | {late:.0f} % | "
            f"{kl:.2f} | {cost:.0f} |"
        )
    lines += ["", CAVEAT]
    if len(config.seeds) < 5:
        lines += ["", f"With {len(config.seeds)} seed(s) this shows that it runs, nothing more."]
    lines += ["", f"![success over iterations]({stem}.png)", "", f"    {command}", ""]
    return "\n".join(lines)


def curves(result: LrmResult) -> bytes:
    """Success of each iteration's own episodes, exploring: mean over seeds, running over three."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 4.2), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for arm in result.config.arms:
        mean = np.mean([run.curve for run in result.of(arm)], axis=0)
        width = min(3, len(mean))
        smooth = np.convolve(mean, np.ones(width) / width, mode="valid")
        style = "--" if arm is Arm.NOISE else "-"
        first = width / 2 + 0.5
        axes.plot(first + np.arange(len(smooth)), smooth, style, color=COLOURS[arm], lw=2.0,
                  label=arm.value)  # fmt: skip
    base = float(np.mean([run.rate for run in result.base]))
    axes.axhline(base, color="#94a3b8", ls=":", lw=1.2, label="base policy")
    axes.set_xlabel(f"iteration of {result.config.episodes} episodes")
    axes.set_ylabel("success while exploring")
    axes.set_ylim(0, 1.02)
    axes.grid(color="#e5e7eb", lw=0.8)
    axes.legend(frameon=False, fontsize=9, ncols=2)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", facecolor="white")
    return buffer.getvalue()


def _percent(rate: Interval) -> str:
    return f"{100 * rate.value:.0f} %" + _between(rate, "{:.0f}")


def _points(gain: Interval) -> str:
    return f"{100 * gain.value:+.0f}" + _between(gain, "{:+.0f}")


def _between(value: Interval, form: str) -> str:
    if math.isnan(value.low):
        return ""
    return f" [{form.format(100 * value.low)}, {form.format(100 * value.high)}]"

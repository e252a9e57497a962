# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Tables and the plot of a sample-efficiency study; censored runs are shown as what they are."""

from __future__ import annotations

import dataclasses
import io
import json
import statistics
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from roboreward_ros.evaluation.intervals import paired_bootstrap
from roboreward_ros.files import write_atomic
from roboreward_ros.studies.sample_efficiency import (
    CellResult,
    EfficiencyResult,
    RewardNoise,
)

REPORT_FORMAT = 1
_COLOURS = ("#0f766e", "#d97706", "#8b6fb3", "#5b8db8", "#b91c1c", "#c9a227")


def write_report(result: EfficiencyResult, folder: Path, stem: str, command: str) -> None:
    """Write ``<stem>.json``, ``<stem>.md`` and ``<stem>.png``, each whole or not at all."""
    content = {
        "format": REPORT_FORMAT,
        "command": command,
        "threshold": result.threshold,
        **dataclasses.asdict(result),
    }
    write_atomic(folder / f"{stem}.json", json.dumps(content, indent=1) + "\n")
    write_atomic(folder / f"{stem}.md", markdown(result, stem, command))
    write_atomic(folder / f"{stem}.png", curves(result))


def runs_of(result: EfficiencyResult, profile: str, noise: RewardNoise) -> list[CellResult]:
    """Runs of a profile under a noise, by seed."""
    found = [c for c in result.cells if c.cell.profile == profile and c.cell.noise == noise]
    return sorted(found, key=lambda c: c.cell.seed)


def median_episodes(runs: Sequence[CellResult], threshold: float, budget: int) -> str:
    """Median episodes to the threshold; ``> budget`` where half of the runs did not reach it."""
    reached = [run.episodes_to(threshold) for run in runs]
    middle = statistics.median_high([n if n is not None else budget + 1 for n in reached])
    return f"> {budget}" if middle > budget else f"{middle:g}"


def markdown(result: EfficiencyResult, stem: str, command: str) -> str:
    """The page for people."""
    config = result.config
    baselines = ", ".join(f"{name} {100 * rate:.0f} %" for name, rate in result.baselines.items())
    how = (
        f"{len(config.seeds)} paired seeds, {config.episodes} episodes each, an actor every "
        f"{config.every}, {config.held_out} held-out layouts, the same for every actor, by the "
        "simulator's truth. Warm-up and canary episodes count; the last actor is the final one.\n"
        f"Without learning: {baselines}. Threshold: best of these and 25 points, "
        f"{100 * result.threshold:.0f} %."
    )
    heads = (
        "labels", "learner", "measured MAE", "reached", "episodes (median)",
        "mean success over the budget", "final", "gain in mean success, ours minus it",
    )  # fmt: skip
    lines = [
        f"# Episodes that a learner needs: {config.task}",
        "",
        how,
        "",
        f"| {' | '.join(heads)} |",
        "|---" * len(heads) + "|",
    ]
    for noise in config.noises:
        ours = runs_of(result, config.profiles[0], noise)
        for profile in config.profiles:
            runs = runs_of(result, profile, noise)
            reached = sum(run.episodes_to(result.threshold) is not None for run in runs)
            area = float(np.mean([run.area for run in runs]))
            final = float(np.mean([run.success[-1] for run in runs]))
            mae = float(np.mean([run.label_mae for run in runs]))
            gain = ""
            if profile != config.profiles[0]:
                d = paired_bootstrap([r.area for r in ours], [r.area for r in runs])
                gain = f"{100 * d.value:+.0f}"
                if len(runs) > 1:
                    gain += f" [{100 * d.low:+.0f}, {100 * d.high:+.0f}]"
            lines.append(
                f"| {noise.name} | {profile} | {mae:.2f} | {reached}/{len(runs)} | "
                f"{median_episodes(runs, result.threshold, config.episodes)} | "
                f"{100 * area:.0f} | {100 * final:.0f} | {gain} |"
            )
    if len(config.seeds) < 5:
        lines += ["", f"With {len(config.seeds)} seed(s) this shows that it runs, nothing more."]
    lines += ["", f"![success over episodes]({stem}.png)", "", f"    {command}", ""]
    return "\n".join(lines)


def curves(result: EfficiencyResult) -> bytes:
    """Success over episodes: mean and every run, a panel per kind of label noise."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    config = result.config
    width = 4.6 * len(config.noises) + 1.0
    figure = Figure(figsize=(width, 3.6), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(config.noises), sharey=True, squeeze=False)[0]
    for axes, noise in zip(panels, config.noises, strict=True):
        for profile, colour in zip(config.profiles, _COLOURS * 3, strict=False):
            runs = runs_of(result, profile, noise)
            for run in runs:
                axes.plot(run.points, run.success, color=colour, lw=0.8, alpha=0.35)
            mean = np.mean([run.success for run in runs], axis=0)
            axes.plot(runs[0].points, mean, color=colour, lw=2.4, label=profile)
        axes.axhline(result.threshold, color="#64748b", ls=":", lw=1.2)
        axes.axhline(max(result.baselines.values()), color="#64748b", ls="--", lw=1.0)
        axes.set_title(f"labels: {noise.name}", fontsize=10)
        axes.set_xlabel("episodes, warm-up and canaries included")
        axes.set_ylim(0, 1.02)
        axes.grid(color="#e5e7eb", lw=0.8)
    panels[0].set_ylabel("held-out success")
    panels[0].legend(frameon=False, fontsize=9)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", facecolor="white")
    return buffer.getvalue()

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Tables and the plot of a sample-efficiency study; censored runs are shown as what they are."""

from __future__ import annotations

import dataclasses
import io
import itertools
import json
import math
import statistics
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from roboreward_ros.evaluation.intervals import Interval
from roboreward_ros.files import write_atomic
from roboreward_ros.studies.lowdim.study import mean_interval, points
from roboreward_ros.studies.reward_noise import RewardNoise
from roboreward_ros.studies.sample_efficiency import CellResult, EfficiencyResult

REPORT_FORMAT = 2
REFERENCE = "reference_can"
"""The published settings, untouched."""
_COLOURS = ("#0f766e", "#d97706", "#8b6fb3", "#5b8db8", "#b91c1c", "#c9a227")
_PLANNED = (
    RewardNoise(), RewardNoise(0.3), RewardNoise(0.7), RewardNoise(1.2),
    RewardNoise(false_positives=0.05),
)  # fmt: skip
_METHOD = """\
Episodes to a threshold: those of the first evaluated actor at or above it. `>` is a censored run:
it did not get there within the budget. Censored runs stay in: in the median as longer than any
other, in the ratio as the budget itself. The ratio is the geometric mean, over pairs of one seed,
of the other learner's episodes by ours; `>=` says that only runs of the other were censored, so
that it is a lower bound, `<=` that only ours were, `~` that some of both were. Brackets are
Student's 95 % over seeds.
"""


def write_report(result: EfficiencyResult, folder: Path, stem: str, command: str) -> None:
    """Write ``<stem>.json``, ``<stem>.md`` and ``<stem>.png``, each whole or not at all."""
    content = {
        "format": REPORT_FORMAT,
        "command": command,
        "threshold": result.threshold,
        "easier_threshold": result.easier,
        **dataclasses.asdict(result),
    }
    write_atomic(folder / f"{stem}.json", json.dumps(content, indent=1) + "\n")
    write_atomic(folder / f"{stem}.md", markdown(result, stem, command))
    write_atomic(folder / f"{stem}.png", curves(result))


def runs_of(result: EfficiencyResult, profile: str, noise: RewardNoise) -> list[CellResult]:
    """Finished runs of a profile under a noise, by seed."""
    found = [c for c in result.cells if c.cell.profile == profile and c.cell.noise == noise]
    return sorted(found, key=lambda c: c.cell.seed)


def pairs_of(
    result: EfficiencyResult, profile: str, noise: RewardNoise
) -> list[tuple[CellResult, CellResult]]:
    """Our run and the other profile's, of the seeds that both have finished."""
    ours = {run.cell.seed: run for run in runs_of(result, result.config.profiles[0], noise)}
    others = runs_of(result, profile, noise)
    return [(ours[run.cell.seed], run) for run in others if run.cell.seed in ours]


def median_episodes(runs: Sequence[CellResult], threshold: float, budget: int) -> str:
    """Median episodes to the threshold; ``> budget`` where half of the runs did not reach it."""
    reached = [run.episodes_to(threshold) for run in runs]
    middle = statistics.median_high([n if n is not None else budget + 1 for n in reached])
    return f"> {budget}" if middle > budget else f"{middle:g}"


def ratio(
    pairs: Sequence[tuple[CellResult, CellResult]], threshold: float, budget: int
) -> tuple[str, Interval]:
    """How many times as many episodes the second of each pair needs.

    Args:
        pairs: (ours, the other), by seed.
        threshold: success, 0..1.
        budget: what a censored run counts as.

    Returns:
        What censoring makes of it (``""``, ``>=``, ``<=``, ``~``) and the geometric mean with
        Student's interval over the pairs' logarithms.
    """
    ours = [a.episodes_to(threshold) for a, _ in pairs]
    others = [b.episodes_to(threshold) for _, b in pairs]
    logs = [math.log((b or budget) / (a or budget)) for a, b in zip(ours, others, strict=True)]
    found = mean_interval(logs)
    sign = {
        (False, False): "", (False, True): ">=", (True, False): "<=", (True, True): "~",
    }[None in ours, None in others]  # fmt: skip
    return sign, Interval(math.exp(found.value), math.exp(found.low), math.exp(found.high))


def markdown(result: EfficiencyResult, stem: str, command: str) -> str:
    """The page for people."""
    config = result.config
    baselines = ", ".join(f"{name} {100 * rate:.0f} %" for name, rate in result.baselines.items())
    sizes = (
        f"{config.episodes} episodes a run, an actor every {config.every}, {config.held_out} "
        "held-out layouts, the same for every actor, by the simulator's truth. Warm-up and canary "
        "episodes count; the last actor is the final one."
    )
    bars = (
        f"Without learning: {baselines}. Threshold: best of these and 25 points, "
        f"{100 * result.threshold:.0f} %; easier one: the base policy and 25 points, "
        f"{100 * result.easier:.0f} %."
    )
    lines = [
        f"# Episodes that a learner needs: {config.task}",
        "",
        sizes,
        bars,
        "",
        *_learners(result),
        "",
        _METHOD,
        *_against(result),
        *_missing(result),
    ]
    rows = Counter((run.cell.noise, run.cell.profile) for run in result.cells)
    if min(rows.values()) < 5:
        lines += ["", "A row of fewer than five seeds says little."]
    lines += ["", f"![success over episodes]({stem}.png)", "", f"    {command}", ""]
    return "\n".join(lines)


def _learners(result: EfficiencyResult) -> list[str]:
    """A row for each kind of label and learner."""
    config = result.config
    lines = _head(
        "labels", "learner", "seeds", "measured MAE", "reached", "episodes, by seed", "median",
        "reached the easier", "median", "mean success over the budget", "final",
    )  # fmt: skip
    for noise, profile in itertools.product(config.noises, config.profiles):
        runs = runs_of(result, profile, noise)
        if not runs:
            continue
        cells = [noise.name, profile, " ".join(str(run.cell.seed) for run in runs)]
        cells.append(f"{np.mean([run.label_mae for run in runs]):.2f}")
        for threshold in (result.threshold, result.easier):
            found = [run.episodes_to(threshold) for run in runs]
            cells.append(f"{sum(n is not None for n in found)}/{len(runs)}")
            if threshold == result.threshold:
                cells.append(
                    " ".join(f"> {config.episodes}" if n is None else str(n) for n in found)
                )
            cells.append(median_episodes(runs, threshold, config.episodes))
        cells.append(points(mean_interval([run.area for run in runs])))
        cells.append(points(mean_interval([run.success[-1] for run in runs])))
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _against(result: EfficiencyResult) -> list[str]:
    """A row for each kind of label and learner that ours is compared with."""
    config = result.config
    lines = _head(
        "labels", f"`{config.profiles[0]}` against", "pairs", "times as many episodes",
        "to the easier threshold",
        "gain in mean success over the budget", "in final success",
    )  # fmt: skip
    for noise, profile in itertools.product(config.noises, config.profiles[1:]):
        pairs = pairs_of(result, profile, noise)
        if not pairs:
            continue
        cells = [noise.name, profile, str(len(pairs))]
        for threshold in (result.threshold, result.easier):
            sign, times = ratio(pairs, threshold, config.episodes)
            text = f"{sign} {times.value:.1f}".strip()
            if math.isfinite(times.high):
                text += f" [{times.low:.1f}, {times.high:.1f}]"
            cells.append(text)
        gains = (
            [a.area - b.area for a, b in pairs],
            [a.success[-1] - b.success[-1] for a, b in pairs],
        )
        cells += [points(mean_interval(gain), signed=True) for gain in gains]
        lines.append(f"| {' | '.join(cells)} |")
    return lines if len(lines) > 2 else []


def _missing(result: EfficiencyResult) -> list[str]:
    """What the study is meant to have and this table does not."""
    config = result.config
    lines = []
    noises = [n.name for n in _PLANNED if not any(c.cell.noise == n for c in result.cells)]
    if noises:
        lines.append(f"labels {', '.join(noises)}")
    for noise, profile in itertools.product(config.noises, config.profiles):
        there = {run.cell.seed for run in runs_of(result, profile, noise)}
        seeds = " ".join(str(seed) for seed in config.seeds if seed not in there)
        if seeds and noise.name not in noises:
            lines.append(f"{profile} under {noise.name} labels, seeds {seeds}")
    if not any(run.cell.profile == REFERENCE for run in result.cells):
        lines.append(f"`{REFERENCE}`, whose 2048-wide networks are for a GPU")
    return ["", f"Not in these tables: {'; '.join(lines)}."] if lines else []


def _head(*names: str) -> list[str]:
    return [f"| {' | '.join(names)} |", "|---" * len(names) + "|"]


def curves(result: EfficiencyResult) -> bytes:
    """Success over episodes: mean and every run, a panel per kind of label noise."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    config = result.config
    noises = [n for n in config.noises if any(run.cell.noise == n for run in result.cells)]
    width = 4.6 * len(noises) + 1.0
    figure = Figure(figsize=(width, 3.6), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(noises), sharey=True, squeeze=False)[0]
    for axes, noise in zip(panels, noises, strict=True):
        for profile, colour in zip(config.profiles, _COLOURS * 3, strict=False):
            runs = runs_of(result, profile, noise)
            if not runs:
                continue
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

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A study over states: tasks, seeds and judges in, finished runs and their figures out."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from roboreward_ros.errors import ConfigError
from roboreward_ros.evaluation.intervals import Interval
from roboreward_ros.files import write_atomic
from roboreward_ros.studies.lowdim.bench import Bench
from roboreward_ros.studies.lowdim.judges import Judge
from roboreward_ros.studies.lowdim.runs import (
    OnLine,
    Run,
    RunPlan,
    RunRecord,
    baselines,
    run_together,
)
from roboreward_ros.studies.lowdim.setup import Setup
from roboreward_ros.studies.lowdim.watching import VideoJudge

JudgesOf = Callable[[Setup, int], Mapping[str, Judge]]
"""The judges of a run seed by arm, in the same order for every seed."""


@dataclass(frozen=True, slots=True)
class TaskResult:
    """Finished runs of one task.

    Attributes:
        task: key.
        base: held-out success of noise that does not learn, by name.
        runs: every run.
    """

    task: str
    base: Mapping[str, tuple[bool, ...]]
    runs: tuple[RunRecord, ...]

    @property
    def arms(self) -> tuple[str, ...]:
        """In the study's order."""
        return tuple(dict.fromkeys(run.arm for run in self.runs))

    @property
    def base_rate(self) -> float:
        """Held-out success of w ~ N(0, I)."""
        return float(np.mean(next(iter(self.base.values()))))

    def of(self, arm: str) -> list[RunRecord]:
        """Runs of an arm, by seed."""
        return sorted((run for run in self.runs if run.arm == arm), key=lambda run: run.seed)


def run_task(
    bench: Bench,
    seeds: Sequence[int],
    plan: RunPlan,
    judges_of: JudgesOf,
    folder: Path,
    name: str,
    say: OnLine,
) -> TaskResult:
    """Run or resume a study on one task.

    Args:
        bench: task and place.
        seeds: of the runs.
        plan: what the runs share.
        judges_of: see ``JudgesOf``.
        folder: of all low-dimensional studies; the task's policy is shared between them.
        name: of this study's files.
        say: progress.
    """
    if not seeds:
        raise ConfigError("a study without seeds", got=seeds, allowed="one or more")
    place = folder / bench.key
    setup = bench.prepare(place, say)
    judges = judges_of(setup, seeds[0])
    looks = any(isinstance(judge, VideoJudge) for judge in judges.values())
    lanes = bench.lanes(setup.policy, len(judges), to_the_end=looks)
    try:
        base = baselines(lanes, place, plan.held_out)
        runs: list[RunRecord] = []
        for seed in seeds:
            path = place / f"{name}_seed{seed}.json"
            wanted = [Run(arm, judge, seed) for arm, judge in judges_of(setup, seed).items()]
            runs += run_together(lanes, plan, wanted, path, say)
    finally:
        lanes.close()
    return TaskResult(bench.key, base, tuple(runs))


def mean_interval(values: Sequence[float], level: float = 0.95) -> Interval:
    """Mean over seeds with Student's interval; the whole line for a single value."""
    from scipy import stats

    found = np.asarray(values, dtype=np.float64)
    mean = float(found.mean())
    if len(found) < 2:
        return Interval(mean, -math.inf, math.inf)
    error = float(found.std(ddof=1)) / math.sqrt(len(found))
    half = float(stats.t.ppf(0.5 + level / 2, len(found) - 1)) * error
    return Interval(mean, mean - half, mean + half)


def difference(first: Sequence[RunRecord], second: Sequence[RunRecord]) -> Interval:
    """Mean difference of the final success of paired runs, by seed."""
    return mean_interval([a.rate - b.rate for a, b in zip(first, second, strict=True)])


def points(interval: Interval, *, signed: bool = False) -> str:
    """An interval of shares, or ``signed`` of their differences, as percentage points.

    Student's interval knows nothing of where shares end; what is shown ends there.
    """
    form = "{:+.0f}" if signed else "{:.0f}"
    text = form.format(100 * interval.value)
    if math.isfinite(interval.low):
        low, high = max(interval.low, -1.0 if signed else 0.0), min(interval.high, 1.0)
        text += f" [{form.format(100 * low)}, {form.format(100 * high)}]"
    return text


def held_out_line(result: TaskResult, plan: RunPlan) -> str:
    """Baselines and sizes in a sentence."""
    rates = ", ".join(f"{name} {100 * np.mean(won):.0f} %" for name, won in result.base.items())
    seeds = len({run.seed for run in result.runs})
    return (
        f"{seeds} paired seeds, {plan.episodes} episodes a run, {plan.held_out} held-out layouts a "
        f"run, the same for all. Without learning: {rates}."
    )


def write_study(
    folder: Path, stem: str, command: str, content: object, page: str, picture: bytes
) -> None:
    """Write ``<stem>.json``, ``.md`` and ``.png``, each whole or not at all."""
    body = {"format": 1, "command": command, "content": content}
    write_atomic(folder / f"{stem}.json", json.dumps(body, indent=1) + "\n")
    write_atomic(folder / f"{stem}.png", picture)
    write_atomic(folder / f"{stem}.md", f"{page}\n![plot]({stem}.png)\n\n    {command}\n")


def bits(won: Sequence[bool]) -> str:
    """Outcomes as a string of 0 and 1."""
    return "".join("1" if one else "0" for one in won)


def plain(result: TaskResult) -> dict[str, object]:
    """Everything measured, as JSON: success by episode as a string of 0 and 1."""
    runs = []
    for run in result.runs:
        values = asdict(run)
        values |= {"success": bits(run.success), "final": bits(run.final)}
        values |= {"levels": "".join(map(str, run.levels))}
        values |= {"labels": [x if x is None else round(x, 2) for x in run.labels]}
        values |= {"rate": run.rate}
        if math.isfinite(run.mae):
            values |= {"mae": run.mae}
        if math.isfinite(run.false_positives):
            values |= {"false_positives": run.false_positives}
        runs.append(values)
    return {
        "task": result.task,
        "base": {name: bits(won) for name, won in result.base.items()},
        "runs": runs,
    }

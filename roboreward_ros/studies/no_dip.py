# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Does success fall while learning begins? The first quarter of training against the base policy.

The actor starts as the prior, so there should be no dip. Every training episode of the first
quarter counts, warm-up included, and meets the layout that the base policy meets beside it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from roboreward_ros.evaluation.intervals import Interval
from roboreward_ros.files import write_atomic
from roboreward_ros.sim.seeds import training_seed
from roboreward_ros.sim.tasks import find_task
from roboreward_ros.studies.lowdim.figures import GREY, new_figure, png
from roboreward_ros.studies.lowdim.judges import TruthJudge
from roboreward_ros.studies.lowdim.lanes import Episode, Lanes
from roboreward_ros.studies.lowdim.runs import OnLine, Run, RunPlan, RunRecord, run_together
from roboreward_ros.studies.lowdim.setup import SetupConfig, prepare
from roboreward_ros.studies.lowdim.study import bits, mean_interval, points
from roboreward_ros.studies.rollout import PriorNoise

ALLOWED = -0.05
"""How far under the base the lower bound may be."""
TOGETHER = 10
_BLOCK = 10


@dataclass(frozen=True, slots=True)
class DipResult:
    """The first quarter on one task.

    Attributes:
        task: key.
        profile: the learner, ``config/dsrl``.
        episodes: of every run that count.
        budget: of a whole run.
        runs: each with ``episodes`` episodes.
        base: success of plain noise on the same layouts, by run ``[runs, episodes]``.
    """

    task: str
    profile: str
    episodes: int
    budget: int
    runs: tuple[RunRecord, ...]
    base: tuple[tuple[bool, ...], ...]

    @property
    def n(self) -> int:
        """Episodes in all."""
        return len(self.runs) * self.episodes

    @property
    def gain(self) -> Interval:
        """Learning minus base, paired by run, 95 %."""
        pairs = zip(self.runs, self.base, strict=True)
        return mean_interval([float(np.mean(r.success) - np.mean(b)) for r, b in pairs])


def run_task(
    task: str,
    profile: str,
    seeds: Sequence[int],
    plan: RunPlan,
    budget: int,
    folder: Path,
    say: OnLine,
    setup_config: SetupConfig | None = None,
) -> DipResult:
    """Run or resume.

    Args:
        task: sentence or key.
        profile: name of the learner.
        seeds: of the runs, ten at a time.
        plan: its ``episodes`` are the first quarter of ``budget``.
        budget: episodes of a whole run.
        folder: of all low-dimensional studies.
        say: progress.
        setup_config: how the policy is made.
    """
    spec = find_task(task)
    place = folder / spec.key
    setup = prepare(spec, place, setup_config, say)
    lanes = Lanes(setup.policy, min(TOGETHER, len(seeds)))
    runs: list[RunRecord] = []
    base: list[tuple[bool, ...]] = []
    try:
        for start in range(0, len(seeds), TOGETHER):
            some = seeds[start : start + TOGETHER]
            which = f"seeds{some[0]}-{some[-1]}"
            wanted = [Run("ground truth", TruthJudge(), seed) for seed in some]
            path = place / f"no_dip_{profile}_{which}.json"
            runs += run_together(lanes, plan, wanted, path, say)
            base += _base(lanes, plan.episodes, some, place / f"no_dip_base_{which}.json")
    finally:
        lanes.close()
    return DipResult(spec.key, profile, plan.episodes, budget, tuple(runs), tuple(base))


def _base(lanes: Lanes, episodes: int, seeds: Sequence[int], path: Path) -> list[tuple[bool, ...]]:
    policy_id = lanes.policy.spec.policy_id
    if path.is_file():
        known = json.loads(path.read_text())
        rows = [tuple(row) for row in known["success"]]
        if known["policy_id"] == policy_id and all(len(row) == episodes for row in rows):
            return rows
    every = [training_seed(seed, k) for seed in seeds for k in range(episodes)]
    results = lanes.run([Episode(seed, PriorNoise(), k) for k, seed in enumerate(every)])
    won = [bool(result.success) for result in results]
    rows = [tuple(won[k : k + episodes]) for k in range(0, len(won), episodes)]
    write_atomic(path, json.dumps({"policy_id": policy_id, "success": rows}) + "\n")
    return rows


def plain(result: DipResult) -> dict[str, object]:
    """Everything measured, as JSON."""
    gain = result.gain
    return {
        "task": result.task,
        "profile": result.profile,
        "n": result.n,
        "seeds": [run.seed for run in result.runs],
        "learning": [bits(run.success) for run in result.runs],
        "base": [bits(won) for won in result.base],
        "difference": [gain.value, gain.low, gain.high],
    }


def markdown(results: Sequence[DipResult]) -> str:
    """The page for people."""
    heads = (
        "task", "learner", "runs", "episodes", "base, %", "while learning, %", "difference",
        f"lower bound above {100 * ALLOWED:.0f}",
    )  # fmt: skip
    lines = [
        "# No early dip",
        "",
        "Training episodes of the first quarter of a run (ground-truth rewards), warm-up included,",
        "against plain noise on the same layouts and noise draws.",
        "",
        f"| {' | '.join(heads)} |",
        "|---" * len(heads) + "|",
    ]
    for r in results:
        gain = r.gain
        lines.append(
            f"| {r.task} | `{r.profile}` | {len(r.runs)} | "
            f"first {r.episodes} of {r.budget}, n = {r.n} | "
            f"{100 * np.mean(r.base):.0f} | {100 * np.mean([x.success for x in r.runs]):.0f} | "
            f"{points(gain, signed=True)} | {'yes' if gain.low >= ALLOWED else 'no'} |"
        )
    lines += ["", "Brackets: 95 % over runs (Student).", ""]
    return "\n".join(lines)


def picture(results: Sequence[DipResult]) -> bytes:
    """Success by ten episodes, learning and base; a row for each learner."""
    tasks = list(dict.fromkeys(r.task for r in results))
    profiles = list(dict.fromkeys(r.profile for r in results))
    figure = new_figure(4.6 * len(tasks) + 0.8, 2.9 * len(profiles) + 0.3)
    panels = figure.subplots(len(profiles), len(tasks), sharex=True, sharey=True, squeeze=False)
    for r in results:
        axes = panels[profiles.index(r.profile)][tasks.index(r.task)]
        x = np.arange(_BLOCK, r.episodes + 1, _BLOCK)
        for rows, colour, name in (
            ([run.success for run in r.runs], "#0f766e", "learning"),
            (list(r.base), GREY, "base policy, same layouts"),
        ):
            blocks = np.asarray(rows, float)[:, : len(x) * _BLOCK].reshape(len(rows), -1, _BLOCK)
            axes.plot(x, blocks.mean(axis=(0, 2)), "o-", color=colour, label=name)
        axes.set_title(f"{r.task}, {r.profile}, {len(r.runs)} runs", fontsize=10)
        axes.set_ylim(0, 1.02)
        axes.grid(color="#e5e7eb", lw=0.8)
    for axes in panels[-1]:
        axes.set_xlabel("episodes")
    for axes in panels[:, 0]:
        axes.set_ylabel("success of ten episodes")
    panels[0][0].legend(frameon=False, fontsize=9)
    return png(figure)

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Sample efficiency without pictures: the study of ``sample_efficiency`` on policies over states.

The learners are the profiles as they are. Those that a fleet can update run all kinds of label
noise of a seed together; the others one by one, a file each.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from roboreward_ros.sim.tasks import find_task
from roboreward_ros.studies.lowdim.fleet import fits_fleet
from roboreward_ros.studies.lowdim.judges import NoisyJudge
from roboreward_ros.studies.lowdim.lanes import Lanes
from roboreward_ros.studies.lowdim.runs import (
    OnLine,
    Run,
    RunPlan,
    RunRecord,
    baselines,
    run_together,
)
from roboreward_ros.studies.lowdim.setup import SetupConfig, prepare
from roboreward_ros.studies.sample_efficiency import (
    Cell,
    CellResult,
    EfficiencyConfig,
    EfficiencyResult,
    RewardNoise,
    fair_profile,
)


def run_states(
    config: EfficiencyConfig,
    folder: Path,
    say: OnLine,
    setup_config: SetupConfig | None = None,
) -> EfficiencyResult:
    """Run or resume.

    Args:
        config: of the study; its policy is not used, the one over states is.
        folder: of all studies over states.
        say: progress.
        setup_config: how the policy is made.
    """
    spec = find_task(config.task)
    place = folder / spec.key
    setup = prepare(spec, place, setup_config, say)
    lanes = Lanes(setup.policy, max(len(config.noises), 5))
    try:
        found = baselines(lanes, place, config.held_out)
        base = {name: float(np.mean(won)) for name, won in found.items()}
        cells: dict[Cell, CellResult] = {}
        for seed in config.seeds:
            for profile in config.profiles:
                for result in _profile(config, lanes, place, profile, seed, say):
                    curve = [(0, base["w ~ N(0, I)"]), *result.points]
                    curve.append((config.episodes, result.rate))
                    points, success = zip(*curve, strict=True)
                    noise = next(n for n in config.noises if n.name == result.arm)
                    cell = Cell(profile, noise, seed)
                    cells[cell] = CellResult(cell, points, success, result.mae, result.grad_steps)
    finally:
        lanes.close()
    order = [
        Cell(profile, noise, seed)
        for seed in config.seeds
        for noise in config.noises
        for profile in config.profiles
    ]
    return EfficiencyResult(config, base, tuple(cells[cell] for cell in order))


def _profile(
    config: EfficiencyConfig, lanes: Lanes, place: Path, profile: str, seed: int, say: OnLine
) -> list[RunRecord]:
    learner = fair_profile(profile)
    plan = RunPlan(
        config=learner,
        episodes=config.episodes,
        held_out=config.held_out,
        canary_every=config.canary_every,
        points=config.points[:-1],
        point_layouts=config.held_out,
    )

    def together(noises: Sequence[RewardNoise], stem: str) -> list[RunRecord]:
        runs = [Run(noise.name, NoisyJudge(noise), seed) for noise in noises]
        return run_together(lanes, plan, runs, place / f"{stem}.json", say)

    stem = f"efficiency_{profile}_seed{seed}"
    if fits_fleet(learner):
        return together(config.noises, stem)
    return [run for noise in config.noises for run in together([noise], f"{stem}_{noise.name}")]

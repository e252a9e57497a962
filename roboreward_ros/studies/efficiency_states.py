# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Sample efficiency without pictures: the study of ``sample_efficiency`` on policies over states.

The learners are the profiles as they are, and every run is a file of its own: seeds and kinds of
label noise can be added later. Only held-out layouts are run side by side.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from roboreward_ros.errors import ConfigError
from roboreward_ros.sim.tasks import find_task
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
    fair_profile,
)

SIDE_BY_SIDE = 25
"""Held-out layouts at a time: one decode and one inverse kinematics for all of them."""


def run_states(
    config: EfficiencyConfig,
    folder: Path,
    say: OnLine,
    setup_config: SetupConfig | None = None,
    *,
    finished: bool = False,
) -> EfficiencyResult:
    """Run or resume, one kind of label noise after the other.

    Args:
        config: of the study; its policy is not used, the one over states is.
        folder: of all studies over states.
        say: progress.
        setup_config: how the policy is made.
        finished: run nothing more, and leave out the cells that are not finished.

    Raises:
        ConfigError: nothing is finished.
    """
    spec = find_task(config.task)
    place = folder / spec.key
    setup = prepare(spec, place, setup_config, say)
    lanes = Lanes(setup.policy, SIDE_BY_SIDE)
    try:
        found = baselines(lanes, place, config.held_out)
        base = {name: float(np.mean(won)) for name, won in found.items()}
        cells = [
            _result(config, cell, _record(config, lanes, place, cell, say), base["w ~ N(0, I)"])
            for cell in config.cells
            if not finished or _file(place, cell).is_file()
        ]
    finally:
        lanes.close()
    if not cells:
        raise ConfigError("no run of this study is finished", got=str(place))
    return EfficiencyResult(config, base, tuple(cells))


def _file(place: Path, cell: Cell) -> Path:
    return place / f"efficiency_{cell.name}.json"


def _record(
    config: EfficiencyConfig, lanes: Lanes, place: Path, cell: Cell, say: OnLine
) -> RunRecord:
    plan = RunPlan(
        config=fair_profile(cell.profile),
        episodes=config.episodes,
        held_out=config.held_out,
        canary_every=config.canary_every,
        points=config.points[:-1],
        point_layouts=config.held_out,
    )
    run = Run(cell.noise.name, NoisyJudge(cell.noise), cell.seed)
    (record,) = run_together(lanes, plan, [run], _file(place, cell), say)
    return record


def _result(config: EfficiencyConfig, cell: Cell, record: RunRecord, base: float) -> CellResult:
    curve = [(0, base), *record.points, (config.episodes, record.rate)]
    points, success = zip(*curve, strict=True)
    return CellResult(cell, points, success, record.mae, record.grad_steps)

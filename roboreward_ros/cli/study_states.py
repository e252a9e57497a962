# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""``roboreward study accuracy | reward-types | sources | no-dip``: studies over states."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from roboreward_ros.cli.progress import make_display

if TYPE_CHECKING:
    from roboreward_ros.studies.lowdim.bench import Bench
    from roboreward_ros.studies.lowdim.runs import RunPlan

RUNS = Path("runs/states")
TASKS = ("drawer", "mushroom")
QUARTER = 4


@dataclass(frozen=True, slots=True)
class _Sizes:
    """Defaults of a study: tasks, seeds, episodes of a run, held-out layouts."""

    tasks: tuple[str, ...]
    seeds: int
    episodes: int
    held_out: int


def add_parsers(studies: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the studies; all of them share policies and demonstrations in RUNS."""
    for name, sizes, run, text in (
        ("accuracy", _Sizes(("drawer",), 5, 200, 100), run_accuracy,
         "success after learning against the error of the judge"),
        ("reward-types", _Sizes(("drawer",), 5, 120, 100), run_types,
         "success, five levels or progress as the reward, learned and true"),
        ("sources", _Sizes(TASKS, 5, 120, 100), run_sources,
         "no learning, bad judges, a good one, a person, the truth"),
        ("no-dip", _Sizes(TASKS, 10, 200, 0), run_no_dip,
         "the first quarter of training against the base policy"),
    ):  # fmt: skip
        parser = studies.add_parser(name, help=text)
        suite = run in (run_accuracy, run_types)
        where = ", or robomimic_lift, _can, _square with --robomimic" if suite else ""
        parser.add_argument(
            "--tasks", nargs="+", default=list(sizes.tasks), help=f"of the twin{where}"
        )
        if suite:
            parser.add_argument(
                "--robomimic",
                type=Path,
                metavar="DIR",
                help="robomimic's low-dimensional data (needs robosuite)",
            )
        parser.add_argument(
            "--seeds", type=int, nargs="+", default=list(range(sizes.seeds)), help="of the runs"
        )
        parser.add_argument("--episodes", type=int, default=sizes.episodes, help="of a whole run")
        if sizes.held_out:
            parser.add_argument(
                "--held-out", type=int, default=sizes.held_out, help="layouts to judge by"
            )
        parser.add_argument(
            "--runs", type=Path, default=RUNS, help="folder of the runs; what is there is kept"
        )
        parser.add_argument(
            "--out", type=Path, default=Path("bench/results"), help="folder of the tables"
        )
        if run is run_no_dip:
            parser.add_argument(
                "--profiles",
                nargs="+",
                default=["widowx", "noise_aliased"],
                help="learners, config/dsrl (widowx noise_aliased)",
            )
        parser.set_defaults(run=run)


def run_accuracy(args: argparse.Namespace) -> int:
    """Checkpoints of a judge as the reward."""
    from roboreward_ros.studies import reward_accuracy
    from roboreward_ros.studies.lowdim.study import plain, run_task

    plan = _plan(args)
    for bench in _benches(args):
        with closing(make_display()) as display:
            result = run_task(
                bench, args.seeds, plan, reward_accuracy.judges_of, args.runs, "accuracy",
                display.say,
            )  # fmt: skip
        page = reward_accuracy.markdown(result, plan)
        picture = reward_accuracy.picture(result)
        _write(
            args, f"study_accuracy_{bench.key}", "accuracy", [bench.key], [plain(result)], page,
            picture,
        )  # fmt: skip
    return 0


def run_types(args: argparse.Namespace) -> int:
    """Types of reward."""
    from roboreward_ros.studies import reward_type
    from roboreward_ros.studies.lowdim.figures import arms_picture
    from roboreward_ros.studies.lowdim.study import plain, run_task

    plan = _plan(args)
    for bench in _benches(args):
        with closing(make_display()) as display:
            result = run_task(
                bench, args.seeds, plan, reward_type.judges_of, args.runs, "types", display.say
            )
        page, picture = reward_type.markdown(result, plan), arms_picture([result])
        stem = f"study_reward_types_{bench.key}"
        _write(args, stem, "reward-types", [bench.key], [plain(result)], page, picture)
    return 0


def run_sources(args: argparse.Namespace) -> int:
    """Sources of reward."""
    from roboreward_ros.sim.tasks import find_task
    from roboreward_ros.studies import reward_sources
    from roboreward_ros.studies.lowdim.bench import TwinBench
    from roboreward_ros.studies.lowdim.figures import arms_picture
    from roboreward_ros.studies.lowdim.study import plain, run_task

    plan, judges_of = _plan(args), reward_sources.judges_of
    for bench in [TwinBench(find_task(task)) for task in _tasks(args.tasks)]:
        with closing(make_display()) as display:
            result = run_task(bench, args.seeds, plan, judges_of, args.runs, "sources", display.say)
        page, picture = reward_sources.markdown(result, plan), arms_picture([result])
        stem = f"study_sources_{bench.key}"
        _write(args, stem, "sources", [bench.key], [plain(result)], page, picture)
    return 0


def run_no_dip(args: argparse.Namespace) -> int:
    """The first quarter; 1 when a lower bound is further under the base than it may be."""
    from roboreward_ros.dsrl.config import load_profile
    from roboreward_ros.errors import ConfigError
    from roboreward_ros.studies import no_dip
    from roboreward_ros.studies.lowdim.runs import RunPlan

    if args.episodes < QUARTER:
        raise ConfigError("a run without a first quarter", got=args.episodes, allowed=">= 4")
    quarter, tasks = args.episodes // QUARTER, _tasks(args.tasks)
    plans = {name: RunPlan(load_profile(name), quarter, 0) for name in args.profiles}
    with closing(make_display()) as display:
        results = [
            no_dip.run_task(task, name, args.seeds, plan, args.episodes, args.runs, display.say)
            for task in tasks
            for name, plan in plans.items()
        ]
    page, picture = no_dip.markdown(results), no_dip.picture(results)
    content = [no_dip.plain(result) for result in results]
    _write(args, "study_no_dip", "no-dip", tasks, content, page, picture)
    return int(any(result.gain.low < no_dip.ALLOWED for result in results))


def _plan(args: argparse.Namespace) -> RunPlan:
    from roboreward_ros.studies.lowdim.runs import RunPlan
    from roboreward_ros.studies.lowdim.setup import study_learner

    return RunPlan(study_learner(), args.episodes, args.held_out)


def _tasks(names: Sequence[str]) -> list[str]:
    """Keys of the twin's tasks, checked before anything is run."""
    from roboreward_ros.studies.lowdim.view import find_view_task

    return [find_view_task(name).key for name in names]


def _benches(args: argparse.Namespace) -> list[Bench]:
    """The tasks, here or in robosuite, checked before anything is run."""
    from roboreward_ros.errors import ConfigError
    from roboreward_ros.sim.tasks import find_task
    from roboreward_ros.studies.lowdim.bench import TwinBench
    from roboreward_ros.studies.robomimic.bench import SuiteBench
    from roboreward_ros.studies.robomimic.tasks import PREFIX, find_suite_task

    benches: list[Bench] = []
    for name in args.tasks:
        if not name.startswith(PREFIX):
            (key,) = _tasks([name])
            benches.append(TwinBench(find_task(key)))
        elif args.robomimic is None:
            raise ConfigError(
                "robomimic's data is needed", got=name, next_step="Add --robomimic DIR."
            )
        else:
            benches.append(SuiteBench(find_suite_task(name), args.robomimic))
    return benches


def _write(
    args: argparse.Namespace,
    stem: str,
    study: str,
    tasks: Sequence[str],
    content: object,
    page: str,
    picture: bytes,
) -> None:
    from roboreward_ros.studies.lowdim.study import write_study

    command = (
        f"roboreward study {study} --tasks {' '.join(tasks)} "
        f"--seeds {' '.join(map(str, args.seeds))} --episodes {args.episodes}"
    )
    if getattr(args, "robomimic", None):
        command += " --robomimic DIR"
    if "profiles" in args:
        command += f" --profiles {' '.join(args.profiles)}"
    if "held_out" in args:
        command += f" --held-out {args.held_out}"
    write_study(args.out, stem, command, content, page, picture)
    print(page)
    print(f"tables: {args.out / stem}.md, .json, .png")

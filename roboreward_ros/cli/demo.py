# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""``roboreward demo``: fine-tune on the twin over ROS, evaluate on held-out layouts, report.

Stages: baselines in process, the stack at ``speed:=max`` for N episodes, the other arms at the
fixed final actor. Each keeps what it did in the run's folder; stopped halfway, it goes on there.
"""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from roboreward_ros.cli import run_config
from roboreward_ros.cli.demo_stages import StageClock, StoppedError, final_actor, run_jobs, train
from roboreward_ros.cli.policy_checks import described_policy, policy_folder
from roboreward_ros.cli.preflight import preflight
from roboreward_ros.cli.progress import Display, make_display
from roboreward_ros.cli.report import PAGE_FILE, headline, write_report
from roboreward_ros.cli.run_files import write_arms
from roboreward_ros.dsrl.config import load_profile as load_learner
from roboreward_ros.errors import ConfigError, StackError
from roboreward_ros.evaluation.summary import RunSummary
from roboreward_ros.sim.tasks import find_task
from roboreward_ros.stack import ENVIRONMENT, Stack
from roboreward_ros.studies.baselines import Evaluator, Setting
from roboreward_ros.studies.demo_arms import DemoArms
from roboreward_ros.studies.demo_comparison import comparison_lines, kept_rows

EPISODES = 120
HELD_OUT = 100
QUICK_EPISODES = 12
QUICK_HELD_OUT = 8
INTERRUPTED_EXIT_CODE = 130


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """One demo.

    Attributes:
        run_dir: where it lives; an existing one is resumed.
        seed: of the run.
        episodes: committed training episodes.
        held_out: layouts of the evaluation.
        task: sentence or key; "" for the twin's demo task.
        reward: source; "" for the launch description's default.
        reward_options: JSON over the source's file; "" for the launch description's default.
        trials_dir: where finished trials are kept; None for the run's own folder. Runs that share
            one do the arms that do not depend on their training once.
        workers: processes of the evaluation.
    """

    run_dir: Path
    seed: int = 0
    episodes: int = EPISODES
    held_out: int = HELD_OUT
    task: str = ""
    reward: str = ""
    reward_options: str = ""
    trials_dir: Path | None = None
    workers: int = 2

    def __post_init__(self) -> None:
        if self.episodes < 1 or self.held_out < 1:
            raise ConfigError(
                "a demo needs episodes and held-out layouts",
                got=f"{self.episodes} and {self.held_out}",
                allowed="1 or more",
            )


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "demo", help="fine-tune on the twin, evaluate, write a report (5 minutes on two cores)"
    )
    parser.add_argument("--quick", action="store_true", help="a short run: does everything work?")
    parser.add_argument("--seed", type=int, help="of the run (default 0, or the resumed run's)")
    parser.add_argument("--episodes", type=int, help=f"training episodes (default {EPISODES})")
    parser.add_argument("--held-out", type=int, help=f"layouts to judge by (default {HELD_OUT})")
    parser.add_argument("--task", default="", help="sentence or key of a twin's task")
    parser.add_argument("--reward", default="", help="reward source")
    parser.add_argument("--reward-options", default="", metavar="JSON", help="over its file")
    parser.add_argument("--run-dir", type=Path, help="default runs/demo, quick: runs/demo_quick")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the demo; prints where summary and page are."""
    quick = bool(args.quick)
    run_dir = args.run_dir or Path("runs/demo_quick" if quick else "runs/demo")
    options = DemoOptions(
        run_dir=run_dir,
        seed=run_seed(run_dir, args.seed),
        episodes=first_given(args.episodes, QUICK_EPISODES if quick else EPISODES),
        held_out=first_given(args.held_out, QUICK_HELD_OUT if quick else HELD_OUT),
        task=args.task,
        reward=args.reward,
        reward_options=args.reward_options,
    )
    display = make_display()
    try:
        summary = run_demo(options, display)
    except StoppedError as error:
        display.close()
        print(f"roboreward demo: {error}", file=sys.stderr)
        return INTERRUPTED_EXIT_CODE
    finally:
        display.close()
    for line in headline(summary):
        print(line)
    for line in comparison_lines(kept_rows(summary.task)):
        print(line)
    print(f"summary: {options.run_dir / 'summary.json'}")
    print(f"report:  {options.run_dir / PAGE_FILE}")
    return 0


def first_given(wish: int | None, default: int) -> int:
    """``wish`` unless it was not given."""
    return default if wish is None else wish


def run_seed(run_dir: Path, wish: int | None) -> int:
    """The seed of a new or resumed run.

    Raises:
        ConfigError: a resumed run has another seed than the one that is wished.
    """
    stored = run_config.load(run_dir).get("seed")
    if stored is None or wish in (None, int(stored)):
        return int(stored or 0) if wish is None else wish
    raise ConfigError(
        f"the run in {run_dir} has another seed",
        got=wish,
        allowed=stored,
        next_step="Give another --run-dir for another seed.",
    )


def run_demo(options: DemoOptions, display: Display) -> RunSummary:
    """The whole demo; returns what it wrote to ``summary.json``.

    Raises:
        StackError: something is missing, or a node could not be kept running.
        StoppedError: stopped by a signal.
    """
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)  # the workers' too: one thread a process
    given = {
        "sim": "true",
        "speed": "max",
        "episodes": str(options.episodes),
        "seed": str(options.seed),
        "run_dir": str(options.run_dir),
        "console": "false",
    }
    chosen = {
        "task": options.task,
        "reward": options.reward,
        "reward_options": options.reward_options,
    }
    given |= {name: value for name, value in chosen.items() if value}
    stack = preflight(given, probe_domain=False)
    for note in stack.notes:
        display.say(note)
    require_learning(stack, options.episodes)
    arms = arms_of(stack, options)
    stages = StageClock(options.run_dir)
    with stages.time("baselines"):
        run_jobs("baselines", arms, arms.baselines(), display)
    with stages.time("training"):
        train(stack, options.episodes, display)
    with stages.time("evaluation"):
        choosing = arms.choosing()
        run_jobs("constant noise", arms, choosing, display)
        actor = final_actor(options.run_dir)
        if actor is None:
            raise StackError(
                "the learner published no actor",
                got=f"{options.episodes} episodes",
                next_step=f"See {options.run_dir / 'logs' / 'learner_node.log'}.",
            )
        jobs = arms.final(arms.evaluator.run(choosing), actor)
        run_jobs("evaluation", arms, jobs, display)
        write_arms(options.run_dir, arms.results(jobs))
    with stages.time("report"):
        write_report(options.run_dir)
    return write_report(options.run_dir)


def require_learning(stack: Stack, episodes: int) -> None:
    """A demo that is over before the learner begins has nothing to evaluate.

    Raises:
        ConfigError: it is.
    """
    warmup = load_learner(stack.arguments.profile).warmup_episodes
    if episodes < warmup:
        raise ConfigError(
            f"learning begins after {warmup} episodes",
            got=f"{episodes} episodes",
            allowed=f"{warmup} or more",
        )


def arms_of(stack: Stack, options: DemoOptions) -> DemoArms:
    """The arms of the evaluation for a described stack."""
    arguments = stack.arguments
    policy_id, horizon = described_policy(policy_folder(arguments.policy))
    setting = Setting(
        task=arguments.task,
        policy=arguments.policy,
        policy_id=policy_id,
        max_steps=arguments.max_steps or find_task(arguments.task).max_steps,
    )
    folder = options.trials_dir or options.run_dir / "evaluation"
    return DemoArms(
        evaluator=Evaluator(setting, folder, workers=options.workers),
        horizon=horizon,
        held_out=options.held_out,
        episodes=options.episodes,
        run_seed=options.seed,
        profile=arguments.profile,
    )

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""``roboreward study``: studies on the twin, each one command that leaves a table behind."""

from __future__ import annotations

import argparse
from pathlib import Path

from roboreward_ros.cli import study_lrm, study_states
from roboreward_ros.cli.demo import EPISODES, HELD_OUT, DemoOptions, run_demo
from roboreward_ros.cli.progress import make_display
from roboreward_ros.evaluation.summary import RunSummary
from roboreward_ros.studies.demo_study import run_study


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser("study", help="the studies on the twin, as tables")
    studies = parser.add_subparsers(dest="study", required=True, metavar="STUDY")
    demo = studies.add_parser("demo", help="the demo over several seeds")
    demo.add_argument(
        "--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4], help="one demo for each"
    )
    demo.add_argument(
        "--episodes", type=int, default=EPISODES, help=f"of training, each seed ({EPISODES})"
    )
    demo.add_argument(
        "--held-out", type=int, default=HELD_OUT, help=f"layouts to judge by ({HELD_OUT})"
    )
    demo.add_argument("--task", default="", help="sentence or key of a twin's task (the demo's)")
    demo.add_argument("--reward", default="", help="reward source (the demo's own)")
    demo.add_argument(
        "--reward-options",
        default="",
        metavar="JSON",
        help="settings of the source, over those of its file in config/rewards",
    )
    demo.add_argument(
        "--name", default="demo_seeds", help="of the tables: OUT/NAME.md and OUT/NAME.json"
    )
    demo.add_argument(
        "--runs",
        type=Path,
        default=Path("runs/demo_seeds"),
        help="folder with a run folder a seed; what is there is resumed, not repeated",
    )
    demo.add_argument(
        "--trials",
        type=Path,
        help="folder with the evaluation of the baselines, which do not depend on the seed; give "
        "several studies the same one to evaluate them once (RUNS/trials)",
    )
    demo.add_argument(
        "--out", type=Path, default=Path("bench/results"), help="folder of the tables"
    )
    demo.set_defaults(run=run_demo_study)
    noise = studies.add_parser("noise", help="base success under each noise form, before learning")
    noise.add_argument("--task", default="open the drawer")
    noise.add_argument("--policy", default="demo", help="folder of the frozen policy")
    noise.add_argument("--episodes", type=int, default=40, help="layouts, the same for each form")
    noise.add_argument(
        "--profile",
        default="",
        help="measure what this learner's untrained actor draws, and fail if it kills the policy; "
        "default: every form as config/dsrl/widowx has it",
    )
    noise.set_defaults(run=run_noise_study)
    efficiency = studies.add_parser("efficiency", help="episodes that each learner needs")
    efficiency.add_argument("--task", default="open the drawer")
    efficiency.add_argument("--policy", default="demo", help="folder of the frozen policy")
    efficiency.add_argument(
        "--states",
        action="store_true",
        help="a policy over states instead, without pictures: an episode costs a tenth",
    )
    efficiency.add_argument(
        "--denoiser",
        type=int,
        default=0,
        metavar="WIDTH",
        help="with --states: of the policy's hidden layers, in a folder of its own (the task's)",
    )
    efficiency.add_argument(
        "--profiles",
        nargs="+",
        default=["widowx", "reference_tuned"],
        help="learners, config/dsrl; the first is the one the others are compared with",
    )
    efficiency.add_argument(
        "--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4], help="of runs (0 to 4)"
    )
    efficiency.add_argument("--episodes", type=int, default=200, help="budget of a run (200)")
    efficiency.add_argument(
        "--every", type=int, default=20, help="episodes between two points (20)"
    )
    efficiency.add_argument("--held-out", type=int, default=100, help="layouts of each point (100)")
    efficiency.add_argument(
        "--mae", type=float, nargs="+", default=[0.0], help="mean absolute error of the labels"
    )
    efficiency.add_argument(
        "--false-positives", type=float, nargs="*", default=[], help="share of failures called 5"
    )
    efficiency.add_argument(
        "--finished",
        action="store_true",
        help="with --states: run nothing more, write the tables of the runs that are finished",
    )
    efficiency.add_argument(
        "--runs",
        type=Path,
        help="folder of the runs; what is there is resumed (runs/efficiency, with --states "
        f"{study_states.RUNS}, with --denoiser another)",
    )
    efficiency.add_argument(
        "--out", type=Path, default=Path("bench/results"), help="folder of the tables"
    )
    efficiency.set_defaults(run=run_efficiency_study)
    study_states.add_parsers(studies)
    study_lrm.add_parser(studies)


def run_demo_study(args: argparse.Namespace) -> int:
    """Run or resume the demo for every seed; 1 when fewer than four in five seeds pass."""
    display = make_display()

    def one(seed: int) -> RunSummary:
        display.say(f"seed {seed}")
        options = DemoOptions(
            run_dir=args.runs / f"seed_{seed}",
            seed=seed,
            episodes=args.episodes,
            held_out=args.held_out,
            task=args.task,
            reward=args.reward,
            reward_options=args.reward_options,
            trials_dir=args.trials or args.runs / "trials",
        )
        return run_demo(options, display)

    try:
        results = run_study(args.seeds, one, args.out, args.name)
    finally:
        display.close()
    print((args.out / f"{args.name}.md").read_text(encoding="utf-8"))
    print(f"tables: {args.out / args.name}.md and .json")
    passed = sum(result.passes for result in results)
    return int(5 * passed < 4 * len(results))


def run_noise_study(args: argparse.Namespace) -> int:
    """Measure and keep; an error where the profile's own noise kills the base policy."""
    from roboreward_ros.dsrl.config import ActorForm, DsrlConfig, NoiseForm, load_profile
    from roboreward_ros.dsrl.noise_record import keep_results, require_result, untrained_actor
    from roboreward_ros.policies.loading import load_any_policy
    from roboreward_ros.sim.seeds import demo_seed
    from roboreward_ros.sim.tasks import find_task
    from roboreward_ros.studies.baselines import Setting, open_twin_rollout
    from roboreward_ros.studies.noise_gate import measure_forms

    configs = [DsrlConfig(noise=form) for form in NoiseForm if form is not NoiseForm.FULL]
    profile = load_profile(args.profile) if args.profile else None
    if profile is not None:
        configs = [profile]
        if profile.starts_as_prior and profile.actor is ActorForm.RESIDUAL:
            print(f"{args.profile} starts as the base policy, N(0, I) exactly: nothing to measure")
            return 0
    task, spec = find_task(args.task), load_any_policy(args.policy).spec
    horizon = spec.prediction_horizon
    actors = [untrained_actor(config, spec.policy_id, horizon) for config in configs]
    setting = Setting(task.sentence, args.policy, spec.policy_id, task.max_steps)
    seeds = [demo_seed(k) for k in range(args.episodes)]
    rollout = open_twin_rollout(setting)
    results = measure_forms(rollout, task.sentence, seeds, task.max_steps, actors)
    for result in results:
        print(f"{result.what}: {result.verdict}; {result.numbers}")
    print(f"kept in {keep_results(args.policy, results)}")
    if profile is not None:
        require_result(results[0], "Give more --episodes.")
    return 0


def run_efficiency_study(args: argparse.Namespace) -> int:
    """Run or resume the sample-efficiency study and write its tables."""
    from roboreward_ros.dsrl.config import load_profile
    from roboreward_ros.errors import ConfigError
    from roboreward_ros.policies.diffusion import load_policy
    from roboreward_ros.sim.tasks import find_task
    from roboreward_ros.studies.baselines import open_twin_rollout
    from roboreward_ros.studies.efficiency_report import write_report
    from roboreward_ros.studies.efficiency_states import run_states
    from roboreward_ros.studies.lowdim.setup import recipe
    from roboreward_ros.studies.reward_noise import RewardNoise
    from roboreward_ros.studies.sample_efficiency import (
        EfficiencyConfig,
        EfficiencyStudy,
    )

    task = find_task(args.task)
    if args.denoiser and not args.states:
        raise ConfigError("--denoiser is of a policy over states", next_step="Add --states.")
    if args.finished and not args.states:
        raise ConfigError("--finished is of the study over states", next_step="Add --states.")
    for name in args.profiles:
        load_profile(name)
    noises = [RewardNoise(mae=mae) for mae in args.mae]
    noises += [RewardNoise(false_positives=share) for share in args.false_positives]
    config = EfficiencyConfig(
        task=task.sentence,
        policy=args.policy,
        policy_id="states" if args.states else load_policy(args.policy).spec.policy_id,
        max_steps=task.max_steps,
        profiles=tuple(args.profiles),
        noises=tuple(noises),
        seeds=tuple(args.seeds),
        episodes=args.episodes,
        every=args.every,
        held_out=args.held_out,
    )
    display = make_display()
    try:
        if args.states:
            runs = study_states.RUNS
            if args.denoiser:
                runs = runs.with_name(f"{runs.name}_{args.denoiser}")
            result = run_states(
                config, args.runs or runs, display.say, recipe(task, args.denoiser),
                finished=args.finished,
            )  # fmt: skip
        else:
            runs = args.runs or Path("runs/efficiency")
            study = EfficiencyStudy(config, runs / task.key, open_twin_rollout, display.say)
            result = study.run()
    finally:
        display.close()
    stem = f"study_efficiency_{task.key}{'_states' if args.states else ''}"
    command = (
        f"roboreward study efficiency --task '{task.sentence}' "
        f"{'--states' if args.states else f'--policy {args.policy}'} "
        f"{f'--denoiser {args.denoiser} ' if args.denoiser else ''}"
        f"--profiles {' '.join(args.profiles)} --seeds {' '.join(map(str, args.seeds))} "
        f"--episodes {args.episodes} --every {args.every} --held-out {args.held_out} "
        f"--mae {' '.join(map(str, args.mae))}"
    )
    if args.false_positives:
        command += f" --false-positives {' '.join(map(str, args.false_positives))}"
    write_report(result, args.out, stem, command)
    print((args.out / f"{stem}.md").read_text(encoding="utf-8"))
    print(f"tables: {args.out / stem}.md, .json, .png")
    return 0

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The demo over several run seeds: does the steered policy beat its baselines every time?

Knows nothing about ROS: whoever starts it says how one demo is run.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from roboreward_ros.evaluation.success import LABELS, NOT_LOOKING, Arm
from roboreward_ros.evaluation.summary import RunSummary

WANTED_GAIN = 0.25
"""What a run must gain over the best noise that does not look to pass."""
MAX_ERRORS = 0.05
"""Share of episodes that may stay unlabelled through errors."""

RunDemo = Callable[[int], RunSummary]
"""Runs (or resumes) the demo with a run seed."""


@dataclass(frozen=True, slots=True)
class SeedResult:
    """One run.

    Attributes:
        seed: of the run.
        success: held-out success by arm key, 0..1.
        n: held-out layouts.
        gain: steered (stochastic) minus the better of w ~ N(0, I) and w = 0.
        gain_low: lower bound of its 95 % interval.
        gain_high: upper bound.
        gain_looking: steered minus the best arm of ``NOT_LOOKING``, chosen in hindsight.
        errors: share of the episodes that errors left unlabelled.
        reward: source that the run learned from.
        reward_mae: its mean error against the simulator's truth, in levels; None if unknown.
        episodes: of training.
        wall_s: seconds of the whole demo.
        passes: gains enough with few enough errors.
    """

    seed: int
    success: dict[str, float]
    n: int
    gain: float
    gain_low: float
    gain_high: float
    gain_looking: float
    errors: float
    reward: str
    reward_mae: float | None
    episodes: int
    wall_s: float
    passes: bool

    @classmethod
    def of(cls, summary: RunSummary) -> SeedResult:
        gain = summary.gain
        assert gain is not None, "a demo always compares"
        errors = summary.errors / max(1, summary.episodes)
        success = {key: arm.success for key, arm in summary.arms.items()}
        looking = success[str(Arm.STEERED)] - max(success[str(arm)] for arm in NOT_LOOKING)
        return cls(
            seed=summary.seed,
            success=success,
            n=summary.success_n,
            gain=gain.value,
            gain_low=gain.low,
            gain_high=gain.high,
            gain_looking=looking,
            errors=errors,
            reward=summary.reward_source,
            reward_mae=summary.reward_mae,
            episodes=summary.episodes,
            wall_s=summary.wall_s,
            passes=round(looking, 6) >= WANTED_GAIN and errors <= MAX_ERRORS,
        )


def run_study(
    seeds: Sequence[int], run_demo: RunDemo, folder: Path, name: str = "demo_seeds"
) -> list[SeedResult]:
    """Run the demo for every seed; the tables are written after each.

    Args:
        seeds: run seeds.
        run_demo: runs one, or gives what it gave before.
        folder: of the tables.
        name: of ``<name>.json`` and ``<name>.md``.
    """
    results: list[SeedResult] = []
    task = ""
    for seed in seeds:
        summary = run_demo(seed)
        task = summary.task
        results.append(SeedResult.of(summary))
        write_tables(folder, task, results, name)
    return results


def write_tables(
    folder: Path, task: str, results: Sequence[SeedResult], stem: str = "demo_seeds"
) -> None:
    """Write both tables, each atomically."""
    folder.mkdir(parents=True, exist_ok=True)
    content = {"format": 1, "task": task, "runs": [asdict(result) for result in results]}
    for name, text in (
        (f"{stem}.json", json.dumps(content, indent=1) + "\n"),
        (f"{stem}.md", markdown(task, results)),
    ):
        fresh = folder / f".{name}.new"
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(folder / name)


def markdown(task: str, results: Sequence[SeedResult]) -> str:
    """The table for people: a column a run, and what the cheap baselines explain."""
    seeds = " | ".join(f"seed {result.seed}" for result in results)
    layouts = f"{min(r.n for r in results)} held-out layouts"
    lines = [
        f"# The demo over {len(results)} seeds: {task}",
        "",
        f"Success in % on {layouts}, the same for every arm and seed, by the simulator's truth,",
        "at the fixed final actor.",
        judged(results),
        "",
        f"| noise | {seeds} | mean |",
        "|---|" + "---|" * (len(results) + 1),
    ]
    for arm in Arm:
        rates = [result.success.get(str(arm), float("nan")) for result in results]
        mean = sum(rates) / len(rates)
        cells = " | ".join(f"{100 * rate:.0f}" for rate in rates)
        lines.append(f"| {LABELS[arm]} | {cells} | {100 * mean:.0f} |")
    gains = " | ".join(
        f"{100 * r.gain:+.0f} [{100 * r.gain_low:+.0f}, {100 * r.gain_high:+.0f}]" for r in results
    )
    mean_gain = sum(result.gain for result in results) / len(results)
    lines.append(f"| gain over the better of the first two | {gains} | {100 * mean_gain:+.0f} |")
    looking = " | ".join(f"{100 * r.gain_looking:+.0f}" for r in results)
    mean_looking = sum(result.gain_looking for result in results) / len(results)
    lines.append(
        f"| **gain over the best of the first five** | {looking} | {100 * mean_looking:+.0f} |"
    )
    passes = " | ".join("yes" if result.passes else "no" for result in results)
    passed = sum(result.passes for result in results)
    lines.append(f"| gains {100 * WANTED_GAIN:.0f} points | {passes} | {passed}/{len(results)} |")
    walls = " | ".join(f"{result.wall_s / 60:.1f}" for result in results)
    lines += [
        f"| wall time, min | {walls} | |",
        "",
        "Arms that do not depend on the run are evaluated once, in the first run's time.",
        "",
        explained(results),
        "",
    ]
    return "\n".join(lines)


def judged(results: Sequence[SeedResult]) -> str:
    """Whose rewards the runs learned from, and how wrong they were."""
    sources = sorted({result.reward for result in results})
    known = [result.reward_mae for result in results if result.reward_mae is not None]
    error = f", on average {sum(known) / len(known):.2f} levels from the truth" if known else ""
    return f"Rewards: {', '.join(sources)}{error}."


def explained(results: Sequence[SeedResult]) -> str:
    """How much of the steered arm's gain over w ~ N(0, I) the baselines without learning reach."""

    def mean(arm: Arm) -> float:
        return sum(result.success.get(str(arm), float("nan")) for result in results) / len(results)

    base = mean(Arm.BASE)
    whole = mean(Arm.STEERED) - base
    cheap = {arm: mean(arm) - base for arm in NOT_LOOKING if arm is not Arm.BASE}
    parts = ", ".join(f"{LABELS[arm]} {100 * gain:+.0f}" for arm, gain in cheap.items())
    return (
        f"Over w ~ N(0, I), steering gains {100 * whole:+.0f} points on average; without looking: "
        f"{parts}. The best constant w was chosen with as many episodes as the training had."
    )

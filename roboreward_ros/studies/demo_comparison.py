# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The demo's gain beside the one that other rewards gave, so that no single figure misleads.

A twin is easy to judge: its small reward model is hardly ever wrong. Beside its gain stand the
gain under the simulator's own truth and the gain under a deliberately degraded copy.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from roboreward_ros.errors import FormatError
from roboreward_ros.evaluation.success import Arm

KEPT = Path(__file__).resolve().parent.parent / "assets" / "demo_comparison.json"
TABLES = {
    "demo_seeds": "twin_small, the demo's own",
    "demo_seeds_truth": "the simulator's truth",
    "demo_seeds_degraded": "twin_small, degraded",
}
"""Tables of ``roboreward study demo`` and whose rewards they learned from."""
GAIN = "gain over the best fixed noise"


@dataclass(frozen=True, slots=True)
class RewardRow:
    """The demo under one reward, over several run seeds.

    Attributes:
        task: sentence.
        reward: whose rewards the runs learned from.
        error: mean error of those rewards against the simulator's truth, in levels.
        seeds: number of runs.
        episodes: of training, a run.
        base: mean held-out success with w ~ N(0, I), 0..1.
        constant: mean held-out success with the best constant w.
        steered: mean held-out success with the final actor.
        lowest: the worst run's.
        gain: mean gain of steered over the best noise that does not look.
    """

    task: str
    reward: str
    error: float
    seeds: int
    episodes: int
    base: float
    constant: float
    steered: float
    lowest: float
    gain: float


def row_of(table: Path, reward: str) -> RewardRow:
    """What a table of ``roboreward study demo`` says.

    Raises:
        FormatError: the table is not one of that study.
    """
    try:
        content = json.loads(table.read_text(encoding="utf-8"))
        runs = content["runs"]
        rates = {arm: [run["success"][str(arm)] for run in runs] for arm in Arm}
        gains = [run["gain_looking"] for run in runs]
        errors = [run["reward_mae"] for run in runs]
        return RewardRow(
            task=content["task"],
            reward=reward,
            error=round(sum(errors) / len(runs), 3),
            seeds=len(runs),
            episodes=min(run["episodes"] for run in runs),
            base=_mean(rates[Arm.BASE]),
            constant=_mean(rates[Arm.CONSTANT]),
            steered=_mean(rates[Arm.STEERED]),
            lowest=min(rates[Arm.STEERED]),
            gain=_mean(gains),
        )
    except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise FormatError("no table of the demo's study", got=f"{table}: {error!r}") from error


def dump(folder: Path) -> str:
    """The rows of all tables in ``folder``, as they are kept in the package."""
    rows = [row_of(folder / f"{stem}.json", reward) for stem, reward in TABLES.items()]
    return json.dumps([asdict(row) for row in rows], indent=1) + "\n"


def kept_rows(task: str) -> list[RewardRow]:
    """The rows that the package carries about a task."""
    rows = [RewardRow(**row) for row in json.loads(KEPT.read_text(encoding="utf-8"))]
    return [row for row in rows if row.task == task]


def comparison_lines(rows: Sequence[RewardRow]) -> list[str]:
    """Text for a terminal; nothing where there are no rows."""
    if not rows:
        return []
    lines = [
        "the same demo measured before under three rewards (bench/results/demo_seeds*.md):",
        f"  {'reward':<28}{'error':>7}{'runs':>6}{'base':>7}{'fixed w':>9}{'steered':>9}{GAIN:>33}",
    ]
    lines += [
        f"  {row.reward:<28}{row.error:>7.2f}{row.seeds:>6}{row.base:>7.0%}{row.constant:>9.0%}"
        f"{row.steered:>9.0%}{100 * row.gain:>+26.0f} points"
        for row in rows
    ]
    lines.append("a twin is easy to judge: a real scene's judge has to show its own error.")
    return lines


def _mean(values: Sequence[float]) -> float:
    return round(sum(values) / len(values), 4)

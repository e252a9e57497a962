# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The long form of the kill suite: kills parts of a stack on the twin until it is told to stop.

Stop it when you like; run again, it goes on with the same run and the counts add up. The table goes
to bench/results/kills.md and kills.json.

Usage: python tools/soak.py [--kills N] [--minutes M] [--run-dir DIR] [--seed S], or
python tools/soak.py --hours H: hours of simulated operation without kills, see soak_hours.py
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from roboreward_ros.cli.domain import free_domain
from roboreward_ros.cli.run_files import git_commit, versions
from roboreward_ros.files import write_atomic
from roboreward_ros.session.plan import PlanConfig
from roboreward_ros.sim.tasks import TASKS
from roboreward_ros.testing.kills import TARGETS, Kill, StackProcess, kills
from roboreward_ros.testing.witness import Shadow, Witness

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "bench" / "results"
TASK = TASKS[0].sentence
FIXED = ("sim:=true", "speed:=max", "console:=false", f"task:={TASK}")


def main() -> int:
    if any(word.startswith("--hours") for word in sys.argv[1:]):
        import soak_hours

        return soak_hours.run_hours(soak_hours.parse(sys.argv[1:]))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200, help="kills over all sittings (200)")
    parser.add_argument("--minutes", type=float, default=1e6, help="end of this sitting")
    parser.add_argument("--run-dir", type=Path, default=ROOT / "runs" / "soak", help="runs/soak")
    parser.add_argument("--seed", type=int, default=0, help="of victims and moments (0)")
    parser.add_argument("--reward", default="roboreward", help="reward source (roboreward)")
    parser.add_argument("--max-steps", type=int, default=12, help="of an episode (12)")
    parser.add_argument("--patience", type=float, default=300.0, help="for a recovery, s (300)")
    args = parser.parse_args()

    folder: Path = args.run_dir.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    book = folder / "kills.jsonl"
    rows = [kill_of(line) for line in book.read_text().splitlines()] if book.exists() else []
    end = time.monotonic() + 60 * args.minutes
    wrong: list[str] = []
    with free_domain() as domain:
        words = [*FIXED, f"reward:={args.reward}", f"max_steps:={args.max_steps}"]
        stack = StackProcess(folder / "run", words, {**os.environ, **domain})
        witness = Witness(stack.run_dir, PlanConfig(TASK))
        scratch = Path(tempfile.mkdtemp())
        shadow = Shadow(stack.run_dir, scratch)
        if witness.episodes:
            wrong += witness.look()
        numbers = itertools.takewhile(
            lambda _: time.monotonic() < end, range(len(rows), args.kills)
        )
        try:
            for row in kills(
                stack, witness, numbers,
                seed=args.seed, patience_s=args.patience, shadow=shadow,
            ):  # fmt: skip
                rows.append(row)
                with book.open("a") as file:
                    file.write(json.dumps(asdict(row)) + "\n")
                print(line_of(row), flush=True)
        except KeyboardInterrupt:
            print("stopping; run again to go on", flush=True)
        try:
            wrong += finish(stack, witness, shadow, args.patience)
        finally:
            stack.end()
            shutil.rmtree(scratch)
    write_table(rows, wrong, args)
    return 1 if wrong or any(row.wrong for row in rows) else 0


def finish(stack: StackProcess, witness: Witness, shadow: Shadow, patience_s: float) -> list[str]:
    """Let the run come to rest and compare what was learned with an undisturbed learner."""
    wrong = []
    if stack.alive and stack.stop(patience_s):
        wrong.append("the stack did not stop with code 0")
    stack.launch(f"episodes:={witness.episodes + 1}")
    if code := stack.wait(patience_s):
        wrong.append(f"the last launch ended with code {code}")
    wrong += witness.look(stack.killed)
    wrong += [f"{name} has no reward" for name in witness.unanswered()]
    wrong += [f"{name} differs from an undisturbed learner's" for name in shadow.compare()]
    return wrong


def kill_of(line: str) -> Kill:
    values = json.loads(line)
    return Kill(**{**values, "wrong": tuple(values["wrong"])})


def episodes_of(rows: Sequence[Kill]) -> int:
    """Episodes behind the rows: a run that was begun anew counts from 0 again."""
    ends = [a.episodes for a, b in itertools.pairwise(rows) if b.episodes < a.episodes]
    return sum(ends) + (rows[-1].episodes if rows else 0)


def line_of(row: Kill) -> str:
    what = "; ".join(row.wrong) or "nothing lost"
    return (
        f"kill {row.number:3} {row.victim:14} in {row.phase:10} back after {row.recovery_s:5.1f} "
        f"s, {row.episodes} episodes: {what}"
    )


def write_table(rows: Sequence[Kill], wrong: Sequence[str], args: argparse.Namespace) -> None:
    """The table in bench/results, and on the screen."""
    bad = [*wrong, *(text for row in rows for text in row.wrong)]
    lines = [
        "| victim | kills | wrong | back after, median | longest |",
        "|---|---|---|---|---|",
    ]
    for victim in TARGETS:
        mine = [row for row in rows if row.victim == victim]
        times = [row.recovery_s for row in mine if row.recovery_s == row.recovery_s]
        if mine:
            failed = sum(bool(row.wrong) for row in mine)
            median = f"{statistics.median(times):.1f} s" if times else "never"
            longest = f"{max(times):.1f} s" if len(times) == len(mine) else "never"
            lines.append(f"| {victim} | {len(mine)} | {failed} | {median} | {longest} |")
    phases = sorted({row.phase for row in rows})
    hit = ", ".join(f"{phase} {sum(row.phase == phase for row in rows)}" for phase in phases)
    gone = [row.gone_s for row in rows if row.gone_s]
    about = f"""\
# Killing parts of a running stack

`make soak`: {len(rows)} times `kill -9` at seeded random moments (seed {args.seed}), the whole
stack on the twin in lock-step, reward `{args.reward}`, {episodes_of(rows)} episodes of
{args.max_steps} steps, on a machine that was busy with other work. {len(bad)} losses.

{chr(10).join(lines)}

*Back after*: from the kill (of supervisor and all: from the next launch) until the victim took work
again and another episode was committed. What the session did when it was hit: {hit}. Nodes whose
supervisor was killed had all left after {max(gone, default=0):.1f} s.

After each kill: every episode that was visible before is there and unchanged, new ones are whole
(all checksums), each has the seed and the place that the plan gives it, no line of the ledgers is
gone, no episode was scored twice. After {sum(row.updates >= 0 for row in rows)} of the kills, too:
the arm's last command before each reset, and of each process that left it alive, was a hold; and
weights, targets, moments, generators and replay of the newest checkpoint equal to the bit those of
a learner that read the same stores undisturbed (the others were compared when their sitting ended).
At the end of each sitting every episode has its one reward.
"""
    if bad:
        about += "\n## What was wrong\n\n" + "".join(f"- {text}\n" for text in bad)
    content = {
        "git": git_commit(),
        "versions": versions(),
        "seed": args.seed,
        "reward": args.reward,
        "max_steps": args.max_steps,
        "episodes": episodes_of(rows),
        "losses": len(bad),
        "wrong": bad,
        "kills": [asdict(row) for row in rows],
    }
    write_atomic(RESULTS / "kills.md", about)
    write_atomic(RESULTS / "kills.json", json.dumps(content, indent=1) + "\n")
    print("\n" + about)


if __name__ == "__main__":
    sys.exit(main())

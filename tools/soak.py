# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The long form of the kill suite: kills parts of a stack on the twin until it is told to stop.

Stop it when you like; run again, it goes on with the same run, or with a new one where that is
gone, and the counts in bench/results/kills.json add up; the table is kills.md beside it. Series of
another speed or reward source are counted in files of their own (--results).

Usage: python tools/soak.py [--kills N] [--minutes M] [--run-dir DIR] [--seed S]
       [--speed realtime] [--reward roboreward] [--results FILE], or
python tools/soak.py --hours H: hours of simulated operation without kills, see soak_hours.py
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from roboreward_ros.cli.domain import free_domain
from roboreward_ros.cli.run_files import git_commit, versions
from roboreward_ros.errors import StackError
from roboreward_ros.files import write_atomic
from roboreward_ros.session.plan import PlanConfig
from roboreward_ros.sim.tasks import TASKS
from roboreward_ros.stack import SPEEDS
from roboreward_ros.testing.kills import Kill, StackProcess, console_words, kills, targets_of
from roboreward_ros.testing.witness import Shadow, Witness

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "bench" / "results"
TASK = TASKS[0].sentence
P90 = 0.9
FIXED = ("sim:=true", f"task:={TASK}")
LOCK_STEP = "max"
COMPARED = """. After {count} of the kills, too:
the arm's last command before each reset, and of each process that left it alive, was a hold; and
weights, targets, moments, generators and replay of the newest checkpoint equal to the bit those of
a learner that read the same stores undisturbed (the others: when their sitting ended)"""


@dataclass(frozen=True, slots=True)
class Sitting:
    """Kills in a row, all of one commit.

    Attributes:
        first: number of its first kill.
        git: commit of the stack that was killed.
        wrong: what was found when it came to rest.
    """

    first: int
    git: str
    wrong: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Terms:
    """What must be the same in all sittings whose counts are added."""

    seed: int
    reward: str
    max_steps: int
    speed: str = LOCK_STEP


@dataclass
class Book:
    """What all sittings found."""

    terms: Terms
    sittings: list[Sitting]
    kills: list[Kill]

    @property
    def wrong(self) -> list[str]:
        """Every sentence about what must not be."""
        return [text for part in (*self.sittings, *self.kills) for text in part.wrong]

    @property
    def episodes(self) -> int:
        """Episodes behind the kills: a run that was begun anew counts from 0 again."""
        pairs = itertools.pairwise(self.kills)
        ends = [a.episodes for a, b in pairs if b.episodes < a.episodes]
        return sum(ends) + (self.kills[-1].episodes if self.kills else 0)


def main() -> int:
    if any(word.startswith("--hours") for word in sys.argv[1:]):
        import soak_hours

        return soak_hours.run_hours(soak_hours.parse(sys.argv[1:]))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200, help="kills over all sittings (200)")
    parser.add_argument("--minutes", type=float, default=1e6, help="end of this sitting")
    parser.add_argument("--run-dir", type=Path, default=ROOT / "runs" / "soak", help="runs/soak")
    parser.add_argument("--seed", type=int, default=0, help="of victims and moments (0)")
    parser.add_argument("--reward", default="ground_truth", help="reward source (ground_truth)")
    parser.add_argument("--speed", default=LOCK_STEP, choices=SPEEDS, help="of the twin (max)")
    parser.add_argument("--max-steps", type=int, default=12, help="of an episode (12)")
    parser.add_argument("--patience", type=float, default=300.0, help="for a recovery, s (300)")
    parser.add_argument("--results", type=Path, default=RESULTS / "kills.json", help="the counts")
    args = parser.parse_args()

    folder: Path = args.run_dir.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    book = read(args.results, Terms(args.seed, args.reward, args.max_steps, args.speed))
    sitting = Sitting(len(book.kills), git_commit())
    end = time.monotonic() + 60 * args.minutes
    wrong: list[str] = []
    with free_domain() as domain:
        words = [*FIXED, f"reward:={args.reward}", f"max_steps:={args.max_steps}"]
        words += [f"speed:={args.speed}", *console_words(folder)]
        stack = StackProcess(folder / "run", words, {**os.environ, **domain})
        witness = Witness(stack.run_dir, PlanConfig(TASK))
        scratch = Path(tempfile.mkdtemp())
        lock_step = args.speed == LOCK_STEP  # else what is learned depends on time
        shadow = Shadow(stack.run_dir, scratch) if lock_step else None
        if witness.episodes:
            wrong += witness.look()
        numbers = itertools.takewhile(
            lambda _: time.monotonic() < end, range(len(book.kills), args.kills)
        )
        try:
            for row in kills(
                stack, witness, numbers,
                seed=args.seed, targets=targets_of(words), patience_s=args.patience, shadow=shadow,
            ):  # fmt: skip
                if row.number == sitting.first:
                    book.sittings.append(sitting)
                book.kills.append(row)
                write(book, args.results)
                print(line_of(row), flush=True)
        except KeyboardInterrupt:
            print("stopping; run again to go on", flush=True)
        try:
            wrong += finish(stack, witness, shadow, args.patience)
        finally:
            stack.end()
            shutil.rmtree(scratch)
    if sitting in book.sittings:
        book.sittings[-1] = replace(sitting, wrong=tuple(wrong))
    write(book, args.results)
    print("\n" + args.results.with_suffix(".md").read_text())
    print("\n".join(wrong))
    return 1 if wrong or book.wrong else 0


def finish(
    stack: StackProcess, witness: Witness, shadow: Shadow | None, patience_s: float
) -> list[str]:
    """Let the run come to rest and compare what was learned with an undisturbed learner.

    The last episode runs in lock-step, which ends when every episode has its reward.
    """
    wrong = []
    if stack.alive and stack.stop(patience_s):
        wrong.append("the stack did not stop with code 0")
    stack.launch(f"episodes:={witness.episodes + 1}", f"speed:={LOCK_STEP}")
    if code := stack.wait(patience_s):
        wrong.append(f"the last launch ended with code {code}")
    wrong += witness.look(stack.killed)
    wrong += [f"{name} has no reward" for name in witness.unanswered()]
    differing = shadow.compare() if shadow is not None else []
    return wrong + [f"{name} differs from an undisturbed learner's" for name in differing]


def read(path: Path, terms: Terms) -> Book:
    """What earlier sittings found.

    Raises:
        StackError: they ran on other terms.
    """
    if not path.exists():
        return Book(terms, [], [])
    content = json.loads(path.read_text())
    known = {field.name for field in fields(Terms)}
    before = Terms(**{name: value for name, value in content.items() if name in known})
    if before != terms:
        raise StackError(
            f"{path} counts kills on other terms",
            got=str(terms),
            allowed=str(before),
            next_step="Give --results another file.",
        )
    sittings = [Sitting(**{**it, "wrong": tuple(it["wrong"])}) for it in content["sittings"]]
    rows = [Kill(**{**it, "wrong": tuple(it["wrong"])}) for it in content["kills"]]
    return Book(terms, sittings, rows)


def line_of(row: Kill) -> str:
    what = "; ".join(row.wrong) or "nothing lost"
    return (
        f"kill {row.number:3} {row.victim:18} in {row.phase:10} back after {row.recovery_s:5.1f} "
        f"s, {row.episodes} episodes: {what}"
    )


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that is not below ``share`` of them."""
    return sorted(values)[math.ceil(share * len(values)) - 1]


def table(rows: Sequence[Kill]) -> str:
    """Recoveries by victim."""
    lines = [
        "| victim | kills | wrong | back after, median | 9 of 10 | longest |",
        "|---|---|---|---|---|---|",
    ]
    for victim in (*dict.fromkeys(row.victim for row in rows), "any"):
        mine = [row for row in rows if victim in (row.victim, "any")]
        times = [row.recovery_s for row in mine if not math.isnan(row.recovery_s)]
        if mine:
            failed = sum(bool(row.wrong) for row in mine)
            back = "never | never | never"
            if len(times) == len(mine):
                median, ninth = statistics.median(times), quantile(times, P90)
                back = f"{median:.1f} s | {ninth:.1f} s | {max(times):.1f} s"
            lines.append(f"| {victim} | {len(mine)} | {failed} | {back} |")
    return "\n".join(lines)


def sittings_of(book: Book) -> str:
    """Which kills were of which commit."""
    ends = [*(it.first for it in book.sittings[1:]), len(book.kills)]
    return "\n".join(
        f"- kills {it.first} to {end - 1}: commit {it.git}"
        for it, end in zip(book.sittings, ends, strict=True)
    )


def write(book: Book, path: Path) -> None:
    """The counts, and the table beside them."""
    rows, bad, terms = book.kills, book.wrong, book.terms
    phases = sorted({row.phase for row in rows})
    hit = ", ".join(f"{phase} {sum(row.phase == phase for row in rows)}" for phase in phases)
    gone = [row.gone_s for row in rows if row.gone_s]
    speed, looked = "at real time", ""
    if terms.speed == LOCK_STEP:
        speed = "in lock-step"
        looked = COMPARED.format(count=sum(row.updates >= 0 for row in rows))
    about = f"""\
# Killing parts of a running stack

`make soak`: {len(rows)} times `kill -9` at seeded random moments (seed {terms.seed}), the whole
stack on the twin {speed}, reward `{terms.reward}`, {book.episodes} episodes of
{terms.max_steps} steps, on a machine that was busy with other work. {len(bad)} losses.

{table(rows)}

*Back after*: from the kill (of supervisor and all: from the next launch) until the victim took work
again and another episode was committed. What the session did when it was hit:
{hit}. Nodes whose supervisor was killed had all left after {max(gone, default=0):.1f} s.

After each kill: every episode that was visible before is there and unchanged, new ones are whole
(all checksums), each has the seed and the place that the plan gives it, no line of the ledgers is
gone, no episode was scored twice{looked}.
At the end of each sitting every episode has its one reward.

Sittings; each goes on where the one before stopped, in the same run or in a new one:

{sittings_of(book)}
"""
    if bad:
        about += "\n## What was wrong\n\n" + "".join(f"- {text}\n" for text in bad)
    content = {
        "versions": versions(),
        **asdict(terms),
        "episodes": book.episodes,
        "losses": len(bad),
        "sittings": [asdict(it) for it in book.sittings],
        "kills": [asdict(row) for row in rows],
    }
    write_atomic(path.with_suffix(".md"), about)
    write_atomic(path, json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())

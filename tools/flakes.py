# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Runs tiers of the tests again and again and counts what failed, test by test.

Stop it when you like; run again, the counts add up in bench/results/flakes.json. A test that
failed once in many runs is a bug of the test or of the product; nothing here runs it again to
make it pass.

With --jitter the threads of the tests are held up at unlikely moments (tools/schedule_jitter.py),
in each run at others; such runs are counted for themselves.

Usage: python tools/flakes.py [--tier NAME ...] [--runs N] [--jitter MS]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from run_tests import ROOT, TIERS, paths_of

from roboreward_ros.cli.run_files import git_commit
from roboreward_ros.errors import FormatError
from roboreward_ros.files import write_atomic

RESULTS = ROOT / "bench" / "results" / "flakes.json"
FORMAT = 1
INTERRUPTED = 2  # pytest's code
GROUPS = {"ros": ("nodes", "stack"), "all": tuple(TIERS)}
"""Tiers that have a name together."""
ROS = (*GROUPS["ros"], "faults")
"""The tiers in which nodes, processes and the middleware meet."""


@dataclass(frozen=True, slots=True)
class TierRun:
    """One run of a tier.

    Attributes:
        tier: which.
        git: commit that was run.
        tests: that ran.
        failures: test -> first words of why.
        broken: why nothing ran; "" where it did.
        seconds: of wall time.
        load: of the machine at the end.
        jitter_ms: longest hold-up of a thread; 0 without.
        jitter_seed: of the hold-ups.
    """

    tier: str
    git: str
    tests: int
    failures: dict[str, str]
    broken: str
    seconds: float
    load: float
    jitter_ms: float = 0.0
    jitter_seed: int = 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    known = sorted({*TIERS, *GROUPS})
    parser.add_argument("--tier", action="append", choices=known, help=", ".join(ROS))
    parser.add_argument("--runs", type=int, default=20, help="of each, over all sittings (20)")
    parser.add_argument("--jitter", type=float, default=0.0, help="longest hold-up, ms (0: none)")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where the counts are")
    args = parser.parse_args()
    runs = read(args.results)
    tiers = [tier for name in args.tier or ROS for tier in GROUPS.get(name, (name,))]
    try:
        while True:
            alike = [it for it in runs if it.jitter_ms == args.jitter]
            tier = next_tier(alike, tiers, args.runs)
            if not tier:
                break
            seed = sum(it.tier == tier for it in alike) if args.jitter else 0
            runs.append(run(tier, args.jitter, seed))
            book = {"format": FORMAT, "runs": [asdict(it) for it in runs]}
            write_atomic(args.results, json.dumps(book, indent=1) + "\n")
            print(line_of(runs[-1]), flush=True)
    except KeyboardInterrupt:
        print("stopping; run again to go on", flush=True)
    print(summary(runs))
    return 1 if any(it.failures or it.broken for it in runs) else 0


def read(path: Path) -> list[TierRun]:
    """The runs so far.

    Raises:
        FormatError: another format.
    """
    if not path.exists():
        return []
    book = json.loads(path.read_text())
    if book["format"] != FORMAT:
        raise FormatError(f"{path} has another format", got=book["format"], allowed=FORMAT)
    return [TierRun(**it) for it in book["runs"]]


def next_tier(runs: Sequence[TierRun], tiers: Sequence[str], wanted: int) -> str:
    """The tier with the fewest runs; "" once each has enough."""
    done = {tier: sum(it.tier == tier for it in runs) for tier in tiers}
    tier = min(tiers, key=lambda name: done[name])
    return tier if done[tier] < wanted else ""


def run(tier: str, jitter_ms: float = 0.0, jitter_seed: int = 0) -> TierRun:
    """One run of a tier; no test is run twice in it."""
    report = ROOT / "build" / f"flakes-{tier}.xml"
    report.parent.mkdir(exist_ok=True)
    report.unlink(missing_ok=True)
    began = time.monotonic()
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    environment = dict(os.environ)
    if jitter_ms:
        command += ["-p", "schedule_jitter", f"--jitter-ms={jitter_ms}"]
        command += [f"--jitter-seed={jitter_seed}"]
        paths = (str(ROOT / "tools"), environment.get("PYTHONPATH", ""))
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    done = subprocess.run(
        [*command, f"--junitxml={report}", *paths_of(tier)],
        cwd=ROOT,
        env=environment,
        check=False,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    (report.with_suffix(".txt")).write_text(done.stdout)
    if done.returncode == INTERRUPTED:
        raise KeyboardInterrupt
    cases = list(ET.parse(report).getroot().iter("testcase")) if report.exists() else []
    failures = {
        f"{case.get('classname')}::{case.get('name')}": _reason(case)
        for case in cases
        if case.find("failure") is not None or case.find("error") is not None
    }
    broken = "" if cases else f"pytest ended with code {done.returncode}"
    seconds = round(time.monotonic() - began, 1)
    load = round(os.getloadavg()[0], 1)
    return TierRun(
        tier, git_commit(), len(cases), failures, broken, seconds, load, jitter_ms, jitter_seed
    )


def _reason(case: ET.Element) -> str:
    found = case.find("failure")
    found = case.find("error") if found is None else found
    return (found.get("message") or "")[:400] if found is not None else ""


def line_of(it: TierRun) -> str:
    what = ", ".join(it.failures) or it.broken or "none failed"
    how = f", jitter {it.jitter_ms:g} ms, seed {it.jitter_seed}" if it.jitter_ms else ""
    return f"{it.tier}{how}: {it.tests} tests in {it.seconds} s, load {it.load}: {what}"


def summary(runs: Sequence[TierRun]) -> str:
    """Runs, tests and failures by tier, those with jitter for themselves."""
    lines = []
    for tier, jitter_ms in dict.fromkeys((it.tier, it.jitter_ms) for it in runs):
        mine = [it for it in runs if (it.tier, it.jitter_ms) == (tier, jitter_ms)]
        failed = sum(len(it.failures) + bool(it.broken) for it in mine)
        tests = sum(it.tests for it in mine)
        how = f", jitter {jitter_ms:g} ms" if jitter_ms else ""
        lines.append(f"{tier}{how}: {len(mine)} runs, {tests} tests, {failed} failures")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())

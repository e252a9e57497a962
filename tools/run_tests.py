# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Runs the tests by tiers, three at a time, and prints which ran, with counts and seconds.

Usage: python tools/run_tests.py [--tier NAME ...] [--jobs N] [pytest arguments]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LIMIT_S = 1800.0
"""A tier that is not over by then hangs: it is ended, and counts as failed."""
TIMED_OUT = -1
# The longest first, so that the last ones end together; every test folder belongs to exactly one
# (checked below).
TIERS: dict[str, list[str]] = {
    "core": [
        "robot",
        "cameras",
        "episodes",
        "rewards",
        "session",
        "policies",
        "evaluation",
        "cli",
        "remote",
        "rehearsal",
    ],
    "learning": ["dsrl", "sim", "studies", "reward_training"],
    "nodes": ["ros/glue", "ros/nodes"],
    "stack": ["ros/stack"],
    "launch": ["launch"],
    "faults": ["faults", "security"],
    "console": ["console"],
}


def paths_of(tier: str) -> list[str]:
    paths = [f"test/{name}" for name in TIERS[tier] if (ROOT / "test" / name).is_dir()]
    if tier == "core":
        paths += sorted(str(p.relative_to(ROOT)) for p in (ROOT / "test").glob("test_*.py"))
    return paths


def unassigned_folders() -> list[str]:
    """Folders with tests that are in no tier, or in several."""
    known = [Path(name) for names in TIERS.values() for name in names]
    found = {p.parent.relative_to(ROOT / "test") for p in (ROOT / "test").rglob("test_*.py")}
    homes = {it: sum(it.is_relative_to(name) for name in known) for it in found - {Path()}}
    return sorted(str(it) for it, count in homes.items() if count != 1)


@dataclass(frozen=True)
class Result:
    """One tier: counts and seconds; ``code`` is pytest's."""

    tier: str
    code: int
    passed: int
    failed: int
    skipped: int
    seconds: float


def run(tier: str, extra: list[str], quiet: bool) -> Result:
    """Run a tier; ``quiet`` keeps its output for when it is done, so that tiers do not mix."""
    report = ROOT / "build" / f"junit-{tier}.xml"
    report.parent.mkdir(exist_ok=True)
    report.unlink(missing_ok=True)
    print(f"tier {tier} begins", flush=True)
    began = time.monotonic()
    command = [sys.executable, "-m", "pytest", "-q", f"--junitxml={report}"]
    try:
        done = subprocess.run(
            [*command, *paths_of(tier), *extra],
            cwd=ROOT,
            check=False,
            text=True,
            errors="replace",
            stdout=subprocess.PIPE if quiet else None,
            stderr=subprocess.STDOUT if quiet else None,
            timeout=LIMIT_S,
        )
    except subprocess.TimeoutExpired as late:
        said = late.stdout or b""
        text = said.decode(errors="replace") if isinstance(said, bytes) else said
        print(f"\n=== tier {tier}: ended after {LIMIT_S:.0f} s ===\n{text}", flush=True)
        return Result(tier, TIMED_OUT, 0, 0, 0, time.monotonic() - began)
    if quiet:
        print(f"\n=== tier {tier} ===\n{done.stdout}", flush=True)
    seconds = time.monotonic() - began
    if done.returncode not in (0, 1) or not report.exists():
        return Result(tier, done.returncode or 1, 0, 0, 0, seconds)
    suite = next(ET.parse(report).getroot().iter("testsuite"))
    count = {key: int(suite.get(key, "0")) for key in ("tests", "failures", "errors", "skipped")}
    failed = count["failures"] + count["errors"]
    passed = count["tests"] - failed - count["skipped"]
    return Result(tier, done.returncode, passed, failed, count["skipped"], seconds)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tier", action="append", choices=sorted(TIERS), help="only this tier")
    parser.add_argument(
        "--jobs", type=int, default=3, help="tiers at a time; they wait more than they compute"
    )
    options, extra = parser.parse_known_args()
    if stray := unassigned_folders():
        print(f"test folders that belong to no tier, or to two: {', '.join(stray)}; see TIERS")
        return 1
    tiers = options.tier or list(TIERS)
    jobs = min(options.jobs, len(tiers))
    began = time.monotonic()
    with ThreadPoolExecutor(jobs) as pool:
        results = list(pool.map(lambda tier: run(tier, extra, quiet=jobs > 1), tiers))
    print("\ntier        passed  failed  skipped  seconds")
    for row in results:
        counts = f"{row.passed:>6}  {row.failed:>6}  {row.skipped:>7}  {row.seconds:>7.0f}"
        how = "hung" if row.code == TIMED_OUT else f"pytest ended with {row.code}"
        note = "" if row.code in (0, 1) else f"  {how}"
        print(f"{row.tier:<10}  {counts}{note}")
    passed, failed = sum(row.passed for row in results), sum(row.failed for row in results)
    print(f"{time.monotonic() - began:.0f} s in all, {jobs} tiers at a time")
    print(f"\n{passed} passed, {failed} failed")
    broken = any(row.code not in (0, 1) for row in results)
    return 1 if failed or broken or not passed else 0


if __name__ == "__main__":
    sys.exit(main())

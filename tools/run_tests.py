# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Runs the tests tier by tier and prints which tiers ran, with counts and seconds.

Usage: python tools/run_tests.py [--tier NAME ...] [pytest arguments]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Tiers from fast to slow; every test folder belongs to exactly one (checked below).
TIERS: dict[str, list[str]] = {
    "core": ["robot", "cameras", "episodes", "rewards", "session", "policies", "evaluation", "cli"],
    "learning": ["dsrl", "sim", "studies", "reward_training"],
    "ros": ["ros"],
    "console": ["console"],
    "launch": ["launch"],
}


def paths_of(tier: str) -> list[str]:
    paths = [f"test/{name}" for name in TIERS[tier] if (ROOT / "test" / name).is_dir()]
    if tier == "core":
        paths += sorted(str(p.relative_to(ROOT)) for p in (ROOT / "test").glob("test_*.py"))
    return paths


def unassigned_folders() -> list[str]:
    known = {name for names in TIERS.values() for name in names}
    found = {p.parent.relative_to(ROOT / "test").parts for p in (ROOT / "test").rglob("test_*.py")}
    return sorted(parts[0] for parts in found if parts and parts[0] not in known)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tier", action="append", choices=sorted(TIERS), help="only this tier")
    options, extra = parser.parse_known_args()
    if stray := unassigned_folders():
        print(f"test folders that belong to no tier: {', '.join(stray)}; add them to TIERS")
        return 1
    rows: list[tuple[str, int, int, int, float]] = []
    for tier in options.tier or TIERS:
        report = ROOT / "build" / f"junit-{tier}.xml"
        report.parent.mkdir(exist_ok=True)
        report.unlink(missing_ok=True)
        print(f"\n=== tier {tier} ===", flush=True)
        began = time.monotonic()
        command = [sys.executable, "-m", "pytest", "-q", f"--junitxml={report}"]
        code = subprocess.run([*command, *paths_of(tier), *extra], cwd=ROOT, check=False).returncode
        if code not in (0, 1) or not report.exists():
            print(f"tier {tier}: pytest ended with {code}")
            return code or 1
        suite = next(ET.parse(report).getroot().iter("testsuite"))
        count = {
            key: int(suite.get(key, "0")) for key in ("tests", "failures", "errors", "skipped")
        }
        failed = count["failures"] + count["errors"]
        passed = count["tests"] - failed - count["skipped"]
        rows.append((tier, passed, failed, count["skipped"], time.monotonic() - began))
    print("\ntier        passed  failed  skipped  seconds")
    for tier, passed, failed, skipped, seconds in rows:
        print(f"{tier:<10}  {passed:>6}  {failed:>6}  {skipped:>7}  {seconds:>7.0f}")
    passed, failed = sum(r[1] for r in rows), sum(r[2] for r in rows)
    print(f"\n{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())

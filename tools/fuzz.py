# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The long form of test/security/test_fuzz.py: hostile inputs for so long; counts add up.

Every target gets an equal share of CPU time, in a process of its own whose memory is bounded; an
input that takes more than LIMIT_S of CPU time, or WAIT_S of any, is a hang. Counts:
bench/results/fuzz.json.

Usage: python tools/fuzz.py [--minutes CPU_MINUTES] [--only TEXT] [--fresh]
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import signal
import sys
import tempfile
import time
import traceback
from dataclasses import asdict, dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "bench" / "results" / "fuzz.json"
LIMIT_S = 20
WAIT_S = 600
"""Long, since a busy machine may leave a process in the background waiting for minutes."""
MEMORY = 3 << 30
"""Bytes of address space that inputs may take on top of what the libraries took."""
ROUND = 200
sys.path += [str(ROOT / "test" / "security"), str(ROOT / "test" / "dsrl")]

if TYPE_CHECKING:
    from fuzz_edits import Target


@dataclass
class Count:
    """What became of the inputs of one target."""

    inputs: int = 0
    read: int = 0
    refused: int = 0
    cpu_s: float = 0.0
    slowest_cpu_ms: float = 0.0
    failures: list[str] = field(default_factory=list)


class HangError(BaseException):
    """Not for the code under test to catch."""


def on_alarm(*_: object) -> None:
    raise HangError


def watch(limit_s: int, wait_s: int) -> None:
    """Raise HangError after so much CPU time or so much of any; 0 ends it."""
    signal.setitimer(signal.ITIMER_PROF, limit_s)
    signal.alarm(wait_s)


def fuzz(target: Target, seconds: float, seed: int) -> Count:
    """Inputs until so much CPU time is spent, or one fails."""
    from fuzz_edits import attempt
    from hypothesis import HealthCheck, Phase, given, settings
    from hypothesis import seed as seeded

    count = Count()
    began = time.process_time()

    def look(value: object) -> None:
        start = time.process_time()
        watch(LIMIT_S, WAIT_S)
        with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
            read = attempt(target, value, Path(folder))
        watch(0, 0)
        count.inputs += 1
        count.read += read
        count.refused += not read
        count.slowest_cpu_ms = max(count.slowest_cpu_ms, 1e3 * (time.process_time() - start))

    options = settings(
        max_examples=ROUND,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    while time.process_time() - began < seconds:
        try:
            seeded(seed)(options(given(target.inputs)(look)))()
        except (Exception, HangError):
            watch(0, 0)
            count.failures.append(traceback.format_exc(limit=-6)[-3000:])
            break
        seed += 1
    count.cpu_s = time.process_time() - began
    return count


def child(names: list[str], seconds: float, seed: int, pipe: Connection) -> None:
    """One process: its targets one after the other, memory bounded."""
    import logging

    import fuzz_all

    logging.disable(logging.CRITICAL)
    targets = fuzz_all.targets()
    for number in (signal.SIGALRM, signal.SIGPROF):
        signal.signal(number, on_alarm)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))
    for name in names:
        pipe.send((name, asdict(fuzz(targets[name], seconds, seed))))
    pipe.close()


def add(total: dict[str, dict[str, object]], name: str, more: dict[str, object]) -> None:
    """Counts of several sittings; the newest failures stay."""
    before = Count(**total.get(name, {}))  # type: ignore[arg-type]
    now = Count(**more)  # type: ignore[arg-type]
    total[name] = asdict(
        Count(
            before.inputs + now.inputs,
            before.read + now.read,
            before.refused + now.refused,
            round(before.cpu_s + now.cpu_s, 1),
            round(max(before.slowest_cpu_ms, now.slowest_cpu_ms), 1),
            now.failures,
        )
    )


def write(total: dict[str, dict[str, object]], sittings: int) -> int:
    """Keep the counts; returns all inputs."""
    counts = [Count(**count) for count in total.values()]  # type: ignore[arg-type]
    inputs = sum(count.inputs for count in counts)
    summary = {
        "sittings": sittings,
        "inputs": inputs,
        "cpu_minutes": round(sum(count.cpu_s for count in counts) / 60, 1),
        "failing": sum(bool(count.failures) for count in counts),
        "limit_cpu_s": LIMIT_S,
        "memory_bytes": MEMORY,
    }
    OUT.write_text(json.dumps({**summary, "targets": total}, indent=1, sort_keys=True) + "\n")
    return inputs


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=20.0, help="CPU minutes of this sitting")
    parser.add_argument("--only", default="", help="targets whose name contains this")
    parser.add_argument("--fresh", action="store_true", help="forget earlier sittings")
    options = parser.parse_args()
    import fuzz_all

    names = [name for name in fuzz_all.NAMES if options.only in name]
    if not names:
        known_names = ", ".join(sorted(fuzz_all.NAMES))
        parser.error(f"no target's name contains {options.only!r}: {known_names}")
    known = json.loads(OUT.read_text()) if OUT.is_file() and not options.fresh else {}
    total: dict[str, dict[str, object]] = known.get("targets", {})
    sittings = int(known.get("sittings", 0))
    names.sort(key=lambda name: int(str(total.get(name, {}).get("inputs", 0))))
    seconds = 60 * options.minutes / len(names)
    ours, theirs = multiprocessing.Pipe(duplex=False)
    waiting, failed = list(names), 0
    while waiting:  # a process that dies takes its target with it, not the rest
        worker = multiprocessing.get_context("spawn").Process(
            target=child, args=(waiting, seconds, 1000 * sittings, theirs)
        )
        worker.start()
        while waiting and (ours.poll(1.0) or worker.is_alive()):
            if not ours.poll(0.0):
                continue
            name, more = ours.recv()
            waiting.remove(name)
            add(total, name, more)
            write(total, sittings + 1)
            failed += bool(more["failures"])
            print(f"{name}: {more['inputs']} inputs, {more['read']} read", flush=True)
            print("".join(more["failures"]), end="", flush=True)
        worker.join()
        if waiting:
            dead = waiting.pop(0)
            add(total, dead, asdict(Count(failures=[f"the process ended: {worker.exitcode}"])))
            failed += 1
            print(f"{dead}: the process ended with {worker.exitcode}", flush=True)
        inputs = write(total, sittings + 1)
    print(f"{inputs} inputs in all sittings, {failed} targets failed in this one")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

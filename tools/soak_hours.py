# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Hours of simulated operation, with a look at every process of the stack every few seconds.

Stop it when you like; run again, it goes on with the same run and the hours add up. Figures, plot
and verdicts go to bench/results/soak.{json,png,md}.

Between looks the time of a small fixed piece of work is taken, to tell a machine that is busy with
other work from a stack that slows down. The run has a disk budget from its first episode on.

Usage: python tools/soak.py --hours 8 [--run-dir DIR] [--max-steps N] [--minutes M]
       [--disk-budget GB]
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from soak_report import write_report

from roboreward_ros.cli.domain import free_domain
from roboreward_ros.clock import SystemClock
from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.robot.command_log import COMMANDS, Verb, read_commands
from roboreward_ros.sim.tasks import TASKS
from roboreward_ros.testing.kills import StackProcess
from roboreward_ros.testing.vitals import DiskUse, reference_ms, shared_memory_mb, stack_vitals

ROOT = Path(__file__).resolve().parent.parent
CONTROL_HZ = 5.0
FIXED = ("sim:=true", "speed:=max", "console:=false", f"task:={TASKS[0].sentence}")
STALL_S = 600.0
REFERENCE_EVERY_S = 0.5


@dataclass(frozen=True, slots=True)
class Look:
    """The stack at one moment.

    Attributes:
        sitting: counts from 0; each has processes of its own.
        wall_s: since its begin.
        hours: simulated, over all sittings.
        episodes: committed.
        processes: name of each, then its own memory (MB), handles, threads.
        shm_mb: in /dev/shm.
        disk_mb: by folder of the run.
        ros_log_mb: what ROS itself logs outside the run.
        step_ms: median and 99th percentile of the time from step to step since the last look.
        load: of the machine, over the last minute; NaN where it was not noted.
        restarts: of nodes, since the sitting's begin.
        reference_ms: median time of ``vitals.reference_ms`` since the last look; NaN where it was
            not taken.
        budget_mb: disk budget of the run; 0: none.
    """

    sitting: int
    wall_s: float
    hours: float
    episodes: int
    processes: dict[str, tuple[float, int, int]]
    shm_mb: float
    disk_mb: dict[str, float]
    ros_log_mb: float
    step_ms: tuple[float, float]
    load: float = float("nan")
    restarts: int = 0
    reference_ms: float = float("nan")
    budget_mb: float = 0.0


class Steps:
    """Counts the steps of committed episodes and times the commands that the arm gets."""

    def __init__(self, run_dir: Path) -> None:
        self._run_dir = run_dir
        self._counted: dict[str, int] = {}
        self._last_ns = time.monotonic_ns()

    def look(self) -> tuple[int, float, tuple[float, float]]:
        """Episodes, simulated hours, step latency."""
        if self._run_dir.is_dir():
            store = EpisodeStore(self._run_dir)
            for name in store.ids():
                if name not in self._counted:
                    self._counted[name] = store.open(name).summary.n_steps
        hours = sum(self._counted.values()) / CONTROL_HZ / 3600
        return len(self._counted), hours, self._latency()

    def _latency(self) -> tuple[float, float]:
        log = self._run_dir / "logs" / COMMANDS
        fresh = [it for it in read_commands(log) if it.steady_ns > self._last_ns]
        if not fresh:
            return (float("nan"), float("nan"))
        self._last_ns = fresh[-1].steady_ns
        times = [
            (b.steady_ns - a.steady_ns) * 1e-6
            for a, b in itertools.pairwise(fresh)
            if a.verb is Verb.STEP and b.verb is Verb.STEP and a.pid == b.pid
        ]
        if not times:
            return (float("nan"), float("nan"))
        return (float(np.median(times)), float(np.percentile(times, 99)))


def run_hours(args: argparse.Namespace) -> int:
    """Run until the hours are there, the sitting's minutes are over, or nothing moves."""
    folder: Path = args.run_dir.absolute()
    (folder / "ros_log").mkdir(parents=True, exist_ok=True)
    book = folder / "looks.jsonl"
    looks = read_looks(book)
    sitting = looks[-1].sitting + 1 if looks else 0
    words = [*FIXED, f"reward:={args.reward}", f"max_steps:={args.max_steps}"]
    begun, problem = time.monotonic(), ""
    with free_domain() as domain:
        environment = {**os.environ, **domain, "ROS_LOG_DIR": str(folder / "ros_log")}
        command = (sys.executable, str(ROOT / "tools" / "soak_launch.py"), f"{args.disk_budget:g}")
        stack = StackProcess(folder / "run", words, environment, command)
        disk, steps = DiskUse(stack.run_dir), Steps(stack.run_dir)
        ros_log = DiskUse(folder / "ros_log")
        moved, episodes = begun, -1
        stack.launch()
        try:
            while time.monotonic() - begun < 60 * args.minutes and not problem:
                reference = reference_for(args.every)
                look = take_look(stack, sitting, time.monotonic() - begun, disk, steps, ros_log)
                look = replace(look, reference_ms=reference, budget_mb=1e3 * args.disk_budget)
                looks.append(look)
                with book.open("a") as file:
                    file.write(json.dumps(asdict(look)) + "\n")
                print(line_of(look, args.hours), flush=True)
                if look.episodes > episodes:
                    moved, episodes = time.monotonic(), look.episodes
                if not stack.alive:
                    problem = "the stack ended: " + "; ".join(stack.lines[-5:])
                elif time.monotonic() - moved > STALL_S:
                    problem = f"no episode in {STALL_S:g} s"
                if look.hours >= args.hours:
                    break
        except KeyboardInterrupt:
            print("stopping; run again to go on", flush=True)
        try:
            if stack.alive and (code := stack.stop()):
                problem = problem or f"the stack stopped with code {code}"
        finally:
            stack.end()
    write_report(looks, [problem] if problem else [], restarts_of(stack), args)
    return 1 if problem else 0


def reference_for(seconds: float) -> float:
    """Median of the reference work, done now and then for so long, ms."""
    end, times = time.monotonic() + seconds, []
    while not times or time.monotonic() < end:
        times.append(reference_ms(SystemClock()))
        time.sleep(REFERENCE_EVERY_S)
    return float(np.median(times))


def restarts_of(stack: StackProcess) -> list[str]:
    """What the supervisor said of nodes that ended by themselves."""
    return [it for it in stack.lines if it.startswith("[launch]") and "starting it again" in it]


def take_look(
    stack: StackProcess, sitting: int, wall_s: float, disk: DiskUse, steps: Steps, ros_log: DiskUse
) -> Look:
    """Sample everything once."""
    vitals = stack_vitals(stack.pid_of("supervisor"))
    episodes, hours, step_ms = steps.look()
    processes: dict[str, tuple[float, int, int]] = {}
    for it in vitals:
        memory, handles, threads = processes.get(it.name, (0.0, 0, 0))
        processes[it.name] = (memory + it.memory_mb, handles + it.handles, threads + it.threads)
    return Look(
        sitting=sitting,
        wall_s=wall_s,
        hours=hours,
        episodes=episodes,
        processes=processes,
        shm_mb=shared_memory_mb([it.pid for it in vitals]),
        disk_mb=disk.megabytes(),
        ros_log_mb=sum(ros_log.megabytes().values()),
        step_ms=step_ms,
        load=os.getloadavg()[0],
        restarts=len(restarts_of(stack)),
    )


def read_looks(book: Path) -> list[Look]:
    """What earlier sittings saw."""
    lines = book.read_text().splitlines() if book.exists() else []
    found = []
    for line in lines:
        values = json.loads(line)
        values["processes"] = {k: tuple(v) for k, v in values["processes"].items()}
        found.append(Look(**{**values, "step_ms": tuple(values["step_ms"])}))
    return found


def line_of(look: Look, wanted: float) -> str:
    memory = sum(it[0] for it in look.processes.values())
    handles = sum(it[1] for it in look.processes.values())
    return (
        f"{look.hours:6.3f} of {wanted:g} h, {look.episodes} episodes, {look.wall_s:.0f} s: "
        f"{memory:.0f} MB, {handles} handles, step {look.step_ms[0]:.0f} ms, "
        f"disk {sum(look.disk_mb.values()):.0f} MB"
    )


def parse(words: Sequence[str]) -> argparse.Namespace:
    """Arguments of this form."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=8.0, help="simulated, over all sittings")
    parser.add_argument("--minutes", type=float, default=1e6, help="end of this sitting")
    parser.add_argument("--run-dir", type=Path, default=ROOT / "runs" / "soak_hours")
    parser.add_argument("--reward", default="roboreward", help="reward source (roboreward)")
    parser.add_argument("--max-steps", type=int, default=240, help="of an episode (240)")
    parser.add_argument("--every", type=float, default=15.0, help="seconds between looks (15)")
    parser.add_argument("--disk-budget", type=float, default=1.0, help="of the run, GB (1)")
    parser.add_argument("--note", default="", help="a sentence for the report")
    return parser.parse_args(words)


if __name__ == "__main__":
    sys.exit(run_hours(parse(sys.argv[1:])))

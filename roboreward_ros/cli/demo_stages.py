# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The stages of the demo: trials in worker processes, training by the stack, time spent in each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from roboreward_ros.cli.domain import free_domain
from roboreward_ros.cli.launch import run_stack
from roboreward_ros.cli.progress import Display
from roboreward_ros.cli.run_files import STAGES_FILE, learner_progress, read_stages, write_json
from roboreward_ros.cli.supervisor import SUPERVISOR
from roboreward_ros.clock import Clock, SystemClock
from roboreward_ros.errors import StackError
from roboreward_ros.evaluation.run_view import RunView
from roboreward_ros.evaluation.success import Arm, Trial
from roboreward_ros.session.memory import load_memory
from roboreward_ros.stack import Stack
from roboreward_ros.studies.baselines import Job
from roboreward_ros.studies.demo_arms import DemoArms

PROGRESS_PERIOD_S = 0.5
STALL_S = 180.0
WINDOW = 20


class StoppedError(StackError):
    """The demo was stopped before its end; what it did is kept."""


def run_jobs(name: str, arms: DemoArms, jobs: Sequence[Job], display: Display) -> None:
    """Run what is missing of some jobs under a progress bar."""
    total = sum(len(job.seeds) for job in jobs)
    done = total - arms.evaluator.missing(jobs)
    successes: dict[str, list[bool]] = {}
    display.stage(name, total, done)

    def on_trial(job: str, trial: Trial) -> None:
        nonlocal done
        done += 1
        seen = successes.setdefault(job, [])
        seen.append(trial.success)
        rate = f"{job} {100 * sum(seen) / len(seen):.0f} %" if job in set(Arm) else ""
        display.update(done, rate)

    try:
        arms.evaluator.run(jobs, on_trial)
    except KeyboardInterrupt:
        raise StoppedError(
            f"stopped after {done} of {total} trials of {name}",
            next_step="The same command goes on from there.",
        ) from None


def train(stack: Stack, episodes: int, display: Display) -> None:
    """The stack until its session has committed all episodes; nothing where it has already.

    Raises:
        StackError: a node could not be kept running, see its log.
        StoppedError: a signal came first.
    """
    run_dir = Path(stack.arguments.run_dir)
    view = RunView(run_dir)
    watch = TrainingDisplay(view, episodes, display)
    if min(view.count(), learner_progress(run_dir).episodes) >= episodes:
        return
    troubles: list[str] = []

    def sink(name: str, line: str) -> None:
        if name == SUPERVISOR and "started" not in line:
            troubles.append(line)

    with free_domain() as domain:
        code = run_stack(
            stack, sink=sink, environment=domain, tick=watch.tick, stop_on_give_up=True
        )
    watch.show()
    if code != 0:
        raise StackError(
            "the stack ended early",
            got="; ".join(troubles[-2:]),
            next_step=f"Its logs are in {run_dir / 'logs'}.",
        )
    if view.count() < episodes:
        raise StoppedError(
            f"stopped after {view.count()} of {episodes} episodes",
            next_step="The same command goes on from there.",
        )


def final_actor(run_dir: Path) -> Path | None:
    """The newest actor that the learner published."""
    actors = sorted((run_dir / "policies").glob("actor_*.safetensors"))
    return actors[-1] if actors else None


class TrainingDisplay:
    """Shows a run that other processes write, from its stores.

    Success and reward are means over the last WINDOW episodes.
    """

    def __init__(
        self, view: RunView, episodes: int, display: Display, clock: Clock | None = None
    ) -> None:
        self._view = view
        self._display = display
        self._clock: Clock = clock if clock is not None else SystemClock()
        self._next_ns = 0
        self._committed = -1
        self._committed_ns = self._clock.steady_ns()
        display.stage("training", episodes, min(view.count(), episodes))

    def tick(self) -> None:
        """Called often; looks at the disk now and then.

        Raises:
            StackError: no episode was committed for STALL_S; nobody is here to press a key.
        """
        now = self._clock.steady_ns()
        if now < self._next_ns:
            return
        self._next_ns = now + round(PROGRESS_PERIOD_S * 1e9)
        self.show()
        committed = self._view.count()
        if committed != self._committed:
            self._committed, self._committed_ns = committed, now
        elif now - self._committed_ns > STALL_S * 1e9:
            raise StackError(
                f"no episode was committed for {STALL_S:g} s",
                got=f"{committed} episodes",
                next_step=f"See {self._view.run_dir / 'logs' / 'session_node.log'}.",
            )

    def show(self) -> None:
        """Draw the present state."""
        rows = self._view.rows()
        if not rows:
            return
        last = rows[-WINDOW:]
        known = [row.success for row in last if row.success is not None]
        rewards = [row.reward for row in last if row.reward is not None]
        parts = []
        if known:
            parts.append(f"success {100 * sum(known) / len(known):.0f} %")
        if rewards:
            parts.append(f"reward {sum(rewards) / len(rewards):.1f}")
        idle = load_memory(self._view.run_dir).idle
        if idle.total_s() > 0:
            parts.append(f"idle {100 * (1 - idle.motion_s / idle.total_s()):.0f} %")
        parts.append(f"actor {rows[-1].policy_version}")
        self._display.update(len(rows), ", ".join(parts))


class StageClock:
    """Adds up the wall time of each stage over all parts of a run that was stopped and resumed."""

    def __init__(self, run_dir: Path, clock: Clock | None = None) -> None:
        self._run_dir = run_dir
        self._clock: Clock = clock if clock is not None else SystemClock()

    @contextmanager
    def time(self, name: str) -> Iterator[None]:
        """Count the block as stage ``name``."""
        start = self._clock.steady_ns()
        try:
            yield
        finally:
            spent = read_stages(self._run_dir)
            spent[name] = spent.get(name, 0.0) + (self._clock.steady_ns() - start) / 1e9
            write_json(self._run_dir / "evaluation" / STAGES_FILE, spent)

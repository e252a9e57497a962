# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Held-out evaluation of a frozen policy under different choices of its noise, in worker processes.

Every finished trial is on disk at once, in a file named by everything that decides it, so an
evaluation that is interrupted goes on where it stopped. Knows nothing about ROS.
"""

from __future__ import annotations

import atexit
import functools
import hashlib
import json
import logging
import multiprocessing
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

import roboreward_ros
from roboreward_ros.errors import CheckpointError, FormatError, SimulationError
from roboreward_ros.evaluation.success import Trial
from roboreward_ros.policies.noise import prior_noise
from roboreward_ros.sim.adapters import TwinCamera, TwinRobot
from roboreward_ros.sim.twin import Twin, TwinConfig
from roboreward_ros.studies.rollout import (
    ConstantNoise,
    NoiseChooser,
    PriorNoise,
    Rollout,
    SteeredNoise,
)
from roboreward_ros.types import Float32Array

_LOG = logging.getLogger(__name__)
FORMAT = 1
BLOCK = 5
"""Trials that a worker does per request: small enough to lose little when stopped."""
DECIDING = (
    "policies",
    "robot",
    "sim",
    "types",
    "dsrl/actor.py",
    "dsrl/edit_actor.py",
    "dsrl/noise_forms.py",
    "dsrl/numpy_nets.py",
    "studies/rollout.py",
)
CANDIDATES = 16
CANDIDATE_SEED = 77


@dataclass(frozen=True, slots=True)
class Setting:
    """What all arms of an evaluation share.

    Attributes:
        task: sentence.
        policy: folder of the frozen policy, or ``demo``.
        policy_id: its identity, part of the key of stored trials.
        max_steps: time limit in control steps.
        image_size: side of the rendered square, pixels; the recorded episodes' own.
    """

    task: str
    policy: str
    policy_id: str
    max_steps: int
    image_size: int = 256


@dataclass(frozen=True, slots=True)
class Job:
    """One arm on a list of seeds."""

    name: str
    chooser: NoiseChooser
    seeds: tuple[int, ...]


OpenRollout = Callable[[Setting], Rollout]
OnTrial = Callable[[str, Trial], None]


def open_twin_rollout(setting: Setting) -> Rollout:
    """A rollout on a twin of its own; loads MuJoCo and torch.

    Raises:
        CheckpointError: the policy's folder holds another policy than the setting names.
    """
    from roboreward_ros.policies.loading import load_any_policy

    policy = load_any_policy(setting.policy)
    if policy.spec.policy_id != setting.policy_id:
        raise CheckpointError(
            f"policy {setting.policy} was replaced since this evaluation began",
            got=policy.spec.policy_id[:12],
            allowed=setting.policy_id[:12],
            next_step="Put the old one back, or start a new run.",
        )
    twin = Twin(TwinConfig(control_hz=policy.spec.control_hz))
    robot, camera = TwinRobot(twin), TwinCamera(twin, setting.image_size, setting.image_size)
    robot.connect()
    camera.open()
    # OpenGL contexts that are still open when the interpreter ends complain on stderr.
    atexit.register(robot.close)
    return Rollout(robot, camera, policy, twin.truth)


def fingerprint(chooser: NoiseChooser) -> str:
    """What decides a chooser's noise, as text."""
    if isinstance(chooser, PriorNoise):
        return f"prior {chooser.scale:g}"
    if isinstance(chooser, ConstantNoise):
        w = b"zero" if chooser.w is None else chooser.w.tobytes()
        return f"constant {hashlib.sha256(w).hexdigest()}"
    if isinstance(chooser, SteeredNoise):
        digest = hashlib.sha256(chooser.actor.to_bytes()).hexdigest()
        return f"steered {digest} {chooser.deterministic}"
    raise TypeError(f"no fingerprint of {type(chooser).__name__}")


@functools.cache
def code_fingerprint() -> str:
    """Digest of the package's sources that decide what happens in a trial.

    Trials of older sources are run again rather than mixed with new ones.
    """
    package = Path(roboreward_ros.__file__).parent
    digest = hashlib.sha256()
    for part in DECIDING:
        place = package / part
        for path in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            digest.update(str(path.relative_to(package)).encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


class TrialFile:
    """Stored trials of one job; the file's name carries the key of everything that decides them.

    Args:
        folder: of all files.
        setting: part of the key.
        job: its name, and its chooser as part of the key.
    """

    def __init__(self, folder: Path, setting: Setting, job: Job) -> None:
        parts = {
            "format": FORMAT,
            "task": setting.task,
            "policy_id": setting.policy_id,
            "max_steps": setting.max_steps,
            "image_size": setting.image_size,
            "code": code_fingerprint(),
            "noise": fingerprint(job.chooser),
        }
        key = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
        self.path = folder / f"{job.name}-{key[:12]}.jsonl"

    def read(self) -> dict[int, Trial]:
        """Trials by seed; a last line that an interruption cut off is left out.

        Raises:
            FormatError: a damaged line in the middle.
        """
        if not self.path.exists():
            return {}
        lines = self.path.read_text().split("\n")
        whole = lines[:-1]  # what follows the last newline was cut off, or is empty
        try:
            trials = [Trial(**json.loads(line)) for line in whole]
        except (ValueError, TypeError) as error:
            raise FormatError(
                "stored trials cannot be read",
                got=f"{self.path}: {error}",
                next_step="Delete the file: its trials are run again.",
            ) from error
        return {trial.seed: trial for trial in trials}

    def append(self, trials: Sequence[Trial]) -> None:
        """Add trials; cuts off the rest of a torn line first."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a+b") as file:
            file.seek(0)
            content = file.read()
            if content and not content.endswith(b"\n"):
                file.truncate(content.rfind(b"\n") + 1)
            for trial in trials:
                file.write((json.dumps(asdict(trial)) + "\n").encode())


class Evaluator:
    """Runs jobs in worker processes and keeps their trials on disk.

    Args:
        setting: what all jobs share.
        folder: where trials are kept.
        workers: processes; 0 runs in this one.
        open_rollout: makes a worker's rollout; a module's function, since workers import it.
    """

    def __init__(
        self,
        setting: Setting,
        folder: Path,
        *,
        workers: int = 2,
        open_rollout: OpenRollout = open_twin_rollout,
    ) -> None:
        self.setting = setting
        self._folder = folder
        self._workers = workers
        self._open_rollout = open_rollout
        self._own: Rollout | None = None

    def missing(self, jobs: Sequence[Job]) -> int:
        """Trials that :meth:`run` would have to do."""
        return sum(len(block) for _, block in self._blocks(jobs))

    def run(self, jobs: Sequence[Job], on_trial: OnTrial | None = None) -> list[tuple[Trial, ...]]:
        """Do what is missing; returns the trials of each job in the order of its seeds.

        Args:
            jobs: arms with their seeds.
            on_trial: called in this thread with (job's name, trial) for each that was done now.

        Raises:
            RoboRewardError: a worker's own error, or a worker was ended from outside.
        """
        files = {job.name: TrialFile(self._folder, self.setting, job) for job in jobs}
        blocks = self._blocks(jobs)
        if self._workers == 0:
            for job, seeds in blocks:
                if self._own is None:
                    self._own = self._open_rollout(self.setting)
                trials = run_block(self._own, self.setting, job.chooser, seeds)
                self._keep(files[job.name], job.name, trials, on_trial)
        elif blocks:
            with self._pool(min(self._workers, len(blocks))) as pool:
                pending: dict[Future[list[Trial]], Job] = {
                    pool.submit(_work, job.chooser, seeds): job for job, seeds in blocks
                }
                try:
                    for future in as_completed(pending):
                        name = pending[future].name
                        self._keep(files[name], name, future.result(), on_trial)
                except BrokenProcessPool as error:
                    raise SimulationError(
                        "a worker process of the evaluation was ended from outside",
                        next_step="Usually memory ran out; finished trials are kept, so run the "
                        "same command again.",
                    ) from error
        stored = {job.name: files[job.name].read() for job in jobs}
        return [tuple(stored[job.name][seed] for seed in job.seeds) for job in jobs]

    def _blocks(self, jobs: Sequence[Job]) -> list[tuple[Job, tuple[int, ...]]]:
        blocks = []
        for job in jobs:
            done = TrialFile(self._folder, self.setting, job).read()
            todo = [seed for seed in job.seeds if seed not in done]
            blocks += [(job, tuple(todo[i : i + BLOCK])) for i in range(0, len(todo), BLOCK)]
        return blocks

    @staticmethod
    def _keep(
        file: TrialFile, name: str, trials: Sequence[Trial], on_trial: OnTrial | None
    ) -> None:
        file.append(trials)
        if on_trial is not None:
            for trial in trials:
                on_trial(name, trial)

    @contextmanager
    def _pool(self, workers: int) -> Iterator[ProcessPoolExecutor]:
        pool = ProcessPoolExecutor(
            workers,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_start_worker,
            initargs=(self.setting, self._open_rollout),
        )
        try:
            yield pool
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


_WORKER: list[tuple[Setting, OpenRollout]] = []
_ROLLOUT: list[Rollout] = []
"""The worker's own, opened once per process, when its first request comes."""


def _start_worker(setting: Setting, open_rollout: OpenRollout) -> None:
    # A terminal's Ctrl-C reaches the whole group; the parent decides when workers end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _WORKER[:] = [(setting, open_rollout)]


def _work(chooser: NoiseChooser, seeds: tuple[int, ...]) -> list[Trial]:
    setting, open_rollout = _WORKER[0]
    if not _ROLLOUT:
        # Not in the initializer: an error there would only say that the pool is broken.
        _ROLLOUT.append(open_rollout(setting))
    return run_block(_ROLLOUT[0], setting, chooser, seeds)


def run_block(
    rollout: Rollout, setting: Setting, chooser: NoiseChooser, seeds: Sequence[int]
) -> list[Trial]:
    """Run one episode per seed and judge each by the twin's truth at its end.

    An episode whose physics diverges is a failed one, as it is in training: it must neither end
    the evaluation of the others nor be left out of their number.
    """
    trials = []
    for seed in seeds:
        try:
            result = rollout.run(setting.task, seed, chooser, setting.max_steps)
        except SimulationError as error:
            _LOG.warning("held-out layout %d counts as a failure: %s", seed, error)
            trials.append(Trial(seed, success=False, score=1, progress=0.0, n_steps=0))
            continue
        truth = result.truth
        trials.append(
            Trial(
                seed=seed,
                success=bool(truth.success),
                score=int(truth.score),
                progress=float(truth.progress),
                n_steps=result.summary.n_steps,
            )
        )
    return trials


def candidate_latents(run_seed: int, horizon: int, count: int = CANDIDATES) -> list[Float32Array]:
    """Constant latents to choose from: ``count`` draws of the prior ``[horizon, 7]``, by run."""
    return [prior_noise(CANDIDATE_SEED + run_seed, k, horizon) for k in range(count)]


def candidate_jobs(latents: Sequence[Float32Array], seeds: Sequence[int]) -> list[Job]:
    """Trials to choose a constant latent by, as many in all as ``seeds`` (training layouts).

    Every candidate meets the same layouts: a difference is the latent's.
    """
    each = max(1, len(seeds) // len(latents))
    return [
        Job(f"candidate_{k:02d}", ConstantNoise(w), tuple(seeds[:each]))
        for k, w in enumerate(latents)
    ]


def best_candidate(trials: Sequence[Sequence[Trial]]) -> int:
    """Index of the candidate with most successes; ties go to the higher mean score."""
    return max(
        range(len(trials)),
        key=lambda k: (
            sum(trial.success for trial in trials[k]),
            float(np.mean([trial.score for trial in trials[k]])),
            -k,
        ),
    )

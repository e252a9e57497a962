# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""All runs of the study, one file each: what was stopped goes on with the next run."""

from __future__ import annotations

import dataclasses
import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np

from roboreward_ros.errors import CheckpointError, FormatError
from roboreward_ros.evaluation.intervals import Interval
from roboreward_ros.files import write_atomic
from roboreward_ros.studies.lrm.actors import Actor
from roboreward_ros.studies.lrm.config import Arm, LrmConfig
from roboreward_ros.studies.lrm.lanes import Batch, Lanes
from roboreward_ros.studies.lrm.policy import BasePolicy, clone, collect, load_base, save_base
from roboreward_ros.studies.lrm.train import RunResult, evaluate, train

FORMAT = 1
OnProgress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class LrmResult:
    """The study.

    Attributes:
        config: what was run.
        base: the frozen start on every seed's layouts.
        runs: all arms, all seeds.
    """

    config: LrmConfig
    base: tuple[RunResult, ...]
    runs: tuple[RunResult, ...]

    def of(self, arm: Arm) -> list[RunResult]:
        """An arm's runs in the order of ``base``."""
        found = {run.seed: run for run in self.runs if run.arm is arm}
        return [found[base.seed] for base in self.base if base.seed in found]

    def gain(self, arm: Arm) -> Interval:
        """Held-out success of an arm minus the base policy's, paired by seed; 95 % t interval.

        One seed has no interval: its bounds are NaN.
        """
        before = {base.seed: base.rate for base in self.base}
        return mean_interval([run.rate - before[run.seed] for run in self.of(arm)])


class LrmStudy:
    """Runs or resumes.

    Args:
        config: of the study.
        folder: of base policy and runs.
        on_progress: told in a line of what is being done.
    """

    def __init__(
        self, config: LrmConfig, folder: Path, on_progress: OnProgress = lambda _: None
    ) -> None:
        self.config = config
        self._folder = folder
        self._tell = on_progress
        self._lanes: Lanes | None = None
        self._base: BasePolicy | None = None

    def run(self) -> LrmResult:
        """Do what is missing, a seed after the other.

        Raises:
            CheckpointError: the folder was begun with other settings.
            FormatError: a run's file is damaged.
        """
        self._check()
        base, runs = [], []
        try:
            for seed in self.config.seeds:
                base.append(self._cell(None, seed))
                runs += [self._cell(arm, seed) for arm in self.config.arms]
        finally:
            if self._lanes is not None:
                self._lanes.close()
        return LrmResult(self.config, tuple(base), tuple(runs))

    def _cell(self, arm: Arm | None, seed: int) -> RunResult:
        name = arm or "base"
        path = self._folder / f"{name}-seed{seed}.json"
        if path.is_file():
            return _read(path)
        lanes, policy, began = self._open_lanes(), self._open_base(), time.process_time()
        actor: Actor | None = None
        curve: tuple[float, ...] = ()
        kl = 0.0
        if arm is not None:
            actor, curve, kl = train(
                arm, seed, policy, lanes, self.config,
                lambda i, b, _: self._note(f"{name} seed {seed}", i, b),
            )  # fmt: skip
        batch = evaluate(actor, policy, lanes, seed, self.config)
        result = RunResult(
            arm=arm,
            seed=seed,
            curve=curve,
            successes=int(batch.success[-1].sum()),
            held_out=self.config.held_out,
            progress=round(float(batch.progress[-1].mean()), 4),
            kl=round(kl, 3),
            cpu_s=round(time.process_time() - began, 1),
        )
        content = {"format": FORMAT, **dataclasses.asdict(result)}
        write_atomic(path, json.dumps(content) + "\n")
        self._tell(f"{name} seed {seed}: held-out success {result.rate:.2f}")
        return result

    def _note(self, name: str, iteration: int, batch: Batch) -> None:
        if (iteration + 1) % 10 == 0:
            self._tell(f"{name}: iteration {iteration + 1}, success {batch.rate:.2f}")

    def _open_lanes(self) -> Lanes:
        if self._lanes is None:
            config = self.config
            self._lanes = Lanes(config.episodes, config.base.chunk_size, config.max_steps)
        return self._lanes

    def _open_base(self) -> BasePolicy:
        """The cloned policy, made by the first run and read by all others."""
        if self._base is None:
            path = self._folder / "base.safetensors"
            if not path.is_file():
                self._tell("demonstrations for the base policy")
                data = collect(self.config.base)
                save_base(path, clone(data, self.config.base, self._note_cloning))
            self._base = load_base(path, self.config.base)
        return self._base

    def _note_cloning(self, step: int, loss: float) -> None:
        self._tell(f"base policy: step {step} of {self.config.base.steps}, loss {loss:.3f}")

    def _check(self) -> None:
        """Refuse to mix runs of different settings; arms and seeds may be added."""
        settings = dataclasses.asdict(self.config)
        for name in ("arms", "seeds"):
            settings.pop(name)
        text = json.dumps({"format": FORMAT, **settings}, indent=1, sort_keys=True) + "\n"
        path = self._folder / "config.json"
        if not path.is_file():
            write_atomic(path, text)
        elif path.read_text() != text:
            raise CheckpointError(
                "this study was begun with other settings",
                got=str(path),
                next_step="Take another folder (--runs), or delete this one.",
            )


def mean_interval(values: list[float]) -> Interval:
    """Mean with its 95 % interval by Student's t; the bounds of a single value are NaN."""
    from scipy.stats import t

    mean = float(np.mean(values)) if values else math.nan
    if len(values) < 2:
        return Interval(mean, math.nan, math.nan)
    half = float(t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / math.sqrt(len(values)))
    return Interval(mean, mean - half, mean + half)


def _read(path: Path) -> RunResult:
    try:
        content = cast("dict[str, object]", json.loads(path.read_text()))
        if content.pop("format") != FORMAT:
            raise ValueError("another format")
        content["arm"] = None if content["arm"] is None else Arm(str(content["arm"]))
        content["curve"] = tuple(cast("list[float]", content["curve"]))
        return RunResult(**content)  # type: ignore[arg-type]
    except (ValueError, KeyError, TypeError) as error:
        raise FormatError(
            "a run of the study cannot be read",
            got=f"{path}: {error}",
            next_step="Delete the file: the run is done again.",
        ) from error

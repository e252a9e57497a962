# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The optimiser's loop of a fine-tuning, on one process or many.

What a step sees and its dropout are functions of (seed, step, process), and the rate is one of the
step, so weights and optimiser state are all that a kill must leave. The loss of a step is a sum
over its examples divided by their weight, so that neither micro-batches nor processes nor packing
change what is learned.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import json
import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator, DistributedType, InitProcessGroupKwargs
from torch import Tensor

from roboreward_ros.errors import ConfigError, LearnerError
from roboreward_ros.reward_training.finetune.checking import Validation, check, chosen_rows
from roboreward_ros.reward_training.finetune.feeding import Feeder, chances, most, total
from roboreward_ros.reward_training.finetune.folder import Folder, Standing
from roboreward_ros.reward_training.finetune.material import Material
from roboreward_ros.reward_training.finetune.network import (
    load_weights,
    losses,
    preference_losses,
    prepare,
)
from roboreward_ros.reward_training.finetune.plan import Plan, by_video, share
from roboreward_ros.reward_training.finetune.recipe import FinetuneConfig, Precision, Tracker
from roboreward_ros.reward_training.finetune.writing import Micro, Writing
from roboreward_ros.rewards.vlm.backend import Backend

TRAINING, CURVES = "training", "curves"


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a training stands.

    Attributes:
        step: optimiser steps done.
        steps: in all.
        loss: of the last step.
        lr: its learning rate.
        best: least validation error so far; infinite before the first validation.
        validation: of this step, where there was one.
    """

    step: int
    steps: int
    loss: float
    lr: float
    best: float
    validation: Validation | None = None


def make_accelerator(config: FinetuneConfig, out: Path) -> Accelerator:
    """Devices, precision and trackers.

    Raises:
        ConfigError: a tracker that is not installed.
    """
    tracker = config.watch.tracker
    if tracker is not Tracker.NONE and find_spec(str(tracker)) is None:
        raise ConfigError(
            "the tracker is not installed",
            got=str(tracker),
            next_step=f"pip install {tracker}, or set watch.tracker: none",
        )
    cuda = torch.cuda.is_available()
    half = config.compute.precision is Precision.BFLOAT16
    half = half or (cuda and config.compute.precision is Precision.AUTO)
    return Accelerator(
        cpu=not cuda,
        mixed_precision="bf16" if half else "no",
        log_with=None if tracker is Tracker.NONE else str(tracker),
        project_dir=str(out / CURVES),
        # The first process decodes all videos while the others wait.
        kwargs_handlers=[InitProcessGroupKwargs(timeout=dt.timedelta(hours=24))],
    )


class Finetuning:
    """One training; ``out/training`` holds what it goes on from after a kill.

    Args:
        out: folder of the training.
        config: recipe.
        material: of ``gather``.
        accelerator: of ``make_accelerator``.

    Raises:
        RewardSourceError: the model cannot be loaded.
        CheckpointError: the folder belongs to another training.
    """

    def __init__(
        self, out: Path, config: FinetuneConfig, material: Material, accelerator: Accelerator
    ) -> None:
        self._config, self._material, self._accelerator = config, material, accelerator
        # FSDP wants all weights of a layer in one dtype.
        half = accelerator.distributed_type is not DistributedType.FSDP
        half = half and accelerator.mixed_precision == "bf16" and accelerator.device.type != "cpu"
        weights = load_weights(config, half)
        self.base = weights.identity
        backend = Backend(weights)
        backend.self_check()
        self._feeder = Feeder(Writing(backend, material.form, material.store), config.compute)
        network = prepare(weights, config)
        tuned = config.optimisation
        moved = list(network.trained().values())
        optimiser = torch.optim.AdamW(
            [
                {"params": [p for p in moved if p.ndim > 1], "weight_decay": tuned.weight_decay},
                {"params": [p for p in moved if p.ndim <= 1], "weight_decay": 0.0},
            ],
            lr=tuned.lr,
            betas=(tuned.beta1, tuned.beta2),
        )
        self.network, self._optimiser = accelerator.prepare(network, optimiser)
        self.plan = Plan(material.train, tuned, config.compute.together, config.seed)
        self.identity = identity(config, material, self.base)
        self.folder = Folder(out / TRAINING, self.identity, accelerator.is_main_process)
        self.at: Standing = self.folder.restore(self.network, self._optimiser.optimizer)
        self._before: Tensor | None = None
        self._rows = chosen_rows(len(material.validation), config.watch.rows, config.seed)
        if config.watch.tracker is not Tracker.NONE:
            accelerator.init_trackers(
                config.watch.project,
                init_kwargs={
                    "tensorboard": {"purge_step": self.at.step + 1},
                    "wandb": {"id": self.identity[:16], "resume": "allow", "dir": str(out)},
                },
            )

    def run(
        self,
        on_progress: Callable[[Progress], object] = lambda _: None,
        wanted: Callable[[], bool] = lambda: True,
        until: int | None = None,
    ) -> bool:
        """Train to the end; False where it was stopped before.

        Args:
            on_progress: told after every step, in every process.
            wanted: asked after every step; the first no, in any process, saves and ends.
            until: stop behind this step, as if it were no longer wanted.

        Raises:
            LearnerError: the loss is no finite number.
        """
        at, steps, watch = self.at, self.plan.steps, self._config.watch
        end = steps if until is None else min(until, steps)
        if self._material.form.preference and self._before is None and at.step < end:
            self._before = self._reference()
        go_on = True
        with ThreadPoolExecutor(1, "next step") as pool:
            ready = pool.submit(self._micros, at.step)
            while at.step < end and go_on:
                micros = ready.result()
                if at.step + 1 < end:
                    ready = pool.submit(self._micros, at.step + 1)
                loss, rate = self._advance(micros)
                ready.exception()  # the tokenizer is used by one thread at a time
                go_on = most(self._accelerator, int(not wanted())) == 0
                found = None
                if at.step % watch.validate_every == 0 or at.step == steps:
                    found = self.validate()
                    if found.mae < at.best:
                        at.best, at.best_step = found.mae, at.step
                        self.folder.keep_best(self.network, at)
                self._note(loss, rate, found)
                if at.step % watch.save_every == 0 or at.step == end or not go_on:
                    self.folder.save(self.network, self._optimiser.optimizer, at)
                on_progress(Progress(at.step, steps, loss, rate, at.best, found))
        return at.step >= steps

    def validate(self) -> Validation:
        """Errors of the present weights on held-out examples."""
        return check(
            self._accelerator,
            self.network,
            self._feeder,
            self._material.form,
            self._material.validation,
            self._rows,
            self._config.compute.together,
        )

    def _micros(self, step: int) -> list[Micro]:
        """What this process looks at in a step; never empty."""
        bundles = self.plan.step(step)
        own = share(bundles, self._accelerator.num_processes, self._accelerator.process_index)
        form = self._material.form
        # A process without a share looks at something all the same: the others wait for it.
        return self._feeder.micros(
            self._material.train, own or bundles[:1], form.replies, ended=True
        )

    def _advance(self, micros: Sequence[Micro]) -> tuple[float, float]:
        """One optimiser step; returns its loss, over all processes, and its rate."""
        accelerator, train, at = self._accelerator, self._material.train, self.at
        rate = self._config.optimisation.rate(at.step, self.plan.steps)
        for group in self._optimiser.param_groups:
            group["lr"] = rate
        bundles = self.plan.step(at.step)
        weight = sum(train[number].weight for bundle in bundles for number in bundle)
        own = share(bundles, accelerator.num_processes, accelerator.process_index)
        entropy = (self._config.seed, at.step, accelerator.process_index)
        torch.manual_seed(int(np.random.SeedSequence(entropy).generate_state(1)[0]))
        self.network.train()
        count = most(accelerator, len(micros))
        summed = torch.zeros(1)
        for place in range(count):
            real = bool(own) and place < len(micros)
            micro = micros[min(place, len(micros) - 1)].to(accelerator.device)
            last = place == count - 1
            with contextlib.nullcontext() if last else accelerator.no_sync(self.network):
                loss = self._loss(self.network(micro), micro) / weight
                loss = loss if real else 0.0 * loss
                # Gradients are averaged over processes, but the loss is a sum.
                accelerator.backward(loss * accelerator.num_processes)
            summed += loss.detach().float().cpu()
        value = float(total(accelerator, summed))
        if not math.isfinite(value):
            raise LearnerError(
                "the loss is no finite number",
                got=value,
                next_step="Take a lower learning rate; the last state is still there.",
            )
        accelerator.clip_grad_norm_(self.network.parameters(), self._config.optimisation.clip_norm)
        self._optimiser.step()
        self._optimiser.zero_grad(set_to_none=True)
        at.step += 1
        return value, rate

    def _loss(self, sums: Tensor, micro: Micro) -> Tensor:
        numbers = [reply.example for reply in micro.replies]
        weights = [self._material.train[number].weight for number in numbers]
        shares = torch.tensor(weights, device=sums.device)
        if self._before is None:
            return losses(sums, micro, shares)
        preference = self._config.preference
        before = self._before[numbers[::2]].flatten().to(sums.device)
        return preference_losses(sums, before, micro, shares, preference.beta, preference.sft)

    def _reference(self) -> Tensor:
        """Chances of every pair's replies under the weights that the training began with."""
        kept = self.folder.reference()
        if kept is not None:
            return kept
        if self.at.step:
            raise LearnerError("what the model held likely at the beginning is lost")
        train, form = self._material.train, self._material.form
        bundles = by_video(train, range(len(train)), self._config.compute.together)
        sums = torch.zeros(len(train), 2)
        for micro, values in chances(
            self._accelerator, self.network, self._feeder, train, bundles, form.replies, ended=True
        ):
            numbers = [reply.example for reply in micro.replies][::2]
            sums[numbers] = values.view(-1, 2)
        sums = total(self._accelerator, sums)
        self.folder.keep_reference(sums)
        return sums

    def _note(self, loss: float, rate: float, found: Validation | None) -> None:
        row = {"step": self.at.step, "loss": loss, "lr": rate}
        if found is not None:
            row |= {f"validation_{name}": value for name, value in asdict(found).items()}
        self.folder.note(row)
        curves = {name: value for name, value in row.items() if name != "step"}
        self._accelerator.log(curves, step=self.at.step)


def identity(config: FinetuneConfig, material: Material, base: str) -> str:
    """Digest of what decides the weights: recipe without places and trackers, data, base model."""
    values = asdict(config)
    for name in ("model", "revision", "offline", "data", "merge"):
        del values[name]
    del values["watch"]["tracker"], values["watch"]["project"], values["compute"]["workers"]
    text = json.dumps([values, material.sha256, base], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()

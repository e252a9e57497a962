# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The optimiser's loop: look first, then judge; killed at any step it goes on as before.

What a step sees is a function of (seed, step), so weights and optimiser state are all that a
checkpoint has to hold. One thread: the same recipe gives the same weights, bit for bit.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from roboreward_ros.errors import CheckpointError
from roboreward_ros.reward_training.config import ModelSize, Stage, TrainConfig
from roboreward_ros.reward_training.dataset import ClipSet
from roboreward_ros.reward_training.loss import answer_loss, ask
from roboreward_ros.reward_training.model import build
from roboreward_ros.reward_training.network import Heads, see
from roboreward_ros.reward_training.packing import Packer
from roboreward_ros.reward_training.sampling import Sampler
from roboreward_ros.reward_training.targets import facts_loss, facts_of, look_loss
from roboreward_ros.reward_training.validation import Validation, validate
from roboreward_ros.rewards.vlm.backend import Backend
from roboreward_ros.rewards.vlm.prompt import Order
from roboreward_ros.rewards.vlm.weights import Weights

STATE, BEST, LOG = "state.pt", "best.pt", "log.jsonl"
BETAS = (0.9, 0.98)


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a training stands.

    Attributes:
        step: optimiser steps done.
        steps: in all.
        loss: of the last step.
        answer: its part on the answers; NaN where there is none.
        position_m: mean error of the positions that the tokens tell, m.
        validation: of this step, where there was one.
    """

    step: int
    steps: int
    loss: float
    answer: float
    position_m: float
    validation: Validation | None = None


class Trainer:
    """Trains one model; ``folder`` holds what a resumed training needs.

    Args:
        folder: of ``state.pt``, ``best.pt`` and ``log.jsonl``.
        clips: training data.
        held_out: validation data, from other layouts.
        size: of the network.
        config: see there.
    """

    def __init__(
        self,
        folder: Path,
        clips: ClipSet,
        held_out: ClipSet,
        size: ModelSize,
        config: TrainConfig,
    ) -> None:
        self.folder = folder
        self.config = config
        self.size = size
        self.vocabulary = clips.vocabulary
        self.weights: Weights = build(size, self.vocabulary.sentences, config.seed)
        self.backend = Backend(self.weights)
        self.packer = Packer(self.backend)
        self._samplers: dict[int, Sampler] = {}
        self.clips = clips
        self.held_out = held_out
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed + 1)
            self.heads = Heads(size.hidden, len(self.vocabulary.things) + 1)
        self.step = 0
        self.best = math.inf
        model = self.weights.model
        decayed = [p for p in model.parameters() if p.ndim > 1]
        plain = [p for p in model.parameters() if p.ndim <= 1]
        self.optimiser = torch.optim.AdamW(
            [
                {"params": decayed, "weight_decay": config.weight_decay},
                {"params": [*plain, *self.heads.parameters()], "weight_decay": 0.0},
            ],
            lr=1e-3,
            betas=BETAS,
        )
        folder.mkdir(parents=True, exist_ok=True)
        if (folder / STATE).is_file():
            self._restore()

    @property
    def steps(self) -> int:
        """Optimiser steps in all."""
        return sum(stage.steps for stage in self.config.stages)

    def identity(self) -> str:
        """Digest of what decides the weights beside the data."""
        text = json.dumps([asdict(self.size), asdict(self.config)], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def run(
        self,
        on_progress: Callable[[Progress], None] = lambda _: None,
        until: int | None = None,
    ) -> None:
        """Train up to step ``until``, or to the end."""
        end = min(until or self.steps, self.steps)
        torch.set_num_threads(1)
        while self.step < end:
            progress = self.advance()
            config = self.config
            answered = self._stage()[0].answer > 0
            if answered and (self.step % config.validate_every == 0 or self.step == self.steps):
                found = validate(
                    self.backend, self.packer, self.held_out, config.validation_clips, config.seed
                )
                self._keep(found)
                progress = dataclasses.replace(progress, validation=found)
            if self.step % config.save_every == 0 or self.step == end:
                self.save()
            on_progress(progress)

    def advance(self) -> Progress:
        """One optimiser step."""
        stage, begun = self._stage(ahead=1)
        self._schedule(stage, begun)
        self.weights.model.train()
        self.weights.model.model.visual.requires_grad_(not stage.freeze_tower)
        sampler = self._sampler(stage.shards)
        rng = sampler.rng(self.step)
        loss, answer, position = (
            self._judge(stage, sampler, rng)
            if stage.answer > 0
            else self._look(stage, sampler, rng)
        )
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        parameters = [p for group in self.optimiser.param_groups for p in group["params"]]
        torch.nn.utils.clip_grad_norm_(parameters, self.config.clip_norm)
        self.optimiser.step()
        self.step += 1
        return Progress(self.step, self.steps, float(loss.detach()), answer, position)

    def _look(
        self, stage: Stage, sampler: Sampler, rng: np.random.Generator
    ) -> tuple[torch.Tensor, float, float]:
        frames, states = sampler.pairs(rng, stage.batch)
        rows = self.backend.patching.rows(frames)
        tokens = see(self.backend, rows, len(states), (frames.shape[1], frames.shape[2]))
        loss, error = look_loss(self.heads, tokens, states, self.vocabulary)
        return stage.look * loss, math.nan, error

    def _judge(
        self, stage: Stage, sampler: Sampler, rng: np.random.Generator
    ) -> tuple[torch.Tensor, float, float]:
        chosen, questions = sampler.draw(
            rng, stage.batch, stage.instructions or self.config.instructions
        )
        order = list(Order)[int(rng.integers(2))]
        videos = [sampler.video(int(index)) for index in chosen]
        sentences = self.vocabulary.sentences
        texts = [[sentences[k] for k in asked] for asked in questions]
        asked = ask(self.backend, self.packer, videos, texts, order)
        owners = np.repeat(np.arange(len(chosen)), [len(q) for q in questions])
        numbers = np.concatenate(questions)
        clips = sampler.clips
        labels = clips.labels[chosen[owners], numbers].astype(np.int64)
        answer = answer_loss(self.backend, asked.states, labels)
        loss = stage.answer * answer
        error = math.nan
        if stage.facts:
            first = np.stack([video.states[0] for video in videos])[owners]
            last = np.stack([video.states[-1] for video in videos])[owners]
            tasks = clips.task[chosen].astype(np.int64)[owners]
            facts = facts_of(first, last, tasks, numbers, self.vocabulary)
            loss = loss + stage.facts * facts_loss(self.heads.facts(asked.states), facts)
        if stage.look:
            seen, error = look_loss(self.heads, asked.tokens, asked.looked, self.vocabulary)
            loss = loss + stage.look * seen
        return loss, float(answer.detach()), error

    def _sampler(self, shards: int) -> Sampler:
        """Draws from the first so many shards (0: all)."""
        if shards not in self._samplers:
            clips = ClipSet(self.clips.folder, shards) if shards else self.clips
            self._samplers[shards] = Sampler(clips, self.config)
        return self._samplers[shards]

    def _stage(self, ahead: int = 0) -> tuple[Stage, int]:
        """The stage of the last step (``ahead=1``: of the next), and its first step."""
        begun = 0
        for stage in self.config.stages:
            if self.step + ahead <= begun + stage.steps:
                return stage, begun
            begun += stage.steps
        return self.config.stages[-1], begun - self.config.stages[-1].steps

    def _schedule(self, stage: Stage, begun: int) -> None:
        done = self.step - begun
        rise = min(1.0, (done + 1) / max(1, stage.warmup))
        fall = 0.5 + 0.5 * math.cos(math.pi * done / (stage.cycle or stage.steps))
        rate = stage.lr * rise * (stage.lr_end + (1 - stage.lr_end) * fall)
        for group in self.optimiser.param_groups:
            group["lr"] = rate

    def _keep(self, found: Validation) -> None:
        """Note a validation; keep the weights if none was better."""
        with (self.folder / LOG).open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": self.step, **asdict(found)}) + "\n")
        if found.mae < self.best:
            self.best = found.mae
            content = {"model": self.weights.model.state_dict(), "step": self.step}
            _write({**content, "mae": found.mae}, self.folder / BEST)

    def save(self) -> None:
        """Write everything that a resumed training needs; atomic."""
        content = {
            "identity": self.identity(),
            "model": self.weights.model.state_dict(),
            "heads": self.heads.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "step": self.step,
            "best": self.best,
        }
        _write(content, self.folder / STATE)

    def load_best(self) -> int:
        """Put the best weights into the network; returns their step.

        Raises:
            CheckpointError: there was no validation yet.
        """
        path = self.folder / BEST
        if not path.is_file():
            raise CheckpointError("no validation has chosen weights yet", got=str(path))
        content = torch.load(path, weights_only=True)
        self.weights.model.load_state_dict(content["model"])
        return int(content["step"])

    def _restore(self) -> None:
        content = torch.load(self.folder / STATE, weights_only=True)
        if content["identity"] != self.identity():
            raise CheckpointError(
                "a training with other settings lies in this folder",
                got=str(self.folder),
                next_step="Give another folder, or delete this one.",
            )
        self.weights.model.load_state_dict(content["model"])
        self.heads.load_state_dict(content["heads"])
        self.optimiser.load_state_dict(content["optimiser"])
        self.step, self.best = int(content["step"]), float(content["best"])


def _write(content: dict[str, object], path: Path) -> None:
    partial = path.with_suffix(".partial")
    torch.save(content, partial)
    partial.replace(path)

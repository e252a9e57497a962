# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which arm of the comparison runs at which trial: fixed before the first one, hidden till the end.

Every scene of a fixed list is laid out twice in a row, once for each arm, in an order that a coin
decided; half of the scenes begin with the base policy. Drifts of light, wear and operator so meet
both arms alike, and the difference can be taken scene by scene.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from roboreward_ros.episodes.codec import Fields, from_text
from roboreward_ros.errors import ConfigError, FormatError
from roboreward_ros.evaluation.success import Arm
from roboreward_ros.files import write_atomic

PLAN_FORMAT = 1
NAME, HIDDEN = "evaluation.json", "assignment.json"
ARMS = (Arm.BASE, Arm.STEERED)
FIRST_SEED = 2**31
"""Seeds of the trials' noise lie where those of held-out evaluation do."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One episode of the comparison.

    Attributes:
        number: from 1, in the order in which they run.
        scene: index into the list of scenes.
        arm: who chooses the noise.
        seed: of the noise; the same for both arms of a scene.
    """

    number: int
    scene: int
    arm: Arm
    seed: int


@dataclass(frozen=True, slots=True)
class TrialPlan:
    """The whole comparison.

    Attributes:
        task: the sentence.
        max_steps: time limit, control steps.
        policy_id: of the frozen policy.
        actor_version: of the steering actor.
        actor_sha256: of its file.
        scenes: how each is to be laid out, in words.
        trials: in order.
        seed: of the assignment.
    """

    task: str
    max_steps: int
    policy_id: str
    actor_version: int
    actor_sha256: str
    scenes: tuple[str, ...]
    trials: tuple[Trial, ...]
    seed: int

    def __post_init__(self) -> None:
        if not self.task or not self.trials:
            raise ConfigError("a comparison needs a task and trials", got=self.task)
        if self.max_steps < 1 or self.actor_version < 1:
            raise ConfigError(
                "a comparison needs a time limit and a trained actor",
                got=f"{self.max_steps} steps, actor {self.actor_version}",
                allowed="1 or more each",
            )
        if any(not 0 <= trial.scene < len(self.scenes) for trial in self.trials):
            raise ConfigError("a trial names a scene that is not in the list")


def assign(scenes: tuple[str, ...], n: int, seed: int) -> tuple[Trial, ...]:
    """Trials of ``n`` scenes for each arm; see the module's text.

    Args:
        scenes: the list; it is begun again where ``n`` is larger.
        n: trials of each arm.
        seed: of the coin.

    Raises:
        ConfigError: no scenes, or n below 1.
    """
    if not scenes or n < 1:
        raise ConfigError("a comparison needs scenes", got=f"{len(scenes)} scenes, n = {n}")
    rng = np.random.default_rng(seed)
    base_first = rng.permutation(np.arange(n) % 2 == rng.integers(2))
    trials: list[Trial] = []
    for pair in range(n):
        order = ARMS if base_first[pair] else ARMS[::-1]
        for arm in order:
            noise = FIRST_SEED + seed * 1000 + pair
            trials.append(Trial(len(trials) + 1, pair % len(scenes), arm, noise))
    return tuple(trials)


def save_plan(folder: Path, plan: TrialPlan) -> None:
    """Write the plan; the arms go into a file of their own, which nobody needs to open."""
    body = {
        "format": PLAN_FORMAT,
        "task": plan.task,
        "max_steps": plan.max_steps,
        "policy_id": plan.policy_id,
        "actor_version": plan.actor_version,
        "actor_sha256": plan.actor_sha256,
        "scenes": list(plan.scenes),
        "n_trials": len(plan.trials),
    }
    rows = [{"scene": t.scene, "arm": t.arm.value, "seed": t.seed} for t in plan.trials]
    hidden = {
        "note": "which arm each trial belongs to: read it after the judgements only",
        "format": PLAN_FORMAT,
        "seed": plan.seed,
        "trials": rows,
    }
    write_atomic(folder / HIDDEN, json.dumps(hidden))
    write_atomic(folder / NAME, json.dumps(body, indent=1, ensure_ascii=False))


def load_plan(folder: Path) -> TrialPlan | None:
    """The plan of a folder; None where there is none.

    Raises:
        FormatError: damaged, or of a newer format.
    """
    if not (folder / NAME).exists():
        return None
    told, hidden = _read(folder / NAME), _read(folder / HIDDEN)
    try:
        trials = tuple(
            Trial(number, row.integer("scene"), row.enum("arm", Arm), row.integer("seed"))
            for number, row in enumerate(hidden.objects("trials"), 1)
        )
        return TrialPlan(
            task=told.text("task"),
            max_steps=told.integer("max_steps"),
            policy_id=told.text("policy_id"),
            actor_version=told.integer("actor_version"),
            actor_sha256=told.text("actor_sha256"),
            scenes=told.texts("scenes"),
            trials=trials,
            seed=hidden.integer("seed"),
        )
    except ConfigError as error:
        raise FormatError(f"{folder} holds an impossible plan", got=str(error)) from error


def _read(path: Path) -> Fields:
    try:
        fields = Fields(from_text(path.read_bytes(), str(path)), str(path))
    except OSError as error:
        raise FormatError(f"{path} cannot be read", got=error.strerror) from None
    if fields.integer("format") > PLAN_FORMAT:
        raise FormatError(
            f"{path} was written by a newer roboreward_ros",
            got=f"format {fields.integer('format')}",
            allowed=f"format <= {PLAN_FORMAT}",
            next_step="Upgrade roboreward_ros to read it.",
        )
    return fields

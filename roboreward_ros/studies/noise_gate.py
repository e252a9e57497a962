# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What does the frozen policy do under a noise form, before anything is learnt?

Repeating one latent along a chunk is outside of what many policies have seen; their success then
falls to nothing and no learner brings it back. A form that plainly kills the base is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from roboreward_ros.dsrl.config import DsrlConfig, NoiseForm
from roboreward_ros.dsrl.noise_forms import NoiseMap
from roboreward_ros.errors import LearnerError
from roboreward_ros.policies.noise import prior_noise
from roboreward_ros.protocols import Policy
from roboreward_ros.session.canary import kills
from roboreward_ros.studies.rollout import PriorNoise, Rollout
from roboreward_ros.types import ACTION_DIM, Float32Array


@dataclass(frozen=True, slots=True)
class FormNoise:
    """z ~ N(0, I) through a noise form: what its untrained actor does.

    Attributes:
        form: of the noise.
        basis: K of ``NoiseForm.BASIS``.
    """

    form: NoiseForm
    basis: int = 2
    version: int = 0
    steered: bool = False

    def decide(
        self, policy: Policy, features: Float32Array, remaining: float, seed: int, chunk: int
    ) -> tuple[Float32Array, Float32Array]:
        del remaining
        horizon = policy.spec.prediction_horizon
        noise_map = NoiseMap(self.form, horizon, self.basis)
        w0 = prior_noise(seed, chunk, horizon).reshape(-1)
        z = prior_noise(seed + 1, chunk, horizon).reshape(-1)[: noise_map.latent_dim]
        w = w0 if self.form is NoiseForm.FULL else noise_map.noise(z, w0)
        w = w.reshape(horizon, ACTION_DIM)
        return w, policy.decode(features[None], w[None])[0]


@dataclass(frozen=True, slots=True)
class FormResult:
    """Attributes: form; successes of the base policy under it; episodes; whether it is refused."""

    form: NoiseForm
    successes: int
    episodes: int
    refused: bool


def measure_forms(
    rollout: Rollout,
    task: str,
    seeds: Sequence[int],
    max_steps: int,
    forms: Sequence[FormNoise],
    error: float = 0.05,
) -> list[FormResult]:
    """Base success under plain noise and each form, on the same layouts.

    Args:
        rollout: twin, or arm with a way to tell success.
        task: sentence.
        seeds: of layouts and noise.
        max_steps: time limit in control steps.
        forms: to compare with plain noise, which comes first in the result.
        error: probability of a wrong refusal, each.
    """
    base = sum(r.success for r in rollout.run_many(task, seeds, PriorNoise(), max_steps))
    found = [FormResult(NoiseForm.FULL, base, len(seeds), refused=False)]
    for form in forms:
        if form.form is NoiseForm.FULL:
            continue
        won = sum(r.success for r in rollout.run_many(task, seeds, form, max_steps))
        refused = kills((won, len(seeds)), (base, len(seeds)), error)
        found.append(FormResult(form.form, won, len(seeds), refused))
    return found


def require_form(config: DsrlConfig, results: Sequence[FormResult]) -> None:
    """Refuse a learner whose noise form kills the base policy.

    Raises:
        LearnerError: it does, by the numbers.
    """
    base = next(r for r in results if r.form is NoiseForm.FULL)
    mine = next((r for r in results if r.form is config.noise), base)
    if mine.refused:
        raise LearnerError(
            f"noise form '{mine.form}' kills the frozen policy before anything is learnt",
            got=f"{mine.successes}/{mine.episodes} successes",
            allowed=f"at least half of plain noise's {base.successes}/{base.episodes}",
            next_step="Take noise: full, or noise: basis.",
        )

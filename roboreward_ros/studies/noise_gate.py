# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What does the frozen policy do under the noise of untrained actors, before anything is learnt?

Repeating one latent along a chunk is outside of what many policies have seen; their success then
falls to nothing and no learner brings it back. ``dsrl.noise_record`` keeps what was found.
"""

from __future__ import annotations

from collections.abc import Sequence

from roboreward_ros.dsrl.actor import SteeringActor
from roboreward_ros.dsrl.noise_record import FormResult, Place
from roboreward_ros.studies.rollout import PriorNoise, Rollout, SteeredNoise


def measure_forms(
    rollout: Rollout,
    task: str,
    seeds: Sequence[int],
    max_steps: int,
    actors: Sequence[SteeringActor],
) -> list[FormResult]:
    """Base success under plain noise and under what each untrained actor draws, same layouts.

    Args:
        rollout: on the twin.
        task: sentence.
        seeds: of layouts and noise.
        max_steps: time limit in control steps.
        actors: without weights (``dsrl.noise_record.untrained_actor``).
    """
    n = len(seeds)
    base = sum(r.success for r in rollout.run_many(task, seeds, PriorNoise(), max_steps))
    found = []
    for actor in actors:
        won = sum(r.success for r in rollout.run_many(task, seeds, SteeredNoise(actor), max_steps))
        found.append(FormResult.of(actor, task, Place.TWIN, (won, n), (base, n)))
    return found

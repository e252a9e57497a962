# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A latent actor imitates prior data before the first update (flow reversal steering, 2606.13675).

Only decisions whose latent is known take part: what the policy could have done itself. The actor
may not leave the prior by more than its budget of divergence on the way, so imitation narrows
where the policy acts and does not leave what it decodes well.
"""

from __future__ import annotations

import math

import numpy as np
import torch

from roboreward_ros.dsrl.actor_network import ActorNetwork, kl_to_prior
from roboreward_ros.dsrl.agent import Agent, Batch
from roboreward_ros.dsrl.replay import ReplayView

_FENCE = 10.0  # nats of loss per nat beyond the budget: far steeper than any likelihood gains


def clone_prior(agent: Agent, replay: ReplayView, rng: np.random.Generator) -> int:
    """Do ``config.clone_updates`` steps of maximum likelihood.

    Returns:
        Rows that were there to imitate; without any the actor stays the prior.
    """
    config = agent.config
    rows = replay.trainable_rows(prior=True)
    rows = rows[replay.known_noise[rows]]
    actor = agent.actor
    if not len(rows) or config.clone_updates == 0 or not isinstance(actor, ActorNetwork):
        return 0
    states = agent.states(replay)
    optimizer = agent.optimizers()["actor"]
    for _ in range(config.clone_updates):
        batch = Batch.of(replay, states, rng.choice(rows, config.batch_size))
        mean, log_std = actor.distribution(batch.state)
        z = (agent.latents(batch.noise) - mean) * torch.exp(-log_std)
        unlikely = (0.5 * z.square() + log_std + 0.5 * math.log(2 * math.pi)).sum(dim=1)
        beyond = torch.relu(kl_to_prior(mean, log_std) - config.kl_budget)
        optimizer.zero_grad()
        (unlikely + _FENCE * beyond).mean().backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return len(rows)

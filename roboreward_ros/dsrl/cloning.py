# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A latent actor imitates what people have shown (flow reversal steering, 2606.13675).

Only decisions whose latent is known take part: what the policy could have done itself; and none of
an episode whose label is in the lower half of its scale. The actor may not leave the prior by more
than its budget of divergence on the way, so imitation narrows where the policy acts and does not
leave what it decodes well; and it keeps only what makes decisions likelier that it was not shown,
so that demonstrations of which nothing general can be learnt leave it alone. All that is known is
imitated when the warm-up ends; each correction that comes later calls for a small share of that,
since the actor then also knows what the run has taught it.
"""

from __future__ import annotations

import copy
import math

import numpy as np
import numpy.typing as npt
import torch

from roboreward_ros.dsrl.actor_network import ActorNetwork, kl_to_prior
from roboreward_ros.dsrl.agent import Agent, Batch
from roboreward_ros.dsrl.config import Acting
from roboreward_ros.dsrl.replay import ReplayView
from roboreward_ros.dsrl.shaping import unit_score

_FENCE = 10.0  # nats of loss per nat beyond the budget: far steeper than any likelihood gains


LATER = 10
"""A correction behind the warm-up calls for ``clone_updates`` divided by this."""
FEWEST = 10
"""Decisions below which nobody can tell imitation from learning by heart."""
_HELD_OUT = 5  # one decision of so many is not shown
_LOOK_EVERY = 10  # updates


def clone_prior(agent: Agent, replay: ReplayView, rng: np.random.Generator, updates: int) -> int:
    """Do ``updates`` steps of maximum likelihood; the actor becomes the best of them.

    The optimiser's moments are afterwards what they were; working copies of the weights
    (``dsrl.compute``) are the caller's to refresh.

    Returns:
        Rows that were there to imitate; below ``FEWEST`` the actor stays what it is.
    """
    config, actor = agent.config, agent.actor
    if updates == 0 or config.acting is not Acting.ACTOR or not isinstance(actor, ActorNetwork):
        return 0
    rows = _imitable(replay)
    if len(rows) < FEWEST:
        return len(rows)
    states = agent.states(replay)
    hidden = Batch.of(replay, states, rows[::_HELD_OUT])
    shown = np.delete(rows, np.s_[::_HELD_OUT])
    optimizer = agent.optimizers()["actor"]  # its hooks serve the working copies
    moments = copy.deepcopy(optimizer.state_dict())
    optimizer.load_state_dict({**moments, "state": {}})
    least, best = math.inf, actor.state_dict()
    for update in range(updates + 1):
        if update % _LOOK_EVERY == 0 or update == updates:
            with torch.no_grad():
                loss = float(_loss(agent, actor, hidden))
            if loss < least:
                least = loss
                best = {name: value.clone() for name, value in actor.state_dict().items()}
        batch = Batch.of(replay, states, rng.choice(shown, config.batch_size))
        optimizer.zero_grad()
        _loss(agent, actor, batch).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    actor.load_state_dict(best)
    optimizer.load_state_dict(moments)
    return len(rows)


def _loss(agent: Agent, actor: ActorNetwork, batch: Batch) -> torch.Tensor:
    """Negative log likelihood of a batch's latents, fenced by the budget of divergence."""
    mean, log_std = actor.distribution(batch.state)
    z = (agent.latents(batch.noise) - mean) * torch.exp(-log_std)
    unlikely = (0.5 * z.square() + log_std + 0.5 * math.log(2 * math.pi)).sum(dim=1)
    beyond = torch.relu(kl_to_prior(mean, log_std) - agent.config.kl_budget)
    return (unlikely + _FENCE * beyond).mean()


def _imitable(replay: ReplayView) -> npt.NDArray[np.int64]:
    """Rows of prior data and corrections to imitate, sorted."""
    rows = np.sort(replay.trainable_rows(prior=True))
    rows = rows[replay.known_noise[rows]]
    failed = [
        np.arange(stored.start, stored.start + stored.rows) % replay.capacity
        for stored in replay.episodes.values()
        if stored.score is not None and unit_score(stored.score.value, stored.score.scale) < 0.5
    ]
    return rows[~np.isin(rows, np.concatenate(failed))] if failed else rows

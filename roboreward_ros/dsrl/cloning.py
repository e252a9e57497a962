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

A copy of the actor learns, by a copy of the generator; the learner has both with the last step. So
a checkpoint in the middle holds what imitation began from, and a resume begins it again.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch

from roboreward_ros.dsrl.actor_network import ActorNetwork, kl_to_prior
from roboreward_ros.dsrl.agent import Agent, Batch
from roboreward_ros.dsrl.compute import Compute, equip
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


class Imitation:
    """``updates`` steps of maximum likelihood; the actor becomes the best of them.

    Args:
        agent: whose actor imitates; its optimisers stay what they are.
        actor: of ``agent``.
        replay: must not change before the last step.
        rng: of the learner; goes on behind the draws of the last step.
        updates: 1 or more.
        compute: of the updates.
        rows: of the replay to imitate, ``FEWEST`` or more.
    """

    def __init__(
        self,
        agent: Agent,
        actor: ActorNetwork,
        replay: ReplayView,
        rng: np.random.Generator,
        updates: int,
        compute: Compute,
        rows: npt.NDArray[np.int64],
    ) -> None:
        self._agent, self._actor, self._replay, self._rng = agent, actor, replay, rng
        self._left = updates
        self._states = agent.states(replay)
        self._hidden = Batch.of(replay, self._states, rows[::_HELD_OUT])
        self._shown = np.delete(rows, np.s_[::_HELD_OUT])
        self._copy, self._draws = copy.deepcopy(actor), copy.deepcopy(rng)
        self._optimizer = torch.optim.Adam(
            self._copy.parameters(), lr=agent.config.actor_lr, fused=True
        )
        equip([self._copy], [self._optimizer], replace(compute, compile=False))
        self._least, self._best = math.inf, actor.state_dict()
        self._look()

    @classmethod
    def begin(
        cls,
        agent: Agent,
        replay: ReplayView,
        rng: np.random.Generator,
        updates: int,
        compute: Compute,
    ) -> Imitation | None:
        """None where nothing can be imitated: no latent actor, or fewer than ``FEWEST`` rows."""
        actor = agent.actor
        if agent.config.acting is not Acting.ACTOR or not isinstance(actor, ActorNetwork):
            return None
        rows = _imitable(replay)
        if len(rows) < FEWEST:
            return None
        return cls(agent, actor, replay, rng, updates, compute, rows)

    @property
    def done(self) -> bool:
        """Whether the actor is what became of it."""
        return self._left == 0

    def advance(self, n: int, enough: Callable[[], bool]) -> int:
        """Do up to ``n`` steps, fewer once it is ``enough``; returns how many.

        Behind the last one working copies of the weights (``dsrl.compute``) are the caller's to
        refresh.
        """
        before = self._left
        while self._left and before - self._left < n:
            self._step()
            self._left -= 1
            if self._left % _LOOK_EVERY == 0:
                self._look()
            if enough():
                break
        if self.done:
            self._actor.load_state_dict(self._best)
            self._rng.bit_generator.state = self._draws.bit_generator.state
        return before - self._left

    def _step(self) -> None:
        rows = self._draws.choice(self._shown, self._agent.config.batch_size)
        batch = Batch.of(self._replay, self._states, rows)
        self._optimizer.zero_grad()
        _loss(self._agent, self._copy, batch).backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()

    def _look(self) -> None:
        """Keep the present weights where they explain the hidden decisions best."""
        with torch.no_grad():
            loss = float(_loss(self._agent, self._copy, self._hidden))
        if loss < self._least:
            weights = self._copy.state_dict()
            self._least, self._best = loss, {name: it.clone() for name, it in weights.items()}


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

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What every algorithm shares: batches, the latent actor with its temperature, the update's loop.

The algorithms themselves are in ``sac`` (Q(s, w)), ``noise_aliased`` (Q_A(s, a) distilled into
Q_W(s, w)) and ``edit`` (Q(s, a) over edited chunks).
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from roboreward_ros.dsrl.actor import SteeringActor
from roboreward_ros.dsrl.actor_network import ActorNetwork, Draw, arrays
from roboreward_ros.dsrl.config import Acting, ActorForm, Backup, Combine, DsrlConfig
from roboreward_ros.dsrl.critic import CriticEnsemble, combine
from roboreward_ros.dsrl.noise_forms import NoiseMap
from roboreward_ros.dsrl.replay import ReplayView
from roboreward_ros.dsrl.shaping import value_bounds
from roboreward_ros.types import ACTION_DIM, Float32Array

Rows = npt.NDArray[np.int64]
_MEASURE_EVERY = 8  # updates between two looks at the losses; looking costs a tenth of an update


@dataclass(frozen=True, slots=True)
class UpdateMetrics:
    """Means over every few updates of one call.

    Attributes:
        critic_loss: per critic.
        actor_loss: alpha * price - Q.
        alpha: price of one nat.
        kl: what alpha multiplies: divergence of the actor from N(0, I), nats per chunk (of a
            squashed actor its log density).
        entropy: differential entropy of the actor, nats per chunk.
        q_mean: value of the stored transitions.
        q_spread: standard deviation between critics on the actor's latents.
    """

    critic_loss: float = 0.0
    actor_loss: float = 0.0
    alpha: float = 0.0
    kl: float = 0.0
    entropy: float = 0.0
    q_mean: float = 0.0
    q_spread: float = 0.0


class States:
    """States of replay rows as ``SteeringActor`` sees them; the cost is that of the rows asked for.

    Args:
        replay: holds features and remaining time.
        mean, scale: of the features ``[F]``.
        bound: of a normalised feature.
        timed: whether the networks see the remaining time.
    """

    def __init__(
        self, replay: ReplayView, mean: Tensor, scale: Tensor, bound: float, timed: bool
    ) -> None:
        self._features = torch.from_numpy(replay.features)
        self._remaining = torch.from_numpy(replay.remaining)
        self._size = replay.high_water
        self._mean, self._scale, self._bound, self._timed = mean, scale, bound, timed

    def __len__(self) -> int:
        """Rows ever written."""
        return self._size

    def __getitem__(self, rows: Tensor) -> Tensor:
        """Normalised features and remaining time ``[B, F + 1]`` of ``rows`` int64 ``[B]``."""
        x = self._features[rows].sub_(self._mean).mul_(self._scale)
        x.clamp_(-self._bound, self._bound)
        time = self._remaining[rows].mul_(2.0).sub_(1.0) if self._timed else x.new_zeros(len(x))
        return torch.cat([x, time.unsqueeze(1)], dim=1)


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of the replay as tensors; B rows.

    Attributes:
        rows: which, int64 ``[B]``.
        next_rows: of the next decision.
        state: normalised features and remaining time ``[B, F + 1]``.
        following: of the next decision; meaningless where ``mask`` is 0.
        noise: what ran ``[B, P * 7]``; 0 where not known.
        reward, mask, returns: ``[B]``; returns are NaN where not known.
        taught: 1 where a critic learns from the row ``[E, B]``.
    """

    rows: Rows
    next_rows: Rows
    state: Tensor
    following: Tensor
    noise: Tensor
    reward: Tensor
    mask: Tensor
    returns: Tensor
    taught: Tensor

    @classmethod
    def of(cls, replay: ReplayView, states: States, rows: Rows) -> Batch:
        """Gather ``rows``; ``states`` as of ``Agent.states``."""
        following = np.minimum(replay.next_rows(rows), len(states) - 1)
        return cls(
            rows=rows,
            next_rows=following,
            state=states[torch.from_numpy(rows)],
            following=states[torch.from_numpy(following)],
            noise=torch.from_numpy(replay.noise[rows]),
            reward=torch.from_numpy(replay.rewards[rows]),
            mask=torch.from_numpy(replay.masks[rows]),
            returns=torch.from_numpy(replay.returns[rows]),
            taught=torch.from_numpy(replay.members[rows]).T,
        )


class Agent(ABC):
    """Networks, optimisers and one update.

    Args:
        config: every knob.
        feature_dim: F.
        noise_dim: P * 7.
        seed: of the first weights and of the sampling in the updates.
    """

    actor: nn.Module
    critic: CriticEnsemble
    target: CriticEnsemble

    def __init__(self, config: DsrlConfig, feature_dim: int, noise_dim: int, seed: int) -> None:
        self.config = config
        self.rng = torch.Generator().manual_seed(seed)
        self.low, self.high = value_bounds(config)
        self.noise_map = NoiseMap(config.noise, noise_dim // ACTION_DIM, config.basis)
        self.feature_mean = torch.zeros(feature_dim)
        self.feature_scale = torch.ones(feature_dim)
        self.log_alpha = torch.tensor(np.log(config.alpha_init), dtype=torch.float32)
        self.log_alpha.requires_grad_(True)
        self.alpha_optimizer = torch.optim.Adam([self.log_alpha], lr=config.alpha_lr)
        self.steps = 0
        self._noise_rows = torch.from_numpy(self.noise_map.rows().copy())

    # What a checkpoint must hold besides ``steps`` and ``rng``.

    def modules(self) -> dict[str, nn.Module]:
        """Networks by name."""
        return {"actor": self.actor, "critic": self.critic, "target": self.target}

    @abstractmethod
    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """Optimisers by name."""

    def vectors(self) -> dict[str, Tensor]:
        """Everything else, by name; restored in place."""
        return {
            "log_alpha": self.log_alpha,
            "feature_mean": self.feature_mean,
            "feature_scale": self.feature_scale,
        }

    def not_finite(self) -> list[str]:
        """What of a checkpoint holds a number that is not finite, by name; its last update too."""
        held = {name: [vector] for name, vector in self.vectors().items()}
        held |= {name: list(net.state_dict().values()) for name, net in self.modules().items()}
        for name, optimizer in self.optimizers().items():
            slots = optimizer.state_dict()["state"].values()
            held[f"{name}_optimizer"] = [value for slot in slots for value in slot.values()]
        return [
            name
            for name, tensors in held.items()
            if not all(bool(tensor.isfinite().all()) for tensor in tensors)
        ]

    # What the algorithms say.

    @abstractmethod
    def step(self, batch: Batch, replay: ReplayView, measure: bool) -> Tensor | None:
        """One gradient step; with ``measure`` the seven values of ``UpdateMetrics``."""

    @abstractmethod
    def snapshot(self, version: int, policy_id: str) -> SteeringActor:
        """A frozen copy of what acts, for the policy node."""

    def between(self, replay: ReplayView, states: States, rng: np.random.Generator) -> None:
        """What an algorithm does between two steps; the step's number decides, not the call."""
        del replay, states, rng

    # Shared parts.

    def fit(self, replay: ReplayView) -> None:
        """Fix the normalisation by what the warm-up saw; constant features are switched off."""
        x = torch.from_numpy(replay.known_features())
        mean, scale = moments(x)
        self.feature_mean.copy_(mean)
        self.feature_scale.copy_(scale)

    def states(self, replay: ReplayView) -> States:
        """The states of ``replay``, normalised as they are asked for."""
        config = self.config
        return States(
            replay, self.feature_mean, self.feature_scale, config.feature_clip, config.time_input
        )

    def update(
        self,
        replay: ReplayView,
        rng: np.random.Generator,
        n: int,
        enough: Callable[[], bool] = lambda: False,
    ) -> UpdateMetrics | None:
        """Run ``n`` gradient steps on uniform batches of ``replay``, fewer once it is ``enough``.

        Nothing is read back from tensors before the end, so the steps run without a stop.

        Returns:
            What was measured; None when so few steps came between two measurements.
        """
        states = self.states(replay)
        total = torch.zeros(7)
        measured = 0
        for _ in range(n):
            rows = replay.sample(rng, self.config.batch_size)
            # By the step's own number: a run draws the same however it is divided into calls.
            measure = self.steps % _MEASURE_EVERY == 0
            seen = self.step(Batch.of(replay, states, rows), replay, measure)
            self.between(replay, states, rng)
            if measure and seen is not None:
                total += seen
                measured += 1
            if enough():
                break
        return UpdateMetrics(*(total / measured).tolist()) if measured else None

    def latents(self, noise: Tensor) -> Tensor:
        """Latents ``[B, Z]`` of noise ``[B, P * 7]`` (``dsrl.noise_forms``)."""
        if noise.shape[1] == len(self._noise_rows):
            return noise
        if self.noise_map.preserves_prior:
            return noise @ self._noise_rows.T
        return noise[:, : len(self._noise_rows)]

    def noise(self, z: Tensor) -> Tensor:
        """Noise ``[B, P * 7]`` that latents ``[B, Z]`` run as; draws what the form leaves open."""
        rows = self._noise_rows
        if rows.shape[0] == rows.shape[1]:
            return z
        w = z @ rows
        if self.noise_map.preserves_prior:
            w0 = torch.randn(w.shape, generator=self.rng)
            w = w + w0 - (w0 @ rows.T) @ rows
        return w

    def values(self, raw: Tensor) -> Tensor:
        """Critic outputs as values; with ``bounded`` inside the range of possible returns."""
        if self.config.bounded:
            return self.low + (self.high - self.low) * torch.sigmoid(raw)
        return raw

    def combined(self, values: Tensor, how: Combine) -> Tensor:
        """One value ``[B]`` from the ensemble's ``[E, B]``."""
        if how is Combine.SUBSET:
            chosen = torch.randperm(len(values), generator=self.rng)[: self.config.subset]
            return values[chosen].amin(dim=0)
        return combine(values, how, self.config.pessimism)

    def price(self, draw: Draw) -> Tensor:
        """What the backup takes off the value of the next state ``[B]`` (SAC eq. 3)."""
        if self.config.backup is Backup.HARD:
            return torch.zeros(())
        alpha = self.log_alpha.detach().exp()
        if self.config.backup is Backup.CAPPED:
            alpha = alpha.clamp_max(self.config.alpha_cap)
        return alpha * draw.price

    def regression_target(self, batch: Batch, value: Tensor) -> Tensor:
        """Targets ``[B]`` from the value of the next state, within the range of possible returns.

        SAC eq. 5 for one chunk, y = r + gamma mask V(s'), mixed with the return that was really
        obtained where it is known: (1 - m) y + m G.
        """
        config = self.config
        y = torch.addcmul(batch.reward, batch.mask, value, value=config.chunk_gamma)
        if config.monte_carlo > 0:
            mixed = torch.lerp(y, batch.returns, config.monte_carlo)
            y = torch.where(torch.isnan(batch.returns), y, mixed)
        return y.clamp(self.low, self.high) if config.clip_targets else y

    def critic_loss(self, raw: Tensor, y: Tensor, taught: Tensor) -> Tensor:
        """Loss ``[E]`` of critic outputs ``[E, B]``, each on its own share of the episodes.

        J_Q of SAC eq. 5; with ``bounded`` the cross entropy of the value inside its range.
        """
        goal = y.expand_as(raw)
        if self.config.bounded:
            goal = (goal - self.low) / (self.high - self.low)
            losses = functional.binary_cross_entropy_with_logits(raw, goal, reduction="none")
        else:
            losses = 0.5 * functional.mse_loss(raw, goal, reduction="none")
        return (losses * taught).sum(dim=1) / taught.sum(dim=1).clamp_min(1.0)

    def best_of_prior(self, state: Tensor, critic: CriticEnsemble, how: Combine) -> Tensor:
        """The best of ``candidates`` prior latents by a latent critic ``[B, Z]``."""
        n, dim = self.config.candidates, self.noise_map.latent_dim
        z = torch.randn(len(state), n, dim, generator=self.rng)
        x = torch.cat([state.unsqueeze(1).expand(-1, n, -1), z], dim=-1).flatten(0, 1)
        best = self.combined(critic(x), how).view(-1, n).argmax(dim=1)
        return z[torch.arange(len(state)), best]

    def actor_turn(self) -> bool:
        """Whether the actor learns in this step."""
        config = self.config
        return self.steps > config.critic_only_updates and self.steps % config.actor_period == 0

    def update_alpha(self, price: Tensor) -> None:
        """Dual ascent (SAC eq. 18): on E[KL] <= budget, or for a squashed actor on its entropy."""
        config = self.config
        if config.alpha_lr > 0:
            residual = config.actor is ActorForm.RESIDUAL
            budget = config.kl_budget if residual else -config.target_entropy
            self.alpha_optimizer.zero_grad()
            loss = self.log_alpha * (budget - price)
            loss.backward()  # type: ignore[no-untyped-call]
            self.alpha_optimizer.step()

    def actor_file(
        self, version: int, policy_id: str, weights: dict[str, Float32Array]
    ) -> SteeringActor:
        """The file's contents around ``weights``."""
        config = self.config
        if not config.time_input:  # its numpy copy always sees the time: it must not matter
            state_dim = len(self.feature_mean) + 1
            for name in (n for n in weights if n.endswith("hidden.0.weight")):
                weights[name][..., state_dim - 1, :] = 0.0
        weights["features.mean"] = self.feature_mean.numpy().copy()
        weights["features.scale"] = self.feature_scale.numpy().copy()
        return SteeringActor(
            version=version,
            policy_id=policy_id,
            horizon=self.noise_map.horizon,
            mean_bound=config.mean_bound,
            log_std_bound=config.log_std_bound,
            noise_bound=config.latent_bound,
            feature_clip=config.feature_clip,
            weights=weights,
            form=config.noise,
            basis=config.basis,
            squash=0.0 if config.actor is ActorForm.RESIDUAL else config.latent_bound,
            activation=config.activation,
        )

    def latent_actor_file(
        self, version: int, policy_id: str, actor: ActorNetwork, latent_critic: CriticEnsemble
    ) -> SteeringActor:
        """The file of an actor that chooses latents, or of the critic that does it in its place."""
        config = self.config
        if config.acting is Acting.ACTOR:
            return self.actor_file(version, policy_id, arrays(actor))
        return dataclasses.replace(
            self.actor_file(version, policy_id, arrays(latent_critic, "critic.")),
            candidates=config.candidates,
            combine=config.actor_combine,
            pessimism=config.pessimism,
        )


def moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and inverse spread ``[D]`` of ``x [n, D]``; 0 for what does not vary."""
    std, mean = torch.std_mean(x, dim=0)
    alive = std > 1e-4 * (1.0 + mean.abs())
    return mean, torch.where(alive, 1.0 / std.clamp_min(1e-12), torch.zeros(()))

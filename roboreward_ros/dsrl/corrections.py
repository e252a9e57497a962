# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Episodes of the run in which a person took the arm over, as the learner can use them.

The policy decided all the time, so every decision has its features; but where a person moved the
arm, another chunk ran than the one that its noise decodes to. Such a decision gets what was
executed and the noise that the sampler would have needed for it, or none where the policy could not
have done the same (``dsrl.prior_data``) or its sampler cannot be inverted. A chunk in which the
person only looked on is a pause and no demonstration. What the policy did before and after stays
what it was.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from roboreward_ros.dsrl.inversion_record import InvertedDecision
from roboreward_ros.dsrl.pieces import Pieces, inverted, whole
from roboreward_ros.dsrl.prior_data import InversionLimits
from roboreward_ros.dsrl.takeovers import is_pause, taken_over
from roboreward_ros.errors import CheckpointError, LearnerError
from roboreward_ros.policies.dataset import chunks_of
from roboreward_ros.policies.inversion import Inversion, Invertible
from roboreward_ros.protocols import EpisodeReader, Policy
from roboreward_ros.types import Chunk, EpisodeSummary, StepFlag

_LOG = logging.getLogger(__name__)


class CorrectedEpisode:
    """See the module's text; has what ``dsrl.replay.EpisodeData`` asks for.

    Args:
        episode: of the run, ``taken_over``.
        policy: frozen policy of the run; of one that cannot be inverted no noise of a person's
            chunks is known, so that they teach an action critic only.
        limits: when a latent counts as unknown.

    Raises:
        LearnerError: recorded with another policy.
    """

    def __init__(
        self,
        episode: EpisodeReader,
        policy: Policy,
        limits: InversionLimits | None = None,
    ) -> None:
        meta = episode.summary.meta
        if meta.policy_id != policy.spec.policy_id:
            raise LearnerError(
                f"episode {meta.episode_id} was recorded with another policy",
                got=meta.policy_id,
                allowed=policy.spec.policy_id,
            )
        self._episode = episode
        self._policy = policy
        self._limits = limits or InversionLimits()
        self._chunks: tuple[Chunk, ...] | None = None
        self._inverted: tuple[InvertedDecision, ...] = ()

    @property
    def summary(self) -> EpisodeSummary:
        """The episode's own, without the taint that is dealt with here."""
        return replace(self._episode.summary, taint=())

    def flags(self) -> Sequence[int]:
        return self._episode.flags()

    def correct(self) -> Pieces[Sequence[Chunk]]:
        """Decisions in order; the sampler is inverted once only."""
        if self._chunks is None:
            self._chunks = yield from self._correct()
        return self._chunks

    def chunks(self) -> Sequence[Chunk]:
        """Decisions in order, without a stop."""
        return whole(self.correct())

    def inverted(self) -> tuple[InvertedDecision, ...]:
        """A person's decisions, for the record; none where the sampler cannot be inverted."""
        self.chunks()
        return self._inverted

    def _correct(self) -> Pieces[tuple[Chunk, ...]]:
        policy, size = self._policy, self._policy.spec.chunk_size
        chunks, flags = list(self._episode.chunks()), np.asarray(self.flags(), dtype=np.int64)
        hands = [
            k
            for k, chunk in enumerate(chunks)
            if np.any(flags[chunk.step : chunk.step + size] & int(StepFlag.TAKEOVER))
        ]
        actions = self._episode.actions()
        starts = [chunks[k].step for k in hands]
        done = chunks_of(actions, policy.spec.prediction_horizon)[starts]
        noise = np.full_like(done, np.nan)
        found: Inversion | None = None
        if isinstance(policy, Invertible):
            features = np.stack([chunks[k].features for k in hands])
            found = yield from inverted(policy, features, done)
            usable = found.usable(self._limits.residual, self._limits.norm)
            noise[usable] = found.noise[usable]
        for row, k in enumerate(hands):
            step = chunks[k].step
            ran = min(size, len(actions) - step)
            chunks[k] = replace(
                chunks[k],
                noise=noise[row],
                actions=done[row],
                steered=False,
                executed=0 if is_pause(actions, step, ran) else ran,
            )
        if found is not None:
            self._inverted = tuple(
                InvertedDecision(
                    chunks[k].index, chunks[k].step, float(found.residual[row]),
                    float(found.norm[row]), bool(usable[row]), chunks[k].executed == size,
                )
                for row, k in enumerate(hands)
            )  # fmt: skip
        name = self._episode.summary.meta.episode_id
        _LOG.info(
            "%s: a person moved the arm in %d decisions, the noise of %d is known",
            *(name, len(hands), int(np.isfinite(noise).all(axis=(1, 2)).sum())),
        )
        return tuple(chunks)


class Corrector:
    """Corrects episodes as they come; the policy is loaded when the first one does.

    Args:
        load: gives the run's frozen policy.
    """

    def __init__(self, load: Callable[[], Policy]) -> None:
        self._load = load
        self._policy: Policy | None = None

    def __call__(self, episode: EpisodeReader) -> CorrectedEpisode | None:
        """The episode as the learner can use it; None where no person moved the arm.

        Raises:
            LearnerError: the policy cannot be loaded, or is another one.
        """
        if not taken_over(episode):
            return None
        try:
            if self._policy is None:
                self._policy = self._load()
                if not isinstance(self._policy, Invertible):
                    _LOG.warning(
                        "the sampler of this policy cannot be inverted: what a person does in an "
                        "episode teaches an action critic only, what the policy does as ever"
                    )
        except CheckpointError as error:
            raise LearnerError("a takeover cannot be learnt from", got=str(error)) from error
        return CorrectedEpisode(episode, self._policy)

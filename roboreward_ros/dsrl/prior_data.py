# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Demonstrations and corrected episodes as prior data of the replay.

What a person did has no noise. Here every decision's state is encoded again by the frozen policy
and the sampler is inverted for the actions that followed (``policies.inversion``): where the policy
could have done the same, the row has a latent and teaches every critic; where it could not, the
latent stays unknown and the row teaches an action critic only. Episodes that a person took over
in mid-course are taken whole: every decision by what was executed in it, whoever did it. A
person's return is not the policy's, so their chunks bootstrap and are never mixed with the return
of the episode.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from roboreward_ros.dsrl.inversion_record import InvertedDecision
from roboreward_ros.dsrl.pieces import Pieces, inverted, stretches
from roboreward_ros.dsrl.prior_features import PriorFeatures
from roboreward_ros.dsrl.takeovers import is_pause, taken_over
from roboreward_ros.episodes.promoted import read_promoted
from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.episodes.views import RewardView, ViewConfig
from roboreward_ros.errors import ConfigError, FormatError, LearnerError
from roboreward_ros.policies.dataset import chunks_of
from roboreward_ros.policies.inversion import Inversion, Invertible
from roboreward_ros.protocols import EpisodeReader
from roboreward_ros.types import (
    Chunk,
    EpisodeSummary,
    Float32Array,
    FloatArray,
    ImageU8,
    Score,
    StepFlag,
    closing_chunk,
    without_closing,
)

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class InversionLimits:
    """From where on a latent counts as unknown; see ``Inversion.usable``.

    Attributes:
        residual: largest ``pi(s, w) - a``, root mean square in spreads of the actions.
        norm: largest ``|w| / sqrt(P * 7)``.
    """

    residual: float = 0.05
    norm: float = 1.8


@dataclass(frozen=True, slots=True)
class PriorEpisode:
    """An episode as the replay takes it; has what ``dsrl.replay.EpisodeData`` asks for.

    Attributes:
        summary: the episode's own, under the policy that it was encoded with.
        decisions: a chunk per decision, noise is NaN where it is unknown; and the closing one.
        step_flags: StepFlag values ``[T]``; TAKEOVER where the actions were not the policy's.
        score: its label; None while unlabelled.
        inversion: of every decision, for the record.
    """

    summary: EpisodeSummary
    decisions: tuple[Chunk, ...]
    step_flags: tuple[int, ...]
    score: Score | None
    inversion: Inversion

    def chunks(self) -> Sequence[Chunk]:
        return self.decisions

    def flags(self) -> Sequence[int]:
        return self.step_flags

    def inverted(self) -> tuple[InvertedDecision, ...]:
        """Every decision, for the record."""
        size, found = self.summary.meta.chunk_size, self.inversion
        made = without_closing(self.decisions, self.summary.n_steps)
        return tuple(
            InvertedDecision(
                chunk.index, chunk.step, float(residual), float(norm),
                known=bool(np.isfinite(chunk.noise).all()), whole=chunk.executed == size,
            )
            for chunk, residual, norm in zip(made, found.residual, found.norm, strict=True)
        )  # fmt: skip


def prior_episode(
    episode: EpisodeReader,
    policy: Invertible,
    score: Score | None,
    limits: InversionLimits | None = None,
    name: str = "",
    kept: PriorFeatures | None = None,
) -> Pieces[PriorEpisode]:
    """Encode and invert one episode.

    Args:
        episode: of any policy or person, at the policy's control rate; also one that a person took
            over, whatever its actions were decided by.
        policy: frozen policy of the run that learns.
        score: the episode's label.
        limits: when a latent counts as unknown.
        name: id to give it; the run that learns must not know it.
        kept: where its features are looked for, and kept once they are made.

    Raises:
        LearnerError: recorded at another rate, or empty.
    """
    limits = limits or InversionLimits()
    spec, meta = policy.spec, episode.summary.meta
    if abs(meta.control_hz - spec.control_hz) > 1e-6:
        raise LearnerError(
            f"demonstration {meta.episode_id} runs at another rate than the policy",
            got=f"{meta.control_hz:g} Hz",
            allowed=f"{spec.control_hz:g} Hz",
        )
    actions = episode.actions()
    starts = list(range(0, len(actions), spec.chunk_size))
    if not starts:
        raise LearnerError(f"demonstration {meta.episode_id} holds no step")
    name = name or meta.episode_id
    seen = [*starts, len(actions)]  # the last state closes the episode
    encoded = kept.find(name, meta, seen) if kept is not None else None
    if encoded is None:
        encoded = yield from _encode(episode, policy, seen)
        if kept is not None:
            kept.keep(name, meta, seen, encoded)
    features, end = encoded[:-1], encoded[-1]
    chunks = chunks_of(actions, spec.prediction_horizon)[starts]
    found = yield from inverted(policy, features, chunks)
    usable = found.usable(limits.residual, limits.norm)
    noise = np.where(usable[:, None, None], found.noise, np.float32(np.nan))
    decisions = tuple(
        Chunk(
            index=k,
            step=step,
            noise=noise[k],
            features=features[k],
            actions=chunks[k],
            policy_version=0,
            steered=False,
            executed=_ran(episode, actions, step, spec.chunk_size),
        )
        for k, step in enumerate(starts)
    )
    closing = closing_chunk(len(starts), len(actions), end, spec.prediction_horizon, 0)
    own = meta.policy_id == spec.policy_id
    flags = tuple(int(f) | (0 if own else int(StepFlag.TAKEOVER)) for f in episode.flags())
    renamed = replace(meta, episode_id=name, policy_id=spec.policy_id, chunk_size=spec.chunk_size)
    summary = replace(episode.summary, meta=renamed, taint=())  # taken over: dealt with here
    return PriorEpisode(summary, (*decisions, closing), flags, score, found)


def find_demonstrations(run_dir: Path | str) -> EpisodeStore:
    """The episodes of a folder of prior data.

    Raises:
        ConfigError: it holds none.
    """
    store = EpisodeStore(run_dir, "r")
    if not store.ids():
        raise ConfigError(
            "the folder of demonstrations holds no episodes",
            got=str(run_dir),
            next_step="Give the folder of a run, the one that holds episodes/.",
        )
    return store


def prior_episodes(
    run_dir: Path | str,
    policy: Invertible,
    source: str = "",
    limits: InversionLimits | None = None,
    kept: PriorFeatures | None = None,
) -> Iterator[Pieces[PriorEpisode | None]]:
    """The episodes of a run with their labels, by the run's present view.

    What cannot be used is logged by name and gives None, and the rest goes on.

    Args:
        run_dir: of demonstrations, or of an earlier run.
        policy: frozen policy of the run that learns.
        source: label source; "" takes the run's promoted one, else a person's keys.
        limits: when a latent counts as unknown.
        kept: features of earlier starts.

    Raises:
        ConfigError: the folder holds no episodes.
    """
    store = find_demonstrations(run_dir)
    view = RewardView.of_run(
        run_dir, ViewConfig(source) if source else read_promoted(run_dir) or ViewConfig("human")
    )
    stem = Path(run_dir).resolve().name

    def taken(episode_id: str) -> Pieces[PriorEpisode | None]:
        try:
            episode = store.open(episode_id)
            if why := _unusable(episode):
                _LOG.warning("demonstration %s is left out: %s", episode_id, why)
                return None
            score, name = view.label(episode_id), f"prior_{stem}_{episode_id}"
            return (yield from prior_episode(episode, policy, score, limits, name, kept))
        except (LearnerError, FormatError) as error:
            _LOG.error("demonstration %s is left out: %s", episode_id, error)
            return None

    return (taken(episode_id) for episode_id in store.ids())


def _unusable(episode: EpisodeReader) -> str:
    """Why an episode cannot teach; "" where it can. One that a person took over is a correction."""
    summary = episode.summary
    if summary.discarded:
        return "discarded"
    if not summary.complete:
        return "incomplete"
    if summary.taint and not taken_over(episode):
        return ", ".join(summary.taint)
    return ""


def _ran(episode: EpisodeReader, actions: FloatArray, step: int, size: int) -> int:
    """Control periods of a decision that teach; none where a person only looked on."""
    ran = min(size, len(actions) - step)
    flags = np.asarray(episode.flags()[step : step + ran], dtype=np.int64)
    by_hand = bool(np.any(flags & int(StepFlag.TAKEOVER)))
    return 0 if by_hand and is_pause(actions, step, ran) else ran


def _encode(
    episode: EpisodeReader, policy: Invertible, steps: Sequence[int]
) -> Pieces[Float32Array]:
    """Features ``[len(steps), F]`` of the observations at ``steps``."""
    frames, proprio, meta = episode.frames(), episode.proprio(), episode.summary.meta
    encoded = []
    for rows in stretches(len(steps)):
        own = steps[rows]
        images = [_decode(frames[step], meta.episode_id) for step in own]
        encoded.append(policy.encode(images, proprio[own], [meta.task] * len(own)))
        yield
    return np.concatenate(encoded)


def _decode(jpeg: bytes, episode_id: str) -> ImageU8:
    image = cv2.imdecode(np.frombuffer(jpeg, dtype=np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise FormatError("a frame cannot be decoded", got=f"episode {episode_id}")
    return np.ascontiguousarray(image[..., ::-1])

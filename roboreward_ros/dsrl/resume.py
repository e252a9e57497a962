# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A run's checkpoint taken up again: it is of this run, its policy and its settings, or refused."""

from __future__ import annotations

import logging
from collections.abc import Collection
from pathlib import Path

from roboreward_ros.dsrl.checkpoint import (
    LEARNER_FORMAT,
    checkpoint_episodes,
    checkpoint_format,
    load_learner,
)
from roboreward_ros.dsrl.chunk_decoder import decode_of
from roboreward_ros.dsrl.compute import Compute
from roboreward_ros.dsrl.config import DsrlConfig
from roboreward_ros.dsrl.learner import Learner, fingerprint
from roboreward_ros.dsrl.stores import Stores
from roboreward_ros.errors import CheckpointError, LearnerError
from roboreward_ros.protocols import EpisodeReader, Policy
from roboreward_ros.types import ACTION_DIM, PolicySpec

_LOG = logging.getLogger(__name__)


def spec_of(episode: EpisodeReader) -> PolicySpec:
    """What a recorded episode says about the policy that ran it.

    Raises:
        LearnerError: it holds no decision.
    """
    meta = episode.summary.meta
    chunks = episode.chunks()
    if not chunks:
        raise LearnerError(f"episode {meta.episode_id} holds no decision")
    return PolicySpec(
        policy_id=meta.policy_id,
        prediction_horizon=chunks[0].noise.size // ACTION_DIM,
        chunk_size=meta.chunk_size,
        feature_dim=chunks[0].features.size,
        image_size=0,
        control_hz=meta.control_hz,
    )


def resume_learner(
    path: Path,
    stores: Stores,
    config: DsrlConfig,
    seed: int,
    compute: Compute,
    policy: Policy | None,
    *,
    exact: bool,
) -> Learner | None:
    """The learner of a run's checkpoint; None where there is none, or one of an older format.

    One of an older format is put aside: the stores are learnt anew.

    Args:
        path: the checkpoint.
        stores: of the run.
        config: given now; without ``exact`` the checkpoint's own counts.
        seed: given now, as ``config``.
        compute: device, precision and compilation of the updates.
        policy: frozen policy that decodes noise in the updates; None where none does.
        exact: refuse a resume that cannot equal the uninterrupted run to the bit.

    Raises:
        CheckpointError: it is damaged, newer, of another policy, task or run, or cannot be
            resumed exactly; or ``policy`` is not the one that it has learnt with.
    """
    if not path.is_file():
        return None
    older = checkpoint_format(path)
    if 0 < older < LEARNER_FORMAT:
        kept = path.with_name(f"learner_format{older}.safetensors")
        path.replace(kept)
        _LOG.warning("%s has an older format: the learner learns anew from the stores", kept)
        return None
    ids = stores.ids()
    if not ids:
        raise CheckpointError(
            "the run has a learner checkpoint but no episodes",
            got=str(path),
            next_step="Restore episodes/, or start a new run_dir.",
        )
    first = next((name for name in checkpoint_episodes(path) if name in ids), ids[0])
    spec = spec_of(stores.open(first))  # those before it may have been refused
    try:
        decode = decode_of(policy, spec.policy_id)
    except LearnerError as error:
        raise CheckpointError(
            f"learner checkpoint {path} cannot go on: {error.what}",
            got=error.got,
            allowed=error.allowed,
            next_step=error.next_step,
        ) from None
    learner = load_learner(path, spec, compute, decode, exact=exact)
    _refuse_foreign(path, learner, stores, ids)
    _refuse_changed(path, learner, config, seed, exact)
    return learner


def _refuse_foreign(path: Path, learner: Learner, stores: Stores, ids: Collection[str]) -> None:
    """Refuse a checkpoint that other episodes have made."""
    there = {*ids}
    for episode_id, known in learner.prints.items():
        if episode_id not in there:
            raise CheckpointError(
                f"learner checkpoint {path} has learnt from an episode that the run does not have",
                got=episode_id,
                next_step="Restore episodes/, or start a new run_dir.",
            )
        meta = stores.open(episode_id).summary.meta
        if fingerprint(meta) != known:
            raise CheckpointError(
                f"learner checkpoint {path} belongs to another task or run",
                got=f"another {episode_id} than this run's ('{meta.task}')",
                next_step="Use the run's own checkpoint, or start a new run_dir.",
            )


def _refuse_changed(
    path: Path, learner: Learner, config: DsrlConfig, seed: int, exact: bool
) -> None:
    """Refuse a checkpoint that other settings have made; without ``exact`` only say so."""
    saved, given = learner.config.to_mapping(), config.to_mapping()
    changed = [f"{k} {saved[k]} then, {v} now" for k, v in given.items() if saved[k] != v]
    if learner.seed != seed:
        changed.append(f"seed {learner.seed} then, {seed} now")
    if changed and exact:
        raise CheckpointError(
            f"learner checkpoint {path} was made with other settings",
            got="; ".join(changed),
            next_step="Take them back, or keep the checkpoint's own: exact_resume:=false for "
            "learner_node (config/learner_node.yaml).",
        )
    if changed:
        _LOG.warning("the run keeps its checkpoint's settings: %s", "; ".join(changed))

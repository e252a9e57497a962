# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Demonstrations into a fresh learner, before the first episode of its run."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from roboreward_ros.dsrl.inversion_record import note_inversion
from roboreward_ros.dsrl.learner import Learner
from roboreward_ros.dsrl.pieces import Pieces
from roboreward_ros.dsrl.prior_data import PriorEpisode
from roboreward_ros.errors import LearnerError
from roboreward_ros.types import without_closing

_LOG = logging.getLogger(__name__)
PriorData = Callable[[], Iterable[Pieces[PriorEpisode | None]]]


def take_prior(
    learner: Learner, prior: PriorData, run_dir: Path, tell: Callable[[str], None]
) -> Pieces[None]:
    """Take all of ``prior`` in; what does not fit is logged by name.

    Args:
        learner: has observed nothing; its checkpoints hold the demonstrations from then on.
        prior: gives them, in their order.
        run_dir: of the learner, for the record of what inverting them found.
        tell: hears how far it is.
    """
    taken = known = 0
    for pieces in prior():
        episode = yield from pieces
        if episode is None:
            continue
        try:
            taken += learner.observe_prior(episode, episode.score)
            note_inversion(run_dir, episode, learner.config.critic)
        except LearnerError as error:
            _LOG.error("the learner goes on without a demonstration: %s", error)
        chunks = without_closing(episode.chunks(), episode.summary.n_steps)
        known += sum(bool(np.isfinite(chunk.noise).all()) for chunk in chunks)
        tell(f"taking in demonstrations: {taken} so far")
    _LOG.info("%d demonstrations taken, the noise of %d decisions is known", taken, known)

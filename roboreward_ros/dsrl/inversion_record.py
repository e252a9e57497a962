# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What inverting the sampler found, decision by decision, in ``run_dir/inversions``.

One JSON file per episode of prior data or with a correction, written whole; taking the episode in
again writes the same. It says how near the policy comes to what a person did, and what was used.
"""

from __future__ import annotations

import json
import logging
import math
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from roboreward_ros.dsrl.config import CriticForm
from roboreward_ros.files import inside, write_atomic
from roboreward_ros.types import EpisodeSummary

_LOG = logging.getLogger(__name__)
FOLDER = "inversions"
RECORD_FORMAT = 1


class Use(StrEnum):
    """What a decision teaches."""

    EVERY_CRITIC = "every critic"  # and by imitation the actor
    ACTION_CRITIC = "action critic"  # its noise is not known
    NOTHING = "nothing"  # a pause, not whole, or no noise for a latent critic


@dataclass(frozen=True, slots=True)
class InvertedDecision:
    """One decision for which a noise was looked for.

    Attributes:
        index: of the decision.
        step: control step at which it begins.
        residual: see ``Inversion``; spreads of the actions.
        norm: see ``Inversion``; 1 is the prior's.
        known: both are within the limits.
        whole: its chunk ran, and was no pause.
    """

    index: int
    step: int
    residual: float
    norm: float
    known: bool
    whole: bool

    def use(self, critic: CriticForm) -> Use:
        """What it teaches a learner with ``critic``."""
        if not self.whole:
            return Use.NOTHING
        if critic is CriticForm.EDITED or not self.known:
            return Use.NOTHING if critic is CriticForm.LATENT else Use.ACTION_CRITIC
        return Use.EVERY_CRITIC


class InvertedEpisode(Protocol):
    """What a record is made of: ``PriorEpisode`` and ``CorrectedEpisode``."""

    @property
    def summary(self) -> EpisodeSummary:
        """Header and end."""

    def inverted(self) -> tuple[InvertedDecision, ...]:
        """Decisions for which a noise was looked for; none where the policy has no way back."""


def write_record(run_dir: Path, episode: InvertedEpisode, critic: CriticForm) -> Path | None:
    """Write the record of an episode; None where nothing was inverted.

    Raises:
        ValueError: a name of an episode that leads out of the folder.
        OSError: no space or no right to write.
    """
    decisions = episode.inverted()
    if not decisions:
        return None
    meta = episode.summary.meta
    rows = [asdict(d) | {"use": str(d.use(critic))} for d in decisions]
    for row in rows:
        row |= {k: None for k in ("residual", "norm") if not math.isfinite(row[k])}
    content = {
        "format": RECORD_FORMAT,
        "episode": meta.episode_id,
        "policy_id": meta.policy_id,
        "decisions": rows,
    }
    path = inside(run_dir / FOLDER, f"{meta.episode_id}.json")
    write_atomic(path, json.dumps(content, indent=1, allow_nan=False) + "\n")
    return path


def note_inversion(run_dir: Path, episode: InvertedEpisode, critic: CriticForm) -> None:
    """``write_record``, whose failure is logged: learning does not depend on it."""
    try:
        write_record(run_dir, episode, critic)
    except (OSError, ValueError) as error:
        name = episode.summary.meta.episode_id
        _LOG.error("what inverting %s found is not on disk: %s", name, error)

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What reward sources are asked and give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from roboreward_ros.errors import ConfigError


class ScoreScale(StrEnum):
    """Which numbers a score may take."""

    RUBRIC = "rubric_1_5"  # RoboReward: end state, 1 (no success) .. 5 (perfect)
    UNIT = "unit_0_1"  # progress or completion
    SIGN = "sign_-1_1"  # temporal contrast


class ScoreKind(StrEnum):
    """How a score was read off its model; entropy means something only where there are masses."""

    TOKENS = "tokens"
    SEQUENCES = "sequences"
    SAMPLES = "samples"
    NONE = "none"


class AbstainReason(StrEnum):
    """Why a source declined to score."""

    ENTROPY = "entropy"
    OFF_ANSWER_MASS = "off_answer_mass"
    DISAGREEMENT = "disagreement"
    UNPARSABLE = "unparsable"
    UNFAMILIAR = "unfamiliar"  # unlike everything that the source was trained on
    PERSON = "person"  # a person is the source, who judges with a key, when it suits


_SCALE_BOUNDS: Mapping[ScoreScale, tuple[float, float]] = {
    ScoreScale.RUBRIC: (1.0, 5.0),
    ScoreScale.UNIT: (0.0, 1.0),
    ScoreScale.SIGN: (-1.0, 1.0),
}


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a score came from; stored with every ledger record.

    Attributes:
        source: registry name of the source.
        model: model id and revision, "" for sources without one.
        config_hash: sha256 of the source's full configuration (prompt, fps, frames, pixels).
        frames_hash: sha256 over the bytes that were looked at, "" where none were.
    """

    source: str
    model: str = ""
    config_hash: str = ""
    frames_hash: str = ""


@dataclass(frozen=True, slots=True)
class Score:
    """A reward that was really given.

    Attributes:
        value: the score in the units of ``scale``.
        scale: admissible range.
        kind: how it was read; ``NONE`` for humans and simulators.
        provenance: who gave it.
        levels: the answers that ``probabilities`` belongs to, ascending.
        probabilities: normalised masses of ``levels``; empty where there is no distribution.
        off_answer_mass: probability that the model gave to anything but an answer.
        latency_s: seconds from request to score (steady clock).
        text: raw output, where the model printed any.
        per_step: dense values ``[T]`` in the units of ``scale``; empty for episodic sources.

    Raises:
        ConfigError: value or masses not finite or out of range.
    """

    value: float
    scale: ScoreScale
    kind: ScoreKind
    provenance: Provenance
    levels: tuple[float, ...] = ()
    probabilities: tuple[float, ...] = ()
    off_answer_mass: float = 0.0
    latency_s: float = 0.0
    text: str = ""
    per_step: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        low, high = _SCALE_BOUNDS[self.scale]
        for value in (self.value, *self.per_step):
            if not (np.isfinite(value) and low <= value <= high):
                raise ConfigError(
                    f"score of source '{self.provenance.source}' is out of range",
                    got=float(value),
                    allowed=f"{low:g}..{high:g} ({self.scale})",
                )
        if len(self.levels) != len(self.probabilities):
            raise ConfigError(
                "levels and probabilities differ in length",
                got=f"{len(self.levels)} and {len(self.probabilities)}",
            )
        if self.probabilities and not (
            all(p >= 0 for p in self.probabilities) and abs(sum(self.probabilities) - 1) < 1e-3
        ):
            raise ConfigError("probabilities do not form a distribution", got=self.probabilities)


@dataclass(frozen=True, slots=True)
class Abstain:
    """The source declined: the episode stays unlabelled and goes to the operator."""

    reason: AbstainReason
    provenance: Provenance
    detail: str = ""
    levels: tuple[float, ...] = ()
    probabilities: tuple[float, ...] = ()
    latency_s: float = 0.0
    text: str = ""


@dataclass(frozen=True, slots=True)
class RewardFailure:
    """The source could not answer (raised, hung, NaN, out of range): unlabelled, tried again."""

    message: str
    provenance: Provenance
    latency_s: float = 0.0


RewardOutcome = Score | Abstain | RewardFailure
"""Everything that asking for a reward can give; never a guess, never a default of 0."""


@dataclass(frozen=True, slots=True)
class RewardSpec:
    """What a reward source gives and needs.

    Attributes:
        name: registry name.
        scale: range of its scores.
        dense: gives ``per_step`` values, not only an episodic score.
        needs_truth: reads the twin's ground truth (never a VLM).
        needs_child_process: loads a model and therefore runs in a worker process.
        timeout_s: deadline for one score.
    """

    name: str
    scale: ScoreScale
    dense: bool = False
    needs_truth: bool = False
    needs_child_process: bool = False
    timeout_s: float = 30.0


@dataclass(frozen=True, slots=True)
class RewardRequest:
    """One episode to be scored, from stored bytes.

    Attributes:
        episode_id: which.
        task: the sentence.
        frames: JPEG bytes of every control step, oldest first, the true last frame included.
        stamps_ns: acquisition stamps of ``frames``.
        control_hz: nominal rate of ``frames``.
        truth: the twin's ground truth per step; None unless the source's spec asks for it.
        seed: for sources with a random part.
    """

    episode_id: str
    task: str
    frames: Sequence[bytes]
    stamps_ns: Sequence[int]
    control_hz: float
    truth: Sequence[GroundTruth] | None = None
    seed: int = 0


@dataclass(frozen=True, slots=True)
class LabelRecord:
    """One line of the reward ledger.

    Attributes:
        seq: position in the ledger, from 0, without gaps.
        episode_id: what it is about.
        outcome: score, abstention or failure.
        stamp_ns: when it was written, ns since the epoch.
        shadow: given by a candidate source; the default view ignores it.
        retracts: ``seq`` of an earlier record that this one takes back; -1 for none.
        operator: who pressed the key, "" for machines.
    """

    seq: int
    episode_id: str
    outcome: RewardOutcome
    stamp_ns: int
    shadow: bool = False
    retracts: int = -1
    operator: str = ""


@dataclass(frozen=True, slots=True)
class GroundTruth:
    """The twin's own knowledge; only evaluation, ``ground_truth`` and ``human`` may read it.

    Attributes:
        progress: monotone task progress in [0, 1].
        success: the task's own test on the present state.
        score: rubric score 1..5 of the present state.
        stage: name of the furthest stage reached, for people.
    """

    progress: float
    success: bool
    score: int
    stage: str

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From an answer to an outcome: a score, or an abstention that says why."""

from __future__ import annotations

from typing import Protocol

from roboreward_ros.rewards.vlm.answers import Answer, Estimate
from roboreward_ros.rewards.vlm.parsers import OutOfRange, Parsed, Reading
from roboreward_ros.types import (
    Abstain,
    AbstainReason,
    Provenance,
    RewardFailure,
    RewardOutcome,
    Score,
    ScoreKind,
    ScoreScale,
)


class Limits(Protocol):
    """When a source abstains, and which number of a distribution is its score."""

    @property
    def estimate(self) -> Estimate: ...

    @property
    def max_entropy(self) -> float: ...

    @property
    def max_off_answer_mass(self) -> float: ...


def judge(
    answer: Answer,
    limits: Limits,
    scale: ScoreScale,
    kind: ScoreKind,
    provenance: Provenance,
    per_step: tuple[float, ...] = (),
    value: float | None = None,
    text: str = "",
) -> Score | Abstain:
    """A score, unless the distribution says that the model does not know.

    ``value`` goes before the configured estimate.
    """
    reason: AbstainReason | None = None
    detail = ""
    if answer.off_answer_mass > limits.max_off_answer_mass:
        reason = AbstainReason.OFF_ANSWER_MASS
        detail = f"{answer.off_answer_mass:.3f} of the mass is on no answer"
        detail += f" (limit {limits.max_off_answer_mass:g})"
    elif answer.entropy > limits.max_entropy:
        reason = AbstainReason.ENTROPY
        detail = f"entropy {answer.entropy:.3f} nats (limit {limits.max_entropy:g})"
    if reason is not None:
        return Abstain(reason, provenance, detail, answer.levels, answer.probabilities, text=text)
    return Score(
        answer.value(limits.estimate) if value is None else value,
        scale,
        kind,
        provenance,
        answer.levels,
        answer.probabilities,
        answer.off_answer_mass,
        text=text,
        per_step=per_step,
    )


def printed(
    text: str, reading: Reading, scale: ScoreScale, provenance: Provenance
) -> RewardOutcome:
    """What a printed answer amounts to; the text is kept."""
    if isinstance(reading, Parsed):
        return Score(reading.value, scale, ScoreKind.NONE, provenance, text=text)
    if isinstance(reading, OutOfRange):
        return RewardFailure(
            f"the model answered out of range: {reading.got} (allowed: {reading.allowed}); "
            f"it printed {text!r}",
            provenance,
        )
    return Abstain(AbstainReason.UNPARSABLE, provenance, reading.why, text=text)

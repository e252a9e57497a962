# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Records of the ledger as announcements."""

from __future__ import annotations

import math
from typing import assert_never

import roboreward_ros.msg as msg
from roboreward_ros.errors import ConfigError
from roboreward_ros.ros.convert.stamps import doubles, header, stamp_from_msg
from roboreward_ros.types import (
    Abstain,
    AbstainReason,
    LabelRecord,
    Provenance,
    RewardFailure,
    RewardOutcome,
    RewardSpec,
    Score,
    ScoreKind,
    ScoreScale,
)


def record_to_msg(record: LabelRecord) -> msg.Reward:
    """A ledger record as its announcement; the message names the source, the ledger knows more."""
    outcome = record.outcome
    message = msg.Reward(header=header(record.stamp_ns))
    message.episode_id = record.episode_id
    message.seq = int(record.seq)
    message.shadow = bool(record.shadow)
    message.source = outcome.provenance.source
    message.latency_s = float(outcome.latency_s)
    message.value = math.nan
    match outcome:
        case Score():
            message.outcome = msg.Reward.SCORE
            message.value = float(outcome.value)
            message.scale = str(outcome.scale)
            message.kind = str(outcome.kind)
            message.levels = doubles(outcome.levels)
            message.probabilities = doubles(outcome.probabilities)
            message.per_step = doubles(outcome.per_step)
        case Abstain():
            message.outcome = msg.Reward.ABSTAIN
            message.levels = doubles(outcome.levels)
            message.probabilities = doubles(outcome.probabilities)
            message.reason = f"{outcome.reason}: {outcome.detail}"
        case RewardFailure():
            message.outcome = msg.Reward.ERROR
            message.reason = outcome.message
        case _:
            assert_never(outcome)
    return message


def live_to_msg(
    episode_id: str, step: int, value: float, spec: RewardSpec, stamp_ns: int
) -> msg.Reward:
    """What a dense source says of a step while its episode runs; ``seq`` is the step."""
    message = msg.Reward(header=header(stamp_ns), episode_id=episode_id, source=spec.name)
    message.seq = int(step)
    message.outcome = msg.Reward.SCORE
    message.value = float(value)
    message.scale = str(spec.scale)
    message.per_step = doubles((value,))
    return message


def outcome_from_msg(message: msg.Reward) -> RewardOutcome:
    """What a message says.

    Raises:
        ConfigError: unknown outcome, scale, kind or reason, or a value out of range.
    """
    provenance = Provenance(source=message.source)
    latency_s = float(message.latency_s)
    levels = tuple(float(level) for level in message.levels)
    probabilities = tuple(float(mass) for mass in message.probabilities)
    try:
        if message.outcome == msg.Reward.SCORE:
            return Score(
                value=float(message.value),
                scale=ScoreScale(message.scale),
                kind=ScoreKind(message.kind),
                provenance=provenance,
                levels=levels,
                probabilities=probabilities,
                latency_s=latency_s,
                per_step=tuple(float(value) for value in message.per_step),
            )
        if message.outcome == msg.Reward.ABSTAIN:
            reason, _, detail = message.reason.partition(": ")
            return Abstain(
                reason=AbstainReason(reason),
                provenance=provenance,
                detail=detail,
                levels=levels,
                probabilities=probabilities,
                latency_s=latency_s,
            )
    except ValueError as error:
        raise ConfigError("reward message has an unknown word", got=str(error)) from error
    if message.outcome == msg.Reward.ERROR:
        return RewardFailure(message.reason, provenance, latency_s)
    raise ConfigError(
        "reward message has an unknown outcome",
        got=int(message.outcome),
        allowed="0=score, 1=abstain, 2=error",
    )


def record_from_msg(message: msg.Reward) -> LabelRecord:
    """The ledger record that a message announces, without what only the ledger knows."""
    return LabelRecord(
        seq=int(message.seq),
        episode_id=message.episode_id,
        outcome=outcome_from_msg(message),
        stamp_ns=stamp_from_msg(message.header.stamp),
        shadow=bool(message.shadow),
    )

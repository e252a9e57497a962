# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What an endpoint answered: text, and where it offers them, probabilities of tokens."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from roboreward_ros.errors import FormatError
from roboreward_ros.rewards.vlm.answers import Answer
from roboreward_ros.types.codec import Fields, JsonObject

_FLOOR = 1e-30


@dataclass(frozen=True, slots=True)
class Position:
    """One printed token and the likeliest ones at its place, with their probabilities."""

    token: str
    candidates: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer.

    Attributes:
        text: what was printed, without a prefilled beginning.
        positions: token by token; empty where the endpoint returns no probabilities.
        usage: what is charged for; None where the endpoint does not say.
        cut: the reply ended at the limit of tokens.
    """

    text: str
    positions: tuple[Position, ...] = ()
    usage: Fields | None = None
    cut: bool = False


def read_reply(content: JsonObject, host: str) -> Reply:
    """Raises FormatError for anything that is not a chat completion."""
    where = f"the answer of {host}"
    fields = Fields(content, where)
    choices = fields.objects("choices")
    if not choices:
        raise FormatError(f"{where} holds no choice")
    first = choices[0]
    message = first.fields("message")
    text = "" if message.missing("content") else message.text("content")
    positions: tuple[Position, ...] = ()
    if not first.missing("logprobs") and not first.fields("logprobs").missing("content"):
        positions = tuple(_position(item) for item in first.fields("logprobs").objects("content"))
    usage = None if fields.missing("usage") else fields.fields("usage")
    cut = not first.missing("finish_reason") and first.text("finish_reason") == "length"
    return Reply(text, positions, usage, cut)


def _position(item: Fields) -> Position:
    token = item.text("token")
    candidates = {token: _probability(item)}
    if not item.missing("top_logprobs"):
        for other in item.objects("top_logprobs"):
            candidates[other.text("token")] = _probability(other)
    return Position(token, candidates)


def _probability(item: Fields) -> float:
    logprob = item.number("logprob")
    if math.isnan(logprob) or logprob > 1e-3:
        raise FormatError("a log probability is impossible", got=logprob, allowed="<= 0")
    return math.exp(min(logprob, 0.0))


def distribution(
    positions: Sequence[Position], answers: Mapping[str, float], lead: str
) -> Answer | None:
    """Masses of the answers where the reply gives one.

    The answer is the first token behind ``lead`` that is not blank: templates differ in whether
    the blank is a token of its own, stands at the lead's end, or belongs to the answer's token.

    Args:
        positions: of the reply.
        answers: text of each answer (a single token) to its value.
        lead: what the reply says before the answer; "" where that was prefilled.

    Returns:
        None where the reply does not come to an answer, or no answer is among the tokens listed.
    """
    masses = dict.fromkeys(sorted(answers.values()), 0.0)
    wanted = lead.strip().lower()
    said = ""
    carry = 1.0
    for position in positions:
        if said.strip().lower() != wanted:
            said += position.token
            continue
        for token, probability in position.candidates.items():
            if token.strip() in answers:
                masses[answers[token.strip()]] += carry * probability
        if position.token.strip():
            break
        carry *= position.candidates[position.token]
    total = sum(masses.values())
    if total <= 0:
        return None
    levels = tuple(masses)
    probabilities = tuple(masses[level] / total for level in levels)
    logits = np.log(np.maximum([masses[level] for level in levels], _FLOOR))
    return Answer(levels, probabilities, tuple(logits.tolist()), min(max(1.0 - total, 0.0), 1.0))

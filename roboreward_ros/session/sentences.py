# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A task that a person typed, against the sentences that a run has had.

A policy and a reward model know sentences, not meanings: "open drawer" may be another task to them
than "open the drawer". So a new sentence is compared with the known ones before it is set.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

NEAR = 0.6
"""Likeness from which a sentence may be meant as a known one."""
FILLERS = frozenset(
    [
        "a",
        "an",
        "the",
        "please",
        "now",
        "then",
        "to",
        "of",
        "on",
        "in",
        "into",
        "onto",
        "at",
        "it",
        "your",
    ]
)


@dataclass(frozen=True, slots=True)
class Likeness:
    """Attributes: sentence: the nearest known one, "" for none; share: how near, 0..1."""

    sentence: str
    share: float

    @property
    def same(self) -> bool:
        """Whether it is that sentence to the letter."""
        return self.share == 1.0


def nearest(text: str, known: Sequence[str]) -> Likeness:
    """The known sentence that ``text`` is most like.

    Likeness is the mean of two shares: of equal letters in order, and of equal content words.
    """
    best = Likeness("", 0.0)
    for sentence in known:
        if text == sentence:
            return Likeness(sentence, 1.0)
        share = min(_likeness(text, sentence), 0.99)
        if share > best.share:
            best = Likeness(sentence, share)
    return best


def remark(text: str, known: Sequence[str]) -> str:
    """What a person should know before they set ``text``; "" where it is known."""
    if not text.strip() or not known:
        return ""
    found = nearest(text.strip(), known)
    if found.same:
        return ""
    if found.share >= NEAR:
        return (
            f"Did you mean “{found.sentence}”? To the policy and the reward model other words can "
            "be another task."
        )
    return (
        "No episode of this run had a task like this: look whether the policy and the reward model "
        "know it."
    )


def _likeness(a: str, b: str) -> float:
    letters = SequenceMatcher(None, a.lower(), b.lower(), autojunk=False).ratio()
    first, second = _content(a), _content(b)
    words = len(first & second) / max(len(first | second), 1)
    return (letters + words) / 2


def _content(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.lower())) - FILLERS

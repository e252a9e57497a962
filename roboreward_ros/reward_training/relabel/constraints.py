# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What code can check about a written instruction (RoboReward, appendix A.2)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

MAX_WORDS = 24
"""Instructions are shorter than 25 words."""
_META = """
attempt camera clip episode fail failed fails failure frame image instruction label policy reward
score success successful successfully trajectory video
"""
_VERBS = """
adjust align arrange bring carry clean close collect cover dump drag drop empty fetch fill flip
fold gather grab grasp hang hold insert keep lay lean leave lift load lower make move open pack
pick place pour press pull push put raise reach release remove rest roll rotate scoop separate set
shake shut slide sort spin spread squeeze stack stand stir store sweep swap take tap throw tilt
tip toggle touch transfer turn twist unfold unload unstack untwist use wash wipe wrap
"""
META_WORDS = frozenset(_META.split())
"""Words about the recording or its judgement instead of the scene."""
VERBS = frozenset(_VERBS.split())
"""First words that are taken for a verb; a data set's own first words are added to them."""
_WORD = re.compile(r"[a-z0-9']+")


def words(text: str) -> list[str]:
    """Lower-case words."""
    return _WORD.findall(text.lower())


def normal_form(text: str) -> str:
    """What two instructions share that differ in case, articles or punctuation only."""
    return " ".join(word for word in words(text) if word not in ("a", "an", "the"))


@dataclass(frozen=True, slots=True)
class Situation:
    """What an instruction has to fit.

    Attributes:
        score: label 1..4 that it is written for.
        primary_object: what the original task is about; kept at 3 and 4.
        taken: instructions that it must differ from, the original one included.
        verbs: further first words that are verbs.
    """

    score: int
    primary_object: str
    taken: Sequence[str]
    verbs: frozenset[str] = frozenset()


def violations(text: str, situation: Situation) -> list[str]:
    """What is wrong with an instruction, a phrase each; empty for none."""
    found = []
    parts = words(text)
    if not parts:
        return ["it is empty"]
    if not text.isascii():
        found.append("it is not plain ASCII")
    if len(parts) > MAX_WORDS:
        found.append(f"it has {len(parts)} words, {MAX_WORDS} are allowed")
    if parts[0] not in VERBS | situation.verbs:
        found.append(f"it begins with '{parts[0]}', not with a verb")
    meta = META_WORDS.intersection(parts)
    if meta:
        found.append(f"it speaks of {', '.join(sorted(meta))}")
    head = words(situation.primary_object)[-1:]
    if situation.score >= 3 and head and head[0] not in parts:
        found.append(f"it does not name the {situation.primary_object}")
    if normal_form(text) in {normal_form(other) for other in situation.taken}:
        found.append("it says the same as another instruction")
    return found


def paraphrase_violations(text: str, original: str, taken: Sequence[str]) -> list[str]:
    """What is wrong with another wording of ``original``."""
    situation = Situation(score=1, primary_object="", taken=[original, *taken])
    found = [phrase for phrase in violations(text, situation) if "not with a verb" not in phrase]
    lost = _numbers(original) ^ _numbers(text)
    if lost:
        found.append(f"it changes {', '.join(sorted(lost))}")
    return found


def _numbers(text: str) -> set[str]:
    """Words that no paraphrase may change: numbers and sides."""
    fixed = {"left", "right", "two", "three", "four", "both", "all", "not"}
    return {word for word in words(text) if word.isdigit() or word in fixed}

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One task in several wordings: what they agree on, and how far they do not.

Reward models change their mind when a sentence is put differently; where they do, the episode is
better shown to a person than scored.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from roboreward_ros.errors import ConfigError
from roboreward_ros.rewards.vlm.answers import Answer

PLACE = "{task}"


def check_templates(templates: Sequence[str], max_spread: float) -> None:
    """Raises ConfigError for a template that cannot be filled in, or an impossible limit."""
    for template in templates:
        if template.count(PLACE) != 1 or "<|" in template:
            raise ConfigError(
                "a paraphrase is no template",
                got=template,
                allowed=f"plain text with {PLACE} in it once",
            )
    if len(set(templates)) != len(templates):
        raise ConfigError("a paraphrase is given twice", got=list(templates))
    if not 0 <= max_spread < float("inf"):
        raise ConfigError("max_spread is out of range", got=max_spread, allowed=">= 0")


def wordings(task: str, templates: Sequence[str]) -> list[str]:
    """The task in every wording; just itself without templates."""
    return [template.replace(PLACE, task) for template in templates] or [task]


def pool(answers: Sequence[Answer]) -> Answer:
    """The mean of the distributions: what a randomly chosen wording would be answered."""
    if len(answers) == 1:
        return answers[0]
    on_answer = np.array([1 - answer.off_answer_mass for answer in answers])
    masses = np.array([answer.probabilities for answer in answers]).mean(axis=0)
    with np.errstate(divide="ignore"):
        logits = np.maximum(np.log(masses), -1e3)
    return Answer(
        answers[0].levels,
        tuple((masses / masses.sum()).tolist()),
        tuple(logits.tolist()),
        float(1 - on_answer.mean()),
    )

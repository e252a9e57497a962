# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""LRM completion (arXiv 2603.16065): whether the present frame shows the task done."""

from __future__ import annotations

from dataclasses import dataclass

from roboreward_ros.rewards.vlm.image_source import ImageConfig, ImageSource, Question
from roboreward_ros.rewards.vlm.parsers import read_completion
from roboreward_ros.rewards.vlm.prompt import IMAGE_TRIPLE
from roboreward_ros.types import ScoreScale

QUESTION = Question(
    text=(
        f"Current observation: {IMAGE_TRIPLE}\n"
        "Task of the robot: {task}\n"
        "Is the task completed in the current observation? "
        'Reply with JSON: { "task_completed": "yes" } or { "task_completed": "no" }'
    ),
    lead='{ "task_completed": "',
    answers={'no" }': 0.0, 'yes" }': 1.0},
    read=read_completion,
)


@dataclass(frozen=True, slots=True)
class LrmCompletionConfig(ImageConfig):
    """The defaults score both answers; the model answers without reasoning.

    Attributes:
        max_new_tokens: of printed answers.
        max_entropy: two equal masses have 0.693 nats.
        max_off_answer_mass: see ``ModelConfig``.
    """

    max_new_tokens: int = 128
    max_entropy: float = 0.65
    max_off_answer_mass: float = 0.5


class LrmCompletionSource(ImageSource):
    """Completion, 0 or 1, or its probability (``estimate: expected``)."""

    config_class = LrmCompletionConfig

    def __init__(self, config: LrmCompletionConfig | None = None) -> None:
        super().__init__(
            "lrm_completion", ScoreScale.UNIT, config or LrmCompletionConfig(), QUESTION
        )

    def _frames_at(self, step: int) -> tuple[int, ...]:
        return (step,)

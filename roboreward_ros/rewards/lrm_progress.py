# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""LRM progress (arXiv 2603.16065): how far the present frame is, anchored by the first one."""

from __future__ import annotations

from dataclasses import dataclass

from roboreward_ros.rewards.vlm.image_source import ImageConfig, ImageSource, Question
from roboreward_ros.rewards.vlm.parsers import read_progress
from roboreward_ros.rewards.vlm.prompt import IMAGE_TRIPLE
from roboreward_ros.types import ScoreScale

QUESTION = Question(
    text=(
        f"Initial observation: {IMAGE_TRIPLE}\nCurrent observation: {IMAGE_TRIPLE}\n"
        "Task of the robot: {task}\n"
        "How far has the task come in the current observation? Choose one of 0.0, 0.1, 0.2, 0.3, "
        "0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, where 0.0 is the initial observation and 1.0 is done. "
        'Reply with JSON: { "completion_progress": <value> }'
    ),
    lead='{ "completion_progress": ',
    answers={f"{k / 10:.1f} }}": k / 10 for k in range(11)},
    read=read_progress,
)


@dataclass(frozen=True, slots=True)
class LrmProgressConfig(ImageConfig):
    """The defaults score all eleven answers: the model is asked for the JSON object alone.

    Attributes:
        max_new_tokens: of printed answers.
        max_entropy: eleven equal masses have 2.398 nats.
        max_off_answer_mass: see ``ModelConfig``; a model that answers "NA" abstains by it.
    """

    max_new_tokens: int = 128
    max_entropy: float = 2.1
    max_off_answer_mass: float = 0.5


class LrmProgressSource(ImageSource):
    """Progress 0..1 in eleven values (protocol ``RewardSource``)."""

    config_class = LrmProgressConfig

    def __init__(self, config: LrmProgressConfig | None = None) -> None:
        super().__init__("lrm_progress", ScoreScale.UNIT, config or LrmProgressConfig(), QUESTION)

    def _frames_at(self, step: int) -> tuple[int, ...]:
        return (0, step)

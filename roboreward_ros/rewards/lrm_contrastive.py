# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""LRM contrast (arXiv 2603.16065): whether a later frame is further than an earlier one."""

from __future__ import annotations

from dataclasses import dataclass

from roboreward_ros.rewards.vlm.image_source import ImageConfig, ImageSource, Question
from roboreward_ros.rewards.vlm.parsers import read_contrast
from roboreward_ros.rewards.vlm.prompt import IMAGE_TRIPLE
from roboreward_ros.rewards.vlm.settings import Readout
from roboreward_ros.types import ScoreScale

QUESTION = Question(
    text=(
        f"Image A: {IMAGE_TRIPLE}\nImage B: {IMAGE_TRIPLE}\n"
        "Task of the robot: {task}\n"
        "Which image is closer to completing the task? Analyse both shortly, step by step, then "
        'reply with JSON: { "more_complete_image": <"ImageA" or "ImageB"> }'
    ),
    lead='{ "more_complete_image": "',
    answers={'ImageA" }': -1.0, 'ImageB" }': 1.0},
    read=read_contrast,
)


@dataclass(frozen=True, slots=True)
class LrmContrastiveConfig(ImageConfig):
    """The defaults print the analysis and the answer, as the model was trained.

    Attributes:
        readout, max_new_tokens: see ``ImageConfig``.
        max_entropy: two equal masses have 0.693 nats.
        max_off_answer_mass: of scored answers.
    """

    readout: Readout = Readout.PRINTED
    max_new_tokens: int = 512
    max_entropy: float = 0.65
    max_off_answer_mass: float = 0.5


class LrmContrastiveSource(ImageSource):
    """-1 or 1, or the difference of both probabilities (``estimate: expected``).

    An episode is judged by its last frame against its first. Dense values compare a step with the
    one ``every`` steps before; steps before the first comparison have 0, no preference.
    """

    config_class = LrmContrastiveConfig

    def __init__(self, config: LrmContrastiveConfig | None = None) -> None:
        config = config or LrmContrastiveConfig()
        super().__init__("lrm_contrastive", ScoreScale.SIGN, config, QUESTION)

    def _frames_at(self, step: int) -> tuple[int, ...]:
        if step == 0:
            return ()
        earlier = max(0, step - self._config.every) if self._spec.dense else 0
        return (earlier, step)

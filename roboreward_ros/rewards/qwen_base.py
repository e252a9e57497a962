# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""An untuned Qwen-VL asked RoboReward's question: the baseline that tuning has to beat."""

from __future__ import annotations

from dataclasses import dataclass

from roboreward_ros.rewards.vlm.settings import VideoConfig
from roboreward_ros.rewards.vlm.video_source import VideoSource

_HINT = (
    "Download a model once, for example `hf download Qwen/Qwen3-VL-4B-Instruct --revision COMMIT "
    "--local-dir FOLDER` (or Qwen/Qwen2.5-VL-3B-Instruct)."
)


@dataclass(frozen=True, slots=True)
class QwenBaseConfig(VideoConfig):
    """As RoboReward's, so that only the weights differ; an untuned model is less sure.

    Attributes:
        max_off_answer_mass: an untuned model knows the answer's form from the prompt only.
    """

    max_off_answer_mass: float = 0.5


class QwenBaseSource(VideoSource):
    """An untuned Qwen3-VL or Qwen2.5-VL (protocol ``RewardSource``)."""

    config_class = QwenBaseConfig

    def __init__(self, config: QwenBaseConfig | None = None) -> None:
        super().__init__("qwen_base", config or QwenBaseConfig(), _HINT)

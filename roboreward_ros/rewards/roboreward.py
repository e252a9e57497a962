# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""RoboReward (arXiv 2601.00675): an end-of-episode score 1..5 by a tuned Qwen-VL."""

from __future__ import annotations

from dataclasses import dataclass

from roboreward_ros.rewards.vlm.settings import VideoConfig
from roboreward_ros.rewards.vlm.video_source import VideoSource

_HINT = (
    "Download a checkpoint once, for example `hf download teetone/RoboReward-4B --revision COMMIT "
    "--local-dir FOLDER` (4B: about 9 GB; -8B: 18 GB; licence CC BY 4.0)."
)


@dataclass(frozen=True, slots=True)
class RoboRewardConfig(VideoConfig):
    """See the attributes' own documentation; the defaults fit the released 4B and 8B models.

    The authors' benchmark puts the text before the video; frames are spread over the episode at
    2 fps, at least 4, the last one included.
    """


class RoboRewardSource(VideoSource):
    """A released or self-trained RoboReward model (protocol ``RewardSource``)."""

    config_class = RoboRewardConfig

    def __init__(self, config: RoboRewardConfig | None = None) -> None:
        super().__init__("roboreward", config or RoboRewardConfig(), _HINT)

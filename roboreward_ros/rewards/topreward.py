# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""TOPReward: the probability that a model calls the statement "the task is done" true; zero-shot.

No training and no printed number: the token's own probability grows as the episode comes closer
to its goal. The authors compare prefixes of one episode by it, and found that a chat template
spoils it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from roboreward_ros.errors import ConfigError
from roboreward_ros.rewards.vlm.answers import Answer, Estimate
from roboreward_ros.rewards.vlm.clips import Sampling
from roboreward_ros.rewards.vlm.prompt import (
    Family,
    Order,
    chat,
    checked_task,
    video_placeholder,
)
from roboreward_ros.rewards.vlm.settings import Readout, VideoConfig
from roboreward_ros.rewards.vlm.video_source import VideoSource
from roboreward_ros.types import ScoreScale

if TYPE_CHECKING:
    from roboreward_ros.rewards.vlm.backend import Backend, Choice

_HINT = (
    "Download a model once, for example `hf download Qwen/Qwen3-VL-8B-Instruct --revision COMMIT "
    "--local-dir FOLDER`."
)
_LEAD = "The answer is: "
_ANSWERS = ("False", "True")


class TruthForm(StrEnum):
    """Which number is the score."""

    MASS = "mass"  # probability of "True" among all tokens, as the authors' (they take its log)
    SHARE = "share"  # of "True" against "False"


@dataclass(frozen=True, slots=True)
class TopRewardConfig(VideoConfig):
    """Frames as of ``roboreward``; see ``VideoConfig``.

    Attributes:
        form: see ``TruthForm``.
        chat_template: ask in chat form; the authors' ablation loses half of the signal by it.
        sampling, order, estimate, max_entropy, max_off_answer_mass: as in ``VideoConfig``; the
            defaults never abstain, because the masses themselves are the signal.
    """

    form: TruthForm = TruthForm.MASS
    chat_template: bool = False
    sampling: Sampling = Sampling.GRID
    order: Order = Order.VIDEO_FIRST
    estimate: Estimate = Estimate.EXPECTED
    max_entropy: float = 0.7
    max_off_answer_mass: float = 1.0

    def __post_init__(self) -> None:
        VideoConfig.__post_init__(self)
        if self.order is not Order.VIDEO_FIRST or self.readout is not Readout.SCORED:
            raise ConfigError(
                "the statement speaks of the video above, and its truth is scored",
                got=f"order {self.order}, readout {self.readout}",
                allowed=f"order {Order.VIDEO_FIRST}, readout {Readout.SCORED}",
            )


class TopRewardSource(VideoSource):
    """0..1 by an untuned model (protocol ``RewardSource``)."""

    config_class = TopRewardConfig

    def __init__(self, config: TopRewardConfig | None = None) -> None:
        config = config or TopRewardConfig()
        super().__init__("topreward", config, _HINT, ScoreScale.UNIT)
        self._form = config.form
        self._chat = config.chat_template

    def _prompt(self, task: str, family: Family) -> str:
        text = (
            video_placeholder(self._config.video_form, family)
            + "The video above shows a robot that has completed this task: "
            + checked_task(task)
            + "\nDecide whether this statement is True or False. "
        )
        return chat(text, self._config.system, family) if self._chat else text

    def _choice(self, backend: Backend) -> Choice:
        return backend.choice(_LEAD, _ANSWERS, (0.0, 1.0))

    def _value(self, answer: Answer) -> float:
        share = answer.expected
        if self._form is TruthForm.SHARE:
            return share
        return share * (1.0 - answer.off_answer_mass)

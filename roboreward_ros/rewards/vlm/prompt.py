# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a model is asked, as chat text with placeholders for the video.

The wording is ours; what it says is the contract of RoboReward (arXiv 2601.00675): the task, a
discrete score 1..5 of end-of-episode progress, only the final state counts, the answer is printed
as ``ANSWER: <score>``. Order, rubric and the form of the video placeholder are part of what a model
was trained on, so each is a setting and none is guessed.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from roboreward_ros.errors import ConfigError, RewardSourceError
from roboreward_ros.rewards.rubric import rubric

VIDEO = "<|video_pad|>"
IMAGE = "<|image_pad|>"
IMAGE_TRIPLE = f"<|vision_start|>{IMAGE}<|vision_end|>"
VIDEO_TRIPLE = f"<|vision_start|>{VIDEO}<|vision_end|>"
AUTO = "auto"
ANSWER_PREFIX = "ANSWER: "
MAX_TASK = 1000


class Family(StrEnum):
    """``model_type`` of the architectures that can score."""

    QWEN3_VL = "qwen3_vl"
    QWEN2_5_VL = "qwen2_5_vl"


class Order(StrEnum):
    TEXT_FIRST = "text_first"
    VIDEO_FIRST = "video_first"


class VideoForm(StrEnum):
    """How the video stands in the prompt.

    Qwen3-VL marks every pair of frames by itself. Transformers up to 5.9 dropped the markers around
    the placeholder (``bare``), later ones keep them (``wrapped``): two tokens that a checkpoint
    tuned on the other form has not seen. Qwen2.5-VL has the outer markers only.
    """

    AUTO = "auto"  # bare for Qwen3-VL, wrapped for Qwen2.5-VL
    BARE = "bare"
    WRAPPED = "wrapped"


@dataclass(frozen=True, slots=True)
class PromptConfig:
    """How the question is put.

    Attributes:
        order: instruction before or after the video.
        rubric: version of the rubric's wording, see ``rewards/rubric.py``.
        video_form: see ``VideoForm``.
        system: system message; "auto" is the family's own ("" for Qwen3-VL).
    """

    order: Order = Order.TEXT_FIRST
    rubric: str = "v2"
    video_form: VideoForm = VideoForm.AUTO
    system: str = AUTO

    def __post_init__(self) -> None:
        rubric(self.rubric)


def checked_task(task: str) -> str:
    """The sentence without surrounding blanks.

    Raises:
        RewardSourceError: empty, too long, or with a control token of the chat format.
    """
    text = " ".join(task.split())
    if not text:
        raise RewardSourceError(
            "the episode has no task sentence", next_step="Give the session a task."
        )
    if len(text) > MAX_TASK:
        raise RewardSourceError(
            "the task sentence is too long", got=len(text), allowed=f"<= {MAX_TASK} characters"
        )
    if "<|" in text:
        raise RewardSourceError("the task contains a control token", got=text, allowed="plain text")
    return text


def question(task: str, version: str) -> str:
    """The instruction with rubric and task, without video and chat markers."""
    levels = "\n".join(
        f"{level.score} - {level.name.capitalize()}: {level.meaning}."
        for level in rubric(version).levels
    )
    return (
        "Given the task, rate the progress of the robot in the video with a discrete score "
        "(1, 2, 3, 4 or 5). Reply in the format: ANSWER: <score>\n"
        "Rubric of end-of-episode progress (judge the final state only, there is no time limit):\n"
        f"{levels}\n\n"
        f"Task: {task}"
    )


def video_placeholder(form: VideoForm, family: Family) -> str:
    """Raises ConfigError for a form that the family does not know."""
    if form is VideoForm.AUTO:
        form = VideoForm.BARE if family is Family.QWEN3_VL else VideoForm.WRAPPED
    if form is VideoForm.BARE and family is not Family.QWEN3_VL:
        raise ConfigError(
            f"{family} has no frame markers of its own",
            got=form,
            allowed=(VideoForm.AUTO, VideoForm.WRAPPED),
        )
    return VIDEO if form is VideoForm.BARE else VIDEO_TRIPLE


def chat(user: str, system: str, family: Family) -> str:
    """One user turn up to where the assistant begins to speak."""
    if system == AUTO:
        system = "You are a helpful assistant." if family is Family.QWEN2_5_VL else ""
    head = f"<|im_start|>system\n{system}<|im_end|>\n" if system else ""
    return f"{head}<|im_start|>user\n{user}<|im_end|>\n<|im_start|>assistant\n"


def scoring_prompt(task: str, config: PromptConfig, family: Family) -> str:
    """The whole prompt for a 1..5 score; holds ``VIDEO`` once.

    Raises:
        RewardSourceError: a task that cannot be asked.
        ConfigError: a video form that the family does not know.
    """
    text = question(checked_task(task), config.rubric)
    video = video_placeholder(config.video_form, family)
    user = text + video if config.order is Order.TEXT_FIRST else video + text
    return chat(user, config.system, family)


def split_video(prompt: str) -> tuple[str, str]:
    """Text before and after the placeholder; raises ConfigError unless it stands there once."""
    parts = prompt.split(VIDEO)
    if len(parts) != 2:
        raise ConfigError("a prompt must hold the video once", got=len(parts) - 1, allowed=1)
    return parts[0], parts[1]

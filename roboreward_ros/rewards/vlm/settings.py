# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Configurations that the model sources share; all of it is hashed into every score."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from roboreward_ros.errors import ConfigError
from roboreward_ros.rewards.vlm.answers import Estimate
from roboreward_ros.rewards.vlm.clips import ClipConfig, Sampling
from roboreward_ros.rewards.vlm.ensemble import check_templates
from roboreward_ros.rewards.vlm.prompt import AUTO, Order, PromptConfig, VideoForm


class Dtype(StrEnum):
    AUTO = "auto"  # bfloat16 on an accelerator, float32 on a CPU
    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"


class Readout(StrEnum):
    """How an answer is taken from the model."""

    SCORED = "scored"  # the distribution over the admissible answers, from one prefill
    PRINTED = "printed"  # greedy text, parsed strictly; no distribution


@dataclass(frozen=True, slots=True)
class WeightsConfig:
    """What to load and where to.

    Attributes:
        model: folder, or Hub id (``owner/name``).
        revision: full commit hash of a Hub id; "" for a folder.
        adapter: LoRA folder or Hub id, with a subfolder behind it where there is one; "" for none.
        adapter_revision: likewise.
        offline: never ask the network; what a Hub id names must have been downloaded before.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        dtype: of the weights.
    """

    model: str = ""
    revision: str = ""
    adapter: str = ""
    adapter_revision: str = ""
    offline: bool = False
    device: str = "auto"
    dtype: Dtype = Dtype.AUTO


@dataclass(frozen=True, slots=True)
class ModelConfig(WeightsConfig):
    """Weights, readout and when to abstain.

    Attributes:
        frame_pixels: upper bound of height * width of a frame.
        system: system message; "auto" is the family's own.
        readout: see ``Readout``.
        max_new_tokens: of printed answers.
        estimate: which number of the distribution is the score.
        max_entropy: abstain above, nats; five equal masses have 1.609.
        max_off_answer_mass: abstain above; 1 never does.
        timeout_s: deadline of one score, s.
    """

    frame_pixels: int = 65_536
    system: str = AUTO
    readout: Readout = Readout.SCORED
    max_new_tokens: int = 24
    estimate: Estimate = Estimate.ARGMAX
    max_entropy: float = 1.3
    max_off_answer_mass: float = 0.2
    timeout_s: float = 60.0

    def __post_init__(self) -> None:
        for name, low, high in (
            ("max_entropy", 0.0, math.inf),
            ("max_off_answer_mass", 0.0, 1.0),
            ("timeout_s", 1e-3, math.inf),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise ConfigError(
                    f"{name} is out of range", got=value, allowed=f"{low:g}..{high:g}"
                )
        if self.max_new_tokens < 1:
            raise ConfigError(
                "max_new_tokens is too small", got=self.max_new_tokens, allowed=">= 1"
            )
        ClipConfig(frame_pixels=self.frame_pixels)


@dataclass(frozen=True, slots=True)
class VideoConfig(ModelConfig):
    """A 1..5 score of a video.

    Attributes:
        sampling, fps, min_frames, max_frames: see ``clips.ClipConfig``.
        order, rubric, video_form: see ``prompt.PromptConfig``.
        dense: also score every prefix of the episode; needs ``sampling: grid``.
        paraphrases: templates such as "The robot should {task}." to ask in each; none asks the
            task as it is.
        max_spread: abstain where two of them differ by more, in the score's units.
        batch: waiting episodes that are answered in one forward pass, within one deadline.
    """

    sampling: Sampling = Sampling.UNIFORM_N
    fps: float = 2.0
    min_frames: int = 4
    max_frames: int = 32
    order: Order = Order.TEXT_FIRST
    rubric: str = "v2"
    video_form: VideoForm = VideoForm.AUTO
    dense: bool = False
    paraphrases: tuple[str, ...] = ()
    max_spread: float = 1.0
    batch: int = 4

    def __post_init__(self) -> None:
        ModelConfig.__post_init__(self)
        if self.batch < 1:
            raise ConfigError("batch is too small", got=self.batch, allowed=">= 1 episode")
        check_templates(self.paraphrases, self.max_spread)
        if self.paraphrases and (self.dense or self.readout is not Readout.SCORED):
            raise ConfigError(
                "paraphrases need scored answers about whole episodes",
                got=f"dense {self.dense}, readout {self.readout}",
                allowed=f"dense False, readout {Readout.SCORED}",
            )
        self.clip_config()
        self.prompt_config()
        if self.dense and (
            self.sampling is not Sampling.GRID or self.readout is not Readout.SCORED
        ):
            raise ConfigError(
                "dense scores need frames that stay, and scored answers",
                got=f"sampling {self.sampling}, readout {self.readout}",
                allowed=f"sampling {Sampling.GRID}, readout {Readout.SCORED}",
            )

    def clip_config(self) -> ClipConfig:
        return ClipConfig(
            self.sampling, self.fps, self.min_frames, self.max_frames, self.frame_pixels
        )

    def prompt_config(self) -> PromptConfig:
        return PromptConfig(self.order, self.rubric, self.video_form, self.system)

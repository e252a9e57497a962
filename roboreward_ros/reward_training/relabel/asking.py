# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Prompts and videos for a printing model, local or served: one frame a second and the last one."""

from __future__ import annotations

import math
from collections.abc import Callable

from roboreward_ros.reward_training.relabel.examples import SourceVideo
from roboreward_ros.reward_training.relabel.prompted import PromptedProvider
from roboreward_ros.rewards.printing import Printer
from roboreward_ros.rewards.video_file import VideoFileConfig, read_video
from roboreward_ros.rewards.vlm.clips import decode
from roboreward_ros.types import ImageU8

FPS = 1.0
MAX_FRAMES = 48
PIXELS = 320 * 256


def prompted_by(
    vision: Printer, language: Printer | None = None, spent: Callable[[], float] = lambda: 0.0
) -> PromptedProvider:
    """A provider that asks ``vision`` about videos and ``language`` about sentences.

    Args:
        vision: a model that sees.
        language: one for sentences; ``vision`` by default.
        spent: money so far, for the estimate of what is left.
    """
    text = language or vision

    def ask_text(prompt: str) -> str:
        return text.ask([prompt])

    def ask_video(prompt: str, video: SourceVideo, end: float) -> str:
        return vision.ask([*video_frames(video, end, vision.factor), prompt])

    names = dict.fromkeys((vision.identity, text.identity))
    return PromptedProvider(ask_text, ask_video, " + ".join(names), spent)


def video_frames(video: SourceVideo, end: float, factor: int) -> list[ImageU8]:
    """Frames of the share ``end`` of a video, the last of it included."""
    request = read_video(video.path, video.task, VideoFileConfig(max_pixels=PIXELS))
    count = max(1, round(end * len(request.frames)))
    wanted = min(MAX_FRAMES, max(2, math.ceil(count / request.control_hz * FPS) + 1), count)
    chosen = [round(k * (count - 1) / max(1, wanted - 1)) for k in range(wanted)]
    return list(decode(request.frames, chosen, PIXELS, factor))

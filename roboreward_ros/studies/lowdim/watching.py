# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Vision-language models as judges: they see rendered pictures, whatever the policy sees.

The twin is drawn only at the steps that the model looks at, the picture is the stored one of a run
(256 pixels, JPEG), and the model answers through its own reward source, prompt and limits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import overload

from roboreward_ros.errors import ConfigError
from roboreward_ros.rewards.config import Options, build_config
from roboreward_ros.rewards.qwen_base import QwenBaseConfig, QwenBaseSource
from roboreward_ros.rewards.registry import merged_options
from roboreward_ros.rewards.roboreward import RoboRewardConfig, RoboRewardSource
from roboreward_ros.rewards.vlm.clips import select
from roboreward_ros.rewards.vlm.settings import VideoConfig
from roboreward_ros.rewards.vlm.video_source import VideoSource
from roboreward_ros.sim.tasks import TaskSpec
from roboreward_ros.studies.lowdim.lanes import LaneResult
from roboreward_ros.types import RewardRequest, Score

CONTROL_HZ = 5.0
SHIPPED = "twin_small"
"""The reward model that comes with the package, tuned on the twin."""
_LOOK = (
    "sampling", "fps", "min_frames", "max_frames", "frame_pixels", "order", "rubric", "video_form",
    "dtype",
)  # fmt: skip


class Film(Sequence[bytes]):
    """The JPEG frames of an episode of which only some were drawn.

    Args:
        drawn: frames by step.
        length: of the episode, in frames.
    """

    def __init__(self, drawn: Mapping[int, bytes], length: int) -> None:
        self._drawn, self._length = drawn, length

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, index: int) -> bytes: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[bytes]: ...
    def __getitem__(self, index: int | slice) -> bytes | Sequence[bytes]:
        if isinstance(index, slice):
            return [self[k] for k in range(*index.indices(self._length))]
        step = range(self._length)[index]
        if step not in self._drawn:
            raise ConfigError(
                "this frame of the episode was not drawn", got=step, allowed=sorted(self._drawn)
            )
        return self._drawn[step]


class VideoJudge:
    """A reward source that looks at pictures; ``Judge``, and it may leave an episode unlabelled.

    Args:
        task: what is done.
        config: of the source; decides which frames it sees.
        make: builds the warm source when the first episode comes.
    """

    def __init__(
        self, task: TaskSpec, config: VideoConfig, make: Callable[[], VideoSource]
    ) -> None:
        self._make = make
        self._source: VideoSource | None = None
        self.steps = select(task.max_steps + 1, CONTROL_HZ, config.clip_config()).indices
        """Control steps before which the scene is drawn; the limit stands for the end."""

    def score(self, result: LaneResult, run_seed: int) -> Score | None:
        """See ``Judge``; None where the model abstains or there is nothing to look at."""
        del run_seed
        if any(step not in result.pictures for step in self.steps):
            return None  # its physics diverged on the way
        if self._source is None:
            self._source = self._make()
        meta = result.summary.meta
        request = RewardRequest(
            episode_id=meta.episode_id,
            task=meta.task,
            frames=Film(result.pictures, meta.max_steps + 1),
            stamps_ns=range(meta.max_steps + 1),
            control_hz=meta.control_hz,
        )
        outcome = self._source.score(request)
        return outcome if isinstance(outcome, Score) else None


def shipped_judge(task: TaskSpec) -> VideoJudge:
    """The shipped reward model as the demo runs it."""
    options = merged_options("roboreward", {"model": SHIPPED})
    config = build_config(RoboRewardConfig, options, "the shipped judge")

    def make() -> RoboRewardSource:
        source = RoboRewardSource(config)
        source.warm_up()
        return source

    return VideoJudge(task, config, make)


def untrained_judge(task: TaskSpec, seed: int, *, made_to_answer: bool) -> VideoJudge:
    """The shipped model as it was before its training: random weights, tokenizer, same prompt.

    Args:
        task: what is done.
        seed: of the weights.
        made_to_answer: lift the limits above which it abstains, so that every episode gets the
            likeliest of the five answers, however unlikely all of them are.
    """
    shipped = merged_options("roboreward", {"model": SHIPPED})
    look = {key: shipped[key] for key in _LOOK if key in shipped}
    limits: Options = {"max_entropy": 2.0, "max_off_answer_mass": 1.0} if made_to_answer else {}
    options = merged_options("qwen_base", {**look, **limits})
    config = build_config(QwenBaseConfig, options, "the untrained judge")

    def make() -> QwenBaseSource:
        from roboreward_ros.reward_training.config import ModelSize
        from roboreward_ros.reward_training.model import build
        from roboreward_ros.rewards.vlm.backend import Backend
        from roboreward_ros.studies.reward_watch import vocabulary

        source = QwenBaseSource(config)
        source.adopt(Backend(build(ModelSize(), vocabulary().sentences, seed)))
        return source

    return VideoJudge(task, config, make)

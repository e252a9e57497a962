# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which clips and questions a step sees: a function of (seed, step) and the data alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from roboreward_ros.reward_training.config import TrainConfig
from roboreward_ros.reward_training.dataset import ClipSet, Int16Array, Int64Array
from roboreward_ros.rewards.vlm.clips import Clip
from roboreward_ros.types import Float32Array, FloatArray, ImageU8

GROUP = 2  # frames of a group


@dataclass(frozen=True, slots=True)
class Video:
    """A clip with the privileged states of its frames ``[n, D]``."""

    clip: Clip
    states: Float32Array

    def groups(self) -> tuple[ImageU8, Float32Array]:
        """Frames ``[2 g, H, W, 3]`` and states ``[g, 2, D]``; an odd last frame stands twice."""
        frames, states = self.clip.frames, self.states
        if len(frames) % GROUP:
            frames = np.concatenate([frames, frames[-1:]])
            states = np.concatenate([states, states[-1:]])
        return frames, states.reshape(len(states) // GROUP, GROUP, -1)


def as_clip(frames: ImageU8, steps: Int16Array, control_hz: float) -> Clip:
    """The frames as the reward source would show them."""
    times = tuple(float(step) / control_hz for step in steps)
    return Clip(frames, times, times[1] - times[0] if len(times) > 2 else 1.0)


class Sampler:
    """Draws from a set of clips.

    Args:
        clips: training clips.
        config: weights of questions and labels.
    """

    def __init__(self, clips: ClipSet, config: TrainConfig) -> None:
        self.clips = clips
        self._config = config
        self._sentences = clips.vocabulary.sentences
        swaps = clips.vocabulary.swaps
        own, absent = swaps.index("own"), swaps.index("absent")
        labels = clips.labels
        weight = np.where(labels > 1, config.changed, config.present)
        weight[clips.swaps == absent] = config.absent
        weight[clips.swaps == own] = config.own
        self._log_weight: FloatArray = np.log(weight)
        own_label = labels[np.arange(len(clips)), (clips.swaps == own).argmax(axis=1)]
        groups = clips.task.astype(np.int64) * 8 + own_label
        share = np.bincount(groups, minlength=64)[groups] / len(clips)
        chance = share ** -float(config.balance)
        self._chance: FloatArray = chance / chance.sum()

    def rng(self, step: int) -> np.random.Generator:
        """The generator of one step."""
        return np.random.default_rng((self._config.seed, step))

    def draw(
        self, rng: np.random.Generator, size: int, count: int
    ) -> tuple[Int64Array, list[Int64Array]]:
        """Clips ``[size]`` and, for each, the numbers of its ``count`` questions."""
        chosen = rng.choice(len(self.clips), size, p=self._chance)
        noise = rng.gumbel(size=(size, len(self._sentences)))
        order = np.argsort(-(self._log_weight[chosen] + noise), axis=1)[:, :count]
        return chosen, [np.sort(row) for row in order]

    def video(self, index: int) -> Video:
        """One clip."""
        frames, steps, states = self.clips.clip(index)
        return Video(as_clip(frames, steps, self.clips.vocabulary.control_hz), states)

    def pairs(self, rng: np.random.Generator, size: int) -> tuple[ImageU8, Float32Array]:
        """Two frames of one episode each: ``[2 size, H, W, 3]`` and states ``[size, 2, D]``."""
        frames: list[ImageU8] = []
        states: list[Float32Array] = []
        for number in rng.integers(len(self.clips), size=size):
            shard = self.clips.shards[int(self.clips.shard_of[number])]
            episode = int(shard.episode[int(self.clips.row_of[number])])
            there = np.flatnonzero(shard.steps[episode] >= 0)
            both = rng.choice(there, GROUP)
            frames.append(np.stack([shard.frames[episode, slot] for slot in both]))
            states.append(shard.states[episode, both])
        return np.concatenate(frames), np.stack(states)


def sizes(videos: Sequence[Video]) -> list[int]:
    """Groups of each video."""
    return [-(-len(video.clip.times_s) // GROUP) for video in videos]

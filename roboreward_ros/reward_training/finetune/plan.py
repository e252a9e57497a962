# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which examples a step sees: a function of the seed, the step and the data alone."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from roboreward_ros.reward_training.finetune.forms import Example
from roboreward_ros.reward_training.finetune.recipe import Optimisation

Bundle = tuple[int, ...]
"""Numbers of examples about one video that go through the network together."""


class Plan:
    """The order of all examples over the epochs.

    Examples of one video stay together, a few at a time, so that they can share a forward pass;
    within an epoch each example comes once.

    Args:
        examples: of the training split.
        config: batch and epochs or steps.
        together: examples of one video in a bundle at most.
        seed: of the order.
    """

    def __init__(
        self, examples: Sequence[Example], config: Optimisation, together: int, seed: int
    ) -> None:
        self._batch = config.batch
        self._together = together
        self._seed = seed
        self._videos: dict[str, list[int]] = {}
        for number, example in enumerate(examples):
            self._videos.setdefault(example.video, []).append(number)
        self.per_epoch = math.ceil(len(examples) / config.batch)
        self.steps = config.steps or math.ceil(config.epochs * self.per_epoch)
        self._epoch: tuple[int, list[list[Bundle]]] = (-1, [])

    def step(self, number: int) -> list[Bundle]:
        """Bundles of step ``number``, from 0; ``batch`` examples, fewer at an epoch's end."""
        epoch, place = divmod(number, self.per_epoch)
        dealt = self._epoch  # two threads ask, of which one is a step ahead
        if dealt[0] != epoch:
            dealt = (epoch, self._deal(epoch))
            self._epoch = dealt
        return dealt[1][place]

    def _deal(self, epoch: int) -> list[list[Bundle]]:
        rng = np.random.default_rng((self._seed, epoch))
        bundles: list[list[int]] = []
        for members in self._videos.values():
            mixed = [members[k] for k in rng.permutation(len(members))]
            starts = range(0, len(mixed), self._together)
            bundles += [mixed[start : start + self._together] for start in starts]
        steps: list[list[Bundle]] = [[]]
        room = self._batch
        for place in rng.permutation(len(bundles)):
            rest = bundles[int(place)]
            while rest:
                if room == 0:
                    steps.append([])
                    room = self._batch
                part, rest = rest[:room], rest[room:]
                steps[-1].append(tuple(part))
                room -= len(part)
        return steps


def share(bundles: Sequence[Bundle], processes: int, index: int) -> list[Bundle]:
    """The bundles of one of several processes: large ones first, to whom has fewest examples."""
    loads = [0] * processes
    own: list[Bundle] = []
    for bundle in sorted(bundles, key=len, reverse=True):
        least = loads.index(min(loads))
        loads[least] += len(bundle)
        if least == index:
            own.append(bundle)
    return own


def by_video(examples: Sequence[Example], chosen: Sequence[int], together: int) -> list[Bundle]:
    """Bundles of the chosen examples, in the order of their videos."""
    videos: dict[str, list[int]] = {}
    for number in chosen:
        videos.setdefault(examples[number].video, []).append(number)
    return [
        tuple(members[start : start + together])
        for members in videos.values()
        for start in range(0, len(members), together)
    ]

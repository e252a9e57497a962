# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Forward passes of many examples over one process or several, a few at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from roboreward_ros.reward_training.finetune.forms import Example
from roboreward_ros.reward_training.finetune.plan import Bundle, share
from roboreward_ros.reward_training.finetune.recipe import Compute
from roboreward_ros.reward_training.finetune.writing import (
    Entry,
    Micro,
    Pictures,
    Sheet,
    Writing,
    grouped,
    micro_batch,
    sheet_of,
)

Answers = Callable[[Example], Sequence[int]]
PAYS = 0.75  # a tree must cost clearly less: long rows are slower than their count says
CHUNK = 8  # bundles whose pixels are in memory at a time, where there are many


class Feeder:
    """Makes micro-batches of examples.

    Args:
        writing: of the head.
        compute: packing and sizes.
    """

    def __init__(self, writing: Writing, compute: Compute) -> None:
        self._writing = writing
        self._compute = compute

    def micros(
        self, examples: Sequence[Example], bundles: Sequence[Bundle], answers: Answers, ended: bool
    ) -> list[Micro]:
        """Micro-batches with replies to the examples of all bundles.

        Args:
            examples: of the split.
            bundles: numbers of those that are meant.
            answers: which answers are given to an example.
            ended: whether the token that ends the model's turn belongs to a reply.
        """
        sheets: list[Sheet] = []
        for bundle in bundles:
            parts = [bundle] if self._compute.packed else [(number,) for number in bundle]
            for part in parts:
                pictures = self._writing.pictures()
                entries = [
                    self._writing.entry(
                        number, examples[number], answers(examples[number]), ended, pictures
                    )
                    for number in part
                ]
                sheets += self._sheets(entries, pictures)
        return [micro_batch(group) for group in grouped(sheets, self._compute.micro_tokens)]

    def _sheets(self, entries: Sequence[Entry], pictures: Pictures) -> list[Sheet]:
        """One sheet, or several where one would be too long or would not pay."""
        whole = sheet_of(entries, pictures)
        if len(entries) == 1:
            return [whole]
        half = len(entries) // 2
        parts = [
            *self._sheets(entries[:half], pictures),
            *self._sheets(entries[half:], pictures),
        ]
        fits = len(whole) <= self._compute.micro_tokens
        pays = self._cost(len(whole)) <= PAYS * sum(self._cost(len(part)) for part in parts)
        return [whole] if fits and pays else parts

    def _cost(self, tokens: int) -> float:
        """Of a sheet, in units of its own: matrices grow with its length, attention as its square.

        A token takes about 26 multiplications by the width squared in a layer's matrices and 4 by
        width and length in its attention, which a tree's mask makes dense.
        """
        return tokens * (6.5 * self._writing.width + tokens)


def most(accelerator: Accelerator, count: int) -> int:
    """The largest of all processes' counts: all of them must run as many forward passes."""
    if accelerator.num_processes == 1:
        return count
    counts = torch.tensor([count], device=accelerator.device)
    return int(accelerator.gather(counts).max())


def total(accelerator: Accelerator, values: Tensor) -> Tensor:
    """Sum over all processes, on the CPU."""
    if accelerator.num_processes == 1:
        return values.cpu()
    summed: Tensor = accelerator.reduce(values.to(accelerator.device), "sum")
    return summed.cpu()


@torch.no_grad()
def chances(
    accelerator: Accelerator,
    network: nn.Module,
    feeder: Feeder,
    examples: Sequence[Example],
    bundles: Sequence[Bundle],
    answers: Answers,
    ended: bool,
) -> Iterator[tuple[Micro, Tensor]]:
    """This process's share of the replies, with their log-probabilities ``[R]`` on the CPU.

    All processes must take the iterator to its end; arguments as for ``Feeder.micros``.
    """
    network.eval()
    own = share(bundles, accelerator.num_processes, accelerator.process_index)
    chunks = [own[start : start + CHUNK] for start in range(0, len(own), CHUNK)]
    for number in range(most(accelerator, len(chunks))):
        real = number < len(chunks)
        wanted = chunks[number] if real else bundles[:1]
        micros = feeder.micros(examples, wanted, answers, ended)
        for place in range(most(accelerator, len(micros))):
            micro = micros[min(place, len(micros) - 1)]
            sums = network(micro.to(accelerator.device)).cpu()
            if real and place < len(micros):
                yield micro, sums

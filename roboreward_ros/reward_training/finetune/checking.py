# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Errors on held-out examples, by which the best weights are chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from accelerate import Accelerator
from torch import nn

from roboreward_ros.reward_training.finetune.feeding import Feeder, chances, total
from roboreward_ros.reward_training.finetune.forms import Example, Form
from roboreward_ros.reward_training.finetune.plan import by_video
from roboreward_ros.reward_training.finetune.recipe import Head
from roboreward_ros.types import RUBRIC_MAX

LOW, HIGH = 2.0, float(RUBRIC_MAX)  # truth at most LOW, answered HIGH: a false positive


@dataclass(frozen=True, slots=True)
class Validation:
    """Errors of the most likely answer on held-out examples, weighted as in training.

    Attributes:
        mae: mean absolute error, in units of the head's scale.
        exact: share of right answers.
        n: examples.
        false_positives: share of examples with truth at most 2 that are answered 5; NaN where there
            is none, and for other heads than the rubric.
    """

    mae: float
    exact: float
    n: int
    false_positives: float


def chosen_rows(count: int, rows: int, seed: int) -> list[int]:
    """Numbers of the examples that are looked at, drawn once; all of them where ``rows`` is 0."""
    if rows == 0 or rows >= count:
        return list(range(count))
    drawn = np.random.default_rng((seed, 99)).choice(count, rows, replace=False)
    return [int(number) for number in np.sort(drawn)]


def check(
    accelerator: Accelerator,
    network: nn.Module,
    feeder: Feeder,
    form: Form,
    examples: Sequence[Example],
    chosen: Sequence[int],
    together: int,
) -> Validation:
    """Ask every chosen example; the likeliest of all answers counts. All processes call this."""
    every = range(len(form.answers))
    bundles = by_video(examples, chosen, together)
    found: dict[int, list[float]] = {}
    for micro, sums in chances(
        accelerator, network, feeder, examples, bundles, lambda _: every, ended=False
    ):
        for reply, value in zip(micro.replies, sums.tolist(), strict=True):
            found.setdefault(reply.example, []).append(value)
    tally = torch.zeros(6, dtype=torch.float64)
    for number, values in found.items():
        truth, weight = form.levels[examples[number].right], examples[number].weight
        guess = form.levels[int(np.argmax(values))]
        low = form.head is Head.RUBRIC and truth <= LOW
        error, right = weight * abs(guess - truth), weight * (guess == truth)
        row = [error, right, weight, low, low and guess == HIGH, 1.0]
        tally += torch.tensor([float(value) for value in row], dtype=torch.float64)
    error, right, weight, lows, false, n = total(accelerator, tally).tolist()
    rate = false / lows if lows else float("nan")
    return Validation(error / weight, right / weight, int(n), rate)

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What privileged states say that a model's hidden states should learn to say, too."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - torch's own name for it

from roboreward_ros.reward_training.dataset import Int64Array, Vocabulary
from roboreward_ros.reward_training.network import FACTS, THING, Heads
from roboreward_ros.types import Float32Array, FloatArray

CENTRE = np.array([0.30, 0.0, 0.05])  # m, base frame: the middle of what happens
UNIT = 0.05  # m
SHARP = 0.1  # of a unit: below, errors count as squares


def things_of(states: Float32Array, vocabulary: Vocabulary) -> FloatArray:
    """Every thing, the gripper last, of states ``[n, D]``: ``[n, K, 5]`` x y z held touched.

    The gripper's opening stands in the place of ``held``. NaN where a thing is not there.
    """
    count = len(states)
    things = states[:, 5:].reshape(count, len(vocabulary.things), 5).astype(np.float64)
    gripper = np.concatenate([states[:, None, :4], np.zeros((count, 1, 1))], axis=2)
    both: FloatArray = np.concatenate([things, gripper], axis=1)
    return both


def cells_of(things: FloatArray, vocabulary: Vocabulary, side: int) -> Int64Array:
    """Video token of ``side`` x ``side`` that each thing is in ``[n, K]``; side^2 for none."""
    matrix = np.array(vocabulary.projection)
    spots = things[..., :3] @ matrix[:, :3].T + matrix[:, 3]
    with np.errstate(invalid="ignore", divide="ignore"):
        places = spots[..., :2] / spots[..., 2:]
    column, row = (np.clip(np.nan_to_num(places[..., k]) * side, 0, side - 1) for k in (0, 1))
    cells: Int64Array = row.astype(np.int64) * side + column.astype(np.int64)
    cells[np.isnan(things[..., 0])] = side * side
    return cells


def look_loss(
    heads: Heads, tokens: Tensor, states: Float32Array, vocabulary: Vocabulary
) -> tuple[Tensor, float]:
    """Whether tokens tell what is where.

    Args:
        heads: see there.
        tokens: of groups of two frames ``[G, T, hidden]``.
        states: of both frames of each group ``[G, 2, D]``.
        vocabulary: what the states hold.

    Returns:
        The loss, and the mean error of the positions, m.
    """
    groups, count, _ = tokens.shape
    side = round(count**0.5)
    things = things_of(states.reshape(2 * groups, -1), vocabulary).reshape(groups, 2, -1, 5)
    cells = torch.from_numpy(cells_of(things, vocabulary, side))
    told, drawer = heads.looked(tokens)
    here = F.pad(told[..., 0].permute(0, 2, 3, 1), (0, 1))  # [G, 2, K, T + 1], the last: nowhere
    loss = F.cross_entropy(here.flatten(0, 2), cells.flatten())
    there = cells < count
    at = cells.clamp(max=count - 1)
    index = at[:, None, :, :, None].expand(-1, 1, -1, -1, THING)
    found = told.gather(1, index)[:, 0][there]  # [n, THING]
    wanted = torch.from_numpy(things).float()[there]
    place = (wanted[:, :3] - torch.from_numpy(CENTRE).float()) / UNIT
    loss = loss + F.smooth_l1_loss(found[:, 1:4], place, beta=SHARP)
    loss = loss + 0.3 * F.smooth_l1_loss(found[:, 4:], wanted[:, 3:], beta=SHARP)
    opened = torch.from_numpy(np.nan_to_num(states[:, :, 4]) / UNIT).float()
    cabinet = [k for k, name in enumerate(vocabulary.things) if name.endswith("/drawer")]
    if cabinet:
        where = at[:, :, cabinet[0]]
        shown = there[:, :, cabinet[0]]
        guess = drawer.gather(1, where[:, None])[:, 0]
        if bool(shown.any()):
            loss = loss + F.smooth_l1_loss(guess[shown], opened[shown], beta=SHARP)
    error = (found[:, 1:4] - place).detach().norm(dim=1).mean() * UNIT
    return loss, float(error)


def facts_of(
    first: Float32Array,
    last: Float32Array,
    tasks: Int64Array,
    sentences: Int64Array,
    vocabulary: Vocabulary,
) -> FloatArray:
    """What a question's answer follows from ``[N, FACTS]``; NaN where a fact does not exist.

    Args:
        first: state at the start, one for each question ``[N, D]``.
        last: state at the end ``[N, D]``.
        tasks: number of the scene's task ``[N]``.
        sentences: number of the sentence ``[N]``.
        vocabulary: what the numbers mean.
    """
    roles = np.array(vocabulary.roles)[tasks, sentences]  # [N, 2]
    start, end = things_of(first, vocabulary), things_of(last, vocabulary)
    rows = np.arange(len(roles))

    def thing(states: FloatArray, role: Int64Array) -> FloatArray:
        found = states[rows, role].copy()
        found[role < 0] = np.nan
        return found

    source, target = roles[:, 0], roles[:, 1]
    before, after = thing(start, source), thing(end, source)
    goal, goal_before = thing(end, target), thing(start, target)
    facts = np.full((len(rows), FACTS), np.nan)
    facts[:, 0] = np.linalg.norm(after[:, :3] - before[:, :3], axis=1) / UNIT
    facts[:, 1] = np.linalg.norm(after[:, :2] - goal[:, :2], axis=1) / UNIT
    facts[:, 2] = (after[:, 2] - np.where(np.isnan(goal[:, 2]), before[:, 2], goal[:, 2])) / UNIT
    facts[:, 3] = np.linalg.norm(before[:, :2] - goal_before[:, :2], axis=1) / UNIT
    facts[:, 4], facts[:, 5] = after[:, 3], after[:, 4]
    is_drawer = np.array([name.endswith("/drawer") for name in vocabulary.things] + [False])
    facts[:, 6] = np.where(is_drawer[source] & (source >= 0), last[:, 4] / UNIT, np.nan)
    facts[:, 7] = (source >= 0).astype(float)
    return facts


def facts_loss(told: Tensor, facts: FloatArray) -> Tensor:
    """Error of what hidden states tell ``[N, FACTS]``, over the facts that exist."""
    wanted = torch.from_numpy(facts).float()
    known = ~wanted.isnan()
    return F.smooth_l1_loss(told[known], wanted[known], beta=SHARP)

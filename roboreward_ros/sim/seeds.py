# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Disjoint ranges of layout seeds: training episodes, held-out evaluation, demonstrations."""

from __future__ import annotations

from roboreward_ros.errors import ConfigError

EPISODES_PER_RUN = 100_000
HELD_OUT = 2**31
DEMONSTRATIONS = 3 * 2**30
_END = 2**32


def training_seed(run_seed: int, index: int) -> int:
    """Layout of episode ``index`` of a run; below 2**31."""
    if not 0 <= index < EPISODES_PER_RUN:
        raise ConfigError("episode index out of range", got=index, allowed="0..99999")
    seed = run_seed * EPISODES_PER_RUN + index
    if not 0 <= seed < HELD_OUT:
        raise ConfigError("run seed out of range", got=run_seed, allowed="0..21473")
    return seed


def held_out_seed(index: int) -> int:
    """Layout ``index`` of the held-out evaluation, from 2**31 on."""
    return _within(HELD_OUT, DEMONSTRATIONS, index)


def demo_seed(index: int) -> int:
    """Layout ``index`` of the demonstrations, from 3 * 2**30 on."""
    return _within(DEMONSTRATIONS, _END, index)


def _within(start: int, end: int, index: int) -> int:
    if not 0 <= index < end - start:
        raise ConfigError("seed index out of range", got=index, allowed=f"0..{end - start - 1}")
    return start + index

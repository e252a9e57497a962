# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from roboreward_ros.errors import ConfigError
from roboreward_ros.policies.chunking import ChunkPlayer, ChunkSchedule
from roboreward_ros.testing.fake_policy import FakePolicy


def test_every_cth_step_is_a_decision():
    schedule = ChunkSchedule(4)
    assert [step for step in range(10) if schedule.is_decision(step)] == [0, 4, 8]
    assert [schedule.index(step) for step in (0, 3, 4, 9)] == [0, 0, 1, 2]
    assert [schedule.decisions(steps) for steps in (0, 1, 4, 5, 48)] == [0, 1, 1, 2, 12]


def test_the_player_executes_the_first_actions_of_each_chunk():
    player = ChunkPlayer(FakePolicy(prediction_horizon=6, chunk_size=2).spec)
    for start in (0, 2):
        assert player.needs_decision(start)
        player.load(start, np.arange(42, dtype=np.float32).reshape(6, 7) + start)
        assert not player.needs_decision(start + 1)
        np.testing.assert_array_equal(player.action(start), np.arange(7) + start)
        np.testing.assert_array_equal(player.action(start + 1), np.arange(7, 14) + start)
    assert player.action(2).dtype == np.float64


def test_a_stale_chunk_is_not_played():
    player = ChunkPlayer(FakePolicy().spec)
    with pytest.raises(ConfigError, match="no chunk"):
        player.action(0)
    player.load(0, np.zeros((4, 7), dtype=np.float32))
    with pytest.raises(ConfigError, match="no chunk"):
        player.action(4)


def test_a_chunk_must_fit_and_begin_at_a_decision():
    player = ChunkPlayer(FakePolicy().spec)
    with pytest.raises(ConfigError, match="decision step"):
        player.load(3, np.zeros((4, 7), dtype=np.float32))
    with pytest.raises(ConfigError, match="shape"):
        player.load(4, np.zeros((3, 7), dtype=np.float32))


def test_what_was_handed_out_can_be_changed_without_harm():
    player = ChunkPlayer(FakePolicy().spec)
    player.load(0, np.zeros((4, 7), dtype=np.float32))
    player.action(0)[:] = 9
    np.testing.assert_array_equal(player.action(0), np.zeros(7))

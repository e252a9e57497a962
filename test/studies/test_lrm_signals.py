# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from roboreward_ros.studies.lrm.config import Arm
from roboreward_ros.studies.lrm.lanes import STATE_DIM, Batch
from roboreward_ros.studies.lrm.signals import contrast, held, rewards

PROGRESS = np.array([[0.0, 0.0], [0.12, 0.1], [0.34, 0.1], [0.62, 0.02], [1.0, 0.02]])


@pytest.fixture
def batch() -> Batch:
    """Four decisions: the first episode succeeds at its end, the second falls back."""
    success = PROGRESS == 1.0
    return Batch(
        states=np.zeros((5, 2, STATE_DIM), np.float32),
        progress=PROGRESS,
        success=success,
        live=np.ones((4, 2), np.bool_),
    )


def test_an_answer_is_held_until_the_next_query():
    answers = np.arange(7.0)[:, None]
    assert held(answers, 2)[:, 0].tolist() == [0, 2, 2, 4, 4, 6]
    assert held(answers, 3)[:, 0].tolist() == [0, 0, 3, 3, 3, 6]
    assert held(answers, 1)[:, 0].tolist() == [1, 2, 3, 4, 5, 6]


def test_contrast_compares_with_the_frame_of_the_query_before():
    assert contrast(PROGRESS, 2)[[2, 4]].tolist() == [[1, 1], [1, -1]]
    assert contrast(np.full((3, 1), 0.5), 1).ravel().tolist() == [0, 0, 0]


def test_sparse_pays_once_at_the_end_of_a_success(batch: Batch):
    assert rewards(Arm.SPARSE, batch, 2).tolist() == [[0, 0], [0, 0], [0, 0], [1, 0]]


def test_progress_is_one_of_eleven_answers(batch: Batch):
    paid = rewards(Arm.PROGRESS, batch, 2)
    assert paid.tolist() == [[0, 0], [0.3, 0.1], [0.3, 0.1], [1.0, 0.0]]


def test_completion_is_the_task_s_own_test(batch: Batch):
    assert rewards(Arm.COMPLETION, batch, 2)[-1].tolist() == [1, 0]
    assert not rewards(Arm.COMPLETION, batch, 2)[:-1].any()


def test_the_mix_maps_contrast_to_zero_and_one(batch: Batch):
    last = rewards(Arm.MIX, batch, 2)[-1]
    assert last.tolist() == pytest.approx([(1.0 + 1.0 + 1.0) / 3, 0.0])


def test_the_simulator_s_own_reward_is_known_at_every_decision(batch: Batch):
    paid = rewards(Arm.TRUTH, batch, 2)
    assert paid == pytest.approx(0.5 * (PROGRESS[1:] + (PROGRESS[1:] == 1)))
    assert (rewards(Arm.NOISE, batch, 2) == paid).all()

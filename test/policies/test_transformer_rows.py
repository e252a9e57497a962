# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Rows on disk: what was written is read, what is held out stays out, a step sees what it sees."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from roboreward_ros.errors import ConfigError, FormatError
from roboreward_ros.policies.transformer.batches import RowBatches, augment
from roboreward_ros.policies.transformer.config import CloneConfig, Padding
from roboreward_ros.policies.transformer.rows import (
    Actions,
    EpisodeRows,
    RowStore,
    RowWriter,
    check_key,
    reached_actions,
    split_episodes,
)

SIZE = 16
LENGTHS = (5, 3, 7, 2)


def episode(number: int, rows: int) -> EpisodeRows:
    """Flat pictures that say their episode and row; numbers likewise."""
    frames = [np.full((32, 48, 3), [20 * number, 10 * row, 99], np.uint8) for row in range(rows)]
    state = number + np.arange(rows)[:, None] / 10 + np.arange(7) / 100
    actions = np.full((rows, 7), number, float) + np.arange(rows)[:, None] / 10
    return EpisodeRows(f"task {number % 2}", frames, state, actions)


def write(folder: Path, actions: Actions = Actions.STORED, key: str = "key") -> RowStore:
    writer = RowWriter(folder, key, SIZE, actions)
    for number, rows in enumerate(LENGTHS):
        writer.add(episode(number, rows))
    writer.close()
    return RowStore(folder)


@pytest.fixture
def store(tmp_path: Path) -> RowStore:
    return write(tmp_path / "rows")


def test_rows_come_back_as_they_were(store: RowStore):
    assert len(store) == sum(LENGTHS)
    assert store.tasks == ("task 0", "task 1")
    assert store.task.tolist() == [0] * 5 + [1] * 3 + [0] * 7 + [1] * 2
    row = 5 + 2  # the last of the second episode
    np.testing.assert_allclose(store.proprio[row], 1.2 + np.arange(7) / 100, rtol=1e-6)
    picture = store.picture(row)
    assert picture.shape == (SIZE, SIZE, 3)
    np.testing.assert_allclose(picture.mean(axis=(0, 1)), [20, 20, 99], atol=2)


def test_numbers_are_mapped_and_not_read(store: RowStore):
    """So a store of two million rows needs no more memory than one of ten."""
    assert isinstance(store.actions, np.memmap)
    assert isinstance(store._frames, np.memmap)


def test_chunks_stay_where_an_episode_ends_and_say_so(store: RowStore):
    chunks, held = store.chunks(np.array([0, 4, 6]), 4)
    assert held.tolist() == [[True] * 4, [True] + [False] * 3, [True, True, False, False]]
    np.testing.assert_allclose(chunks[0, :, 0], [0, 0.1, 0.2, 0.3], atol=1e-6)
    np.testing.assert_array_equal(chunks[1, 1:, :6], 0)
    np.testing.assert_allclose(chunks[1, :, 6], 0.4, atol=1e-6)  # the last gripper command
    np.testing.assert_allclose(chunks[2, 2:, 6], 1.2, atol=1e-6)


def test_reached_actions_are_differences_the_short_way_round():
    state = np.zeros((3, 7))
    state[:, 0] = [0.0, 0.02, 0.01]
    state[:, 5] = [3.1, -3.1, -3.0]
    stored = np.full((3, 7), 9.0)
    stored[:, 6] = [1, 0, 1]
    reached = reached_actions(state, stored)
    np.testing.assert_allclose(reached[:, 0], [0.02, -0.01])
    np.testing.assert_allclose(reached[:, 5], [2 * np.pi - 6.2, 0.1])
    assert reached[:, 6].tolist() == [1, 0]


def test_the_last_row_has_no_reached_action(tmp_path: Path):
    store = write(tmp_path / "rows", Actions.REACHED)
    assert store.ends.tolist() == [4, 6, 12, 13]
    np.testing.assert_allclose(store.actions[0, :6], 0.1, atol=1e-6)


def test_an_aborted_writer_leaves_the_old_rows(tmp_path: Path):
    write(tmp_path / "rows")
    writer = RowWriter(tmp_path / "rows", "other", SIZE, Actions.STORED)
    writer.add(episode(0, 4))
    writer.abort()
    assert RowStore(tmp_path / "rows").key == "key"
    assert [path.name for path in tmp_path.iterdir()] == ["rows"]


@pytest.mark.parametrize("name", ["frames", "ends", "proprio", "actions", "rows.json"])
def test_damaged_rows_are_refused(tmp_path: Path, name: str):
    write(tmp_path / "rows")
    path = tmp_path / "rows" / name
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(FormatError, match="prepared rows"):
        RowStore(tmp_path / "rows")


def test_rows_of_other_data_are_refused(store: RowStore, tmp_path: Path):
    with pytest.raises(ConfigError, match="other rows"):
        check_key(store, "another", tmp_path)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda e: replace(e, task=" "), ConfigError),
        (lambda e: replace(e, proprio=e.proprio * np.nan), ConfigError),
        (lambda e: replace(e, frames=e.frames[:-1]), FormatError),
        (lambda e: replace(e, frames=[*e.frames, e.frames[0]]), FormatError),
    ],
)
def test_an_episode_that_does_not_fit_is_refused(tmp_path: Path, change, error):
    writer = RowWriter(tmp_path / "rows", "key", SIZE, Actions.STORED)
    with pytest.raises(error):
        writer.add(change(episode(1, 4)))
    writer.abort()


def test_no_episode_is_on_both_sides(store: RowStore):
    learn, judge = split_episodes(store, 0.25, 3)
    assert len(learn) + len(judge) == len(store)
    assert len(judge)
    assert not set(store.episode[learn]) & set(store.episode[judge])
    again, _ = split_episodes(store, 0.25, 3)
    np.testing.assert_array_equal(learn, again)
    chosen = {tuple(np.unique(store.episode[split_episodes(store, 0.25, s)[1]])) for s in range(20)}
    assert len(chosen) > 1
    with pytest.raises(ConfigError, match="hold one out"):
        split_episodes(store, 0.9, 0)


CONFIG = CloneConfig(batch_size=4, seed=5)


def test_an_epoch_is_every_row_once(store: RowStore):
    rows = np.arange(16)
    batches = RowBatches(store, rows, CONFIG, 4)
    seen = [batches.rows_of(step) for step in range(8)]
    assert sorted(np.concatenate(seen[:4])) == rows.tolist()
    assert sorted(np.concatenate(seen[4:])) == rows.tolist()
    assert np.concatenate(seen[:4]).tolist() != np.concatenate(seen[4:]).tolist()


@pytest.mark.parametrize("workers", [0, 2])
def test_a_step_sees_the_same_whenever_it_is_read(store: RowStore, workers: int):
    config = replace(CONFIG, workers=workers)
    whole = list(RowBatches(store, np.arange(17), CONFIG, 4).from_step(0, 9))
    rest = list(RowBatches(store, np.arange(17), config, 4).from_step(6, 9))
    for one, other in zip(whole[6:], rest, strict=True):
        assert torch.equal(one.pixels, other.pixels)
        assert torch.equal(one.chunks, other.chunks)


def test_masked_padding_teaches_nothing(store: RowStore):
    rows = np.array([4, 0])
    stay = RowBatches(store, rows, CONFIG, 4).read(rows)
    mask = RowBatches(store, rows, replace(CONFIG, padding=Padding.MASK), 4).read(rows)
    assert stay.taught.tolist() == [[1, 1, 1, 1]] * 2
    assert mask.taught.tolist() == [[1, 0, 0, 0], [1, 1, 1, 1]]


def test_augmentation_moves_and_tints_each_picture_its_own_way():
    pixels = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0)).repeat(6, 1, 1, 1)
    draws = torch.Generator().manual_seed(1)
    assert torch.equal(augment(pixels, 1.0, 0.0, draws), pixels)
    changed = augment(pixels, 0.8, 0.2, draws)
    assert changed.shape == pixels.shape
    assert 0 <= changed.min() <= changed.max() <= 1
    assert all((changed[0] - other).abs().max() > 0.01 for other in changed[1:])
    centre = torch.zeros(1, 3, 17, 17)
    centre[..., 8, 8] = 1  # a dot in the middle stays within what a crop may move it by
    moved = augment(centre.repeat(50, 1, 1, 1), 0.8, 0.0, draws)[:, 0]
    assert moved[:, 3:14, 3:14].sum() == pytest.approx(float(moved.sum()), rel=1e-4)
    assert len({tuple(np.argwhere(m.numpy() == m.numpy().max())[0]) for m in moved}) > 3

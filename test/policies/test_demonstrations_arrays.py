# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from roboreward_ros.errors import ConfigError, FormatError
from roboreward_ros.policies.dataset import (
    Demonstrations,
    chunks_of,
    load_demonstrations,
    save_demonstrations,
)


def test_chunks_look_ahead_and_end_by_staying():
    actions = np.arange(21, dtype=np.float64).reshape(3, 7)
    chunks = chunks_of(actions, 3)
    assert chunks.shape == (3, 3, 7)
    np.testing.assert_array_equal(chunks[0], actions)
    np.testing.assert_array_equal(chunks[2, 0], actions[2])
    np.testing.assert_array_equal(chunks[2, 1:], [[0, 0, 0, 0, 0, 0, 20]] * 2)


def test_the_hash_depends_on_every_array(toy_data: Demonstrations):
    assert toy_data.sha256() == dataclasses.replace(toy_data).sha256()
    changed = toy_data.images.copy()
    changed[-1, -1, -1, -1] ^= 1
    others = [
        dataclasses.replace(toy_data, images=changed),
        dataclasses.replace(toy_data, proprio=toy_data.proprio + np.float32(1)),
        dataclasses.replace(toy_data, chunks=toy_data.chunks + np.float32(1)),
        dataclasses.replace(toy_data, task=1 - toy_data.task),
        dataclasses.replace(toy_data, positions=toy_data.positions + np.float32(1)),
        dataclasses.replace(toy_data, tasks=toy_data.tasks[::-1]),
    ]
    assert len({toy_data.sha256(), *(other.sha256() for other in others)}) == 7


@pytest.mark.parametrize(
    "change",
    [
        {"images": np.zeros((0, 16, 16, 3), dtype=np.uint8)},
        {"proprio": np.zeros((3, 7), dtype=np.float32)},
        {"task": np.full(512, 2)},
        {"chunks": np.full((512, 4, 7), np.nan, dtype=np.float32)},
    ],
)
def test_data_that_do_not_fit_are_refused(toy_data: Demonstrations, change):
    with pytest.raises(ConfigError):
        dataclasses.replace(toy_data, **change)


def test_a_file_gives_back_what_was_saved(toy_data: Demonstrations, tmp_path: Path):
    save_demonstrations(tmp_path / "deep" / "data.npz", toy_data)
    loaded = load_demonstrations(tmp_path / "deep" / "data.npz")
    assert loaded.tasks == toy_data.tasks
    assert loaded.sha256() == toy_data.sha256()
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["data.npz"]


@pytest.mark.parametrize("content", [None, b"", b"not a zip", b"PK\x03\x04 torn"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None):
    path = tmp_path / "data.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(FormatError, match=r"data\.npz"):
        load_demonstrations(path)

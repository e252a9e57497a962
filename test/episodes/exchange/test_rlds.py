# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Open X-Embodiment's format, read from a data set that tensorflow_datasets 4.9.10 wrote.

``tiny_bridge`` holds 3 training episodes and one for validation; episode e has 4 + e steps.
"""

from __future__ import annotations

import json
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest

from roboreward_ros.episodes.exchange.rlds_read import RldsDataset
from roboreward_ros.episodes.exchange.tfrecord import Example, frame_record, read_records
from roboreward_ros.errors import ConfigError, FormatError

TINY = Path(__file__).parent / "tiny_bridge"
TRAIN = "tiny_bridge-train.tfrecord-00000-of-00001"


@pytest.fixture
def copy(tmp_path):
    shutil.copytree(TINY, tmp_path / "tiny")
    return tmp_path / "tiny" / "1.0.0"


def test_every_value_is_what_tensorflow_wrote():
    dataset = RldsDataset(TINY)
    seen = []
    for split, first in (("train", 0), ("val", 3)):
        for episode in dataset.episodes(split):
            number = first + episode.index
            steps = np.arange(4 + number)
            assert episode.length == 4 + number
            state = episode.array("observation/state")
            expected = np.arange(7, dtype=np.float32) + number + steps[:, None] / 10
            assert state.dtype == np.float32
            np.testing.assert_array_equal(state, expected.astype(np.float32))
            packed = episode.array("observation/packed")
            assert packed.shape == (4 + number, 2, 3)
            np.testing.assert_array_equal(packed[:, 1, 2], state[:, 0])
            np.testing.assert_array_equal(
                episode.array("action"),
                np.linspace(0, 1, 7).astype(np.float32) * steps[:, None].astype(np.float32),
            )
            assert episode.array("is_last").dtype == bool
            assert list(np.flatnonzero(episode.array("is_last"))) == [3 + number]
            for step, image in enumerate(episode.frames("observation/image_0")):
                assert image.shape == (32, 32, 3)
                assert (image == 20 * number + 10 * step).all()
            for step, image in enumerate(episode.frames("observation/image_1")):
                assert (image == [number, step, 7]).all()
            assert episode.text("language_instruction") == f"put the pot on plate {number}"
            assert episode.text("nothing", "observation/words") == f"push block {number}"
            assert episode.episode_text("episode_metadata/file_path") == f"/data/{number}.npy"
            seen.append(episode.id)
    assert seen == [
        *(f"tiny_bridge/1.0.0/train/{k:06d}" for k in range(3)),
        "tiny_bridge/1.0.0/val/000000",
    ]


def test_depth_is_no_camera_and_what_is_missing_is_named():
    dataset = RldsDataset(TINY / "1.0.0")
    assert dataset.description.cameras == ("observation/image_0", "observation/image_1")
    episode = next(dataset.episodes())
    with pytest.raises(ConfigError, match="observation/image_0, observation/image_1"):
        episode.encoded("observation/depth")
    with pytest.raises(ConfigError, match="observation/state"):
        episode.array("observation/joints")
    with pytest.raises(ConfigError, match="train, val"):
        dataset.count("test")


def test_a_folder_without_a_data_set_or_with_two_versions_is_refused(copy, tmp_path):
    with pytest.raises(ConfigError, match="no TFDS data set"):
        RldsDataset(tmp_path)
    shutil.copytree(copy, copy.parent / "2.0.0")
    with pytest.raises(ConfigError, match="which version"):
        RldsDataset(copy.parent)
    info = json.loads((copy / "dataset_info.json").read_text())
    (copy / "dataset_info.json").write_text(json.dumps(info | {"fileFormat": "array_record"}))
    with pytest.raises(ConfigError, match="array_record"):
        RldsDataset(copy)


@pytest.mark.parametrize(
    ("place", "named"),
    [(4, "length's checksum"), (3000, "record 0: the checksum"), (-3, "record 2")],
)
def test_a_flipped_byte_is_found_and_what_came_before_it_is_kept(copy, place, named):
    data = bytearray((copy / TRAIN).read_bytes())
    data[place] ^= 1
    (copy / TRAIN).write_bytes(data)
    dataset = RldsDataset(copy)
    with pytest.raises(FormatError, match=named):
        list(dataset.episodes())
    damages: list[FormatError] = []
    kept = list(dataset.episodes("train", damages.append))
    assert len(kept) == (2 if place < 0 else 0)
    assert len(damages) == 1


def test_a_truncated_a_missing_and_a_short_file_are_found(copy):
    data = (copy / TRAIN).read_bytes()
    (copy / TRAIN).write_bytes(data[:-100])
    with pytest.raises(FormatError, match="record 2 ends early"):
        list(RldsDataset(copy).episodes())
    length = struct.unpack("<Q", data[:8])[0]
    (copy / TRAIN).write_bytes(data[: length + 16])
    with pytest.raises(FormatError, match="another number of episodes"):
        list(RldsDataset(copy).episodes())
    (copy / TRAIN).unlink()
    with pytest.raises(FormatError, match="cannot be read"):
        list(RldsDataset(copy).episodes())


def test_records_come_back_and_a_foreign_one_is_no_example(tmp_path):
    path = tmp_path / "records"
    path.write_bytes(b"".join(map(frame_record, (b"one", b"", b"three"))))
    assert list(read_records(path)) == [b"one", b"", b"three"]
    with pytest.raises(FormatError, match="here is no example"):
        Example(b"\xff\xff\xff", "here")

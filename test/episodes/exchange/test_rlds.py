# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Open X-Embodiment's format, read from a data set that tensorflow_datasets 4.9.10 wrote.

``tiny_bridge`` holds 3 training episodes and one for validation; episode e has 4 + e steps.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest

from roboreward_ros.cli.main import main
from roboreward_ros.episodes.exchange.importing import ImportConfig
from roboreward_ros.episodes.exchange.rlds_import import PARTS, rlds_arrivals
from roboreward_ros.episodes.exchange.rlds_layout import FeatureKind, FeatureSpec
from roboreward_ros.episodes.exchange.rlds_read import RldsDataset
from roboreward_ros.episodes.exchange.tfrecord import Example, frame_record, read_records
from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.errors import ConfigError, FormatError

TINY = Path(__file__).parent / "tiny_bridge"
TRAIN = "tiny_bridge-train.tfrecord-00000-of-00001"


def written_actions(steps):
    """Six ramps, and a gripper that opens at every odd step."""
    ramps = np.linspace(0, 1, 7)[:6] * np.arange(steps)[:, None]
    return np.column_stack([ramps, np.arange(steps) % 2]).astype(np.float32)


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
            np.testing.assert_array_equal(episode.array("action"), written_actions(4 + number))
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


def test_bridge_episodes_are_imported_once(tmp_path):
    words = ["episodes", "import", str(tmp_path / "run"), str(TINY / "1.0.0")]
    words += ["--camera", "observation/image_0"]
    for _ in range(2):
        assert main(words) == 0
    store = EpisodeStore(tmp_path / "run")
    assert len(store.ids()) == 3
    episode = store.open("ep_000001")
    assert episode.summary.meta.task == "put the pot on plate 1"
    assert episode.summary.meta.control_hz == 5
    assert episode.summary.n_steps == 4
    np.testing.assert_allclose(episode.proprio()[:, 0], 1 + np.arange(5) / 10, atol=1e-6)
    np.testing.assert_allclose(episode.actions(), written_actions(5)[:4], atol=1e-6)


def test_the_three_part_actions_of_open_x_become_one(copy):
    """Bridge in Open X-Embodiment keeps translation, rotation and an open gripper apart."""
    description = RldsDataset(copy)
    episode = next(description.episodes())
    whole = rlds_arrivals(description, ImportConfig(camera="observation/image_0"))
    state, action = next(iter(whole)).numbers()
    assert (state.shape, action.shape) == ((4, 7), (4, 7))
    steps = description.description.steps
    number = FeatureSpec(FeatureKind.NUMBERS, (3,), "float32")
    opened = FeatureSpec(FeatureKind.NUMBERS, (), "bool")
    parted = dict(zip(PARTS, (number, number, opened), strict=True))
    without = {name: spec for name, spec in steps.items() if name != "action"}
    values = {
        PARTS[0]: np.arange(12, dtype=np.float32),
        PARTS[1]: np.arange(12, dtype=np.float32) / 10,
        PARTS[2]: np.array([1, 0, 0, 1]),
    }
    for name, found in values.items():
        episode.data._features[f"steps/{name}"] = lambda found=found: found
    description.description = dataclasses.replace(
        description.description, steps={**without, **parted}
    )
    description.episodes = lambda split: iter([episode])
    arrival = next(rlds_arrivals(description, ImportConfig(camera="observation/image_0")))
    _, joined = arrival.numbers()
    np.testing.assert_allclose(joined[1], [3, 4, 5, 0.3, 0.4, 0.5, 0], atol=1e-6)
    np.testing.assert_allclose(joined[:, 6], [1, 0, 0, 1])


def test_actions_in_neither_form_and_several_cameras_are_refused():
    dataset = RldsDataset(TINY)
    with pytest.raises(ConfigError, match="which camera"):
        next(rlds_arrivals(dataset, ImportConfig()))
    wrong = ImportConfig(camera="observation/image_0", action="joints")
    with pytest.raises(ConfigError, match="world_vector"):
        next(rlds_arrivals(dataset, wrong))

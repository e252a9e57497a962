# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
import json
import os
import resource
import subprocess
import sys

import numpy as np
import pytest

from roboreward_ros.episodes.arrays import GroupWriter, array_attributes, read_array
from roboreward_ros.errors import FormatError

VALUES = np.arange(12.0).reshape(3, 4)


@pytest.fixture
def group(tmp_path):
    writer = GroupWriter(tmp_path / "group", {"format": 1})
    writer.array("values", VALUES)
    return tmp_path / "group"


def edit_header(folder, **changes):
    path = folder / "zarr.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize(
    "values",
    [
        VALUES,
        VALUES[:, ::2],
        np.zeros((3, 4, 4)),
        np.zeros((0, 7)),
        np.zeros(0, np.uint8),
        np.array([True, False]),
        np.array([-3, 5], np.int8),
        np.array([7], np.int64),
        np.full((2, 5), np.nan, np.float32),
    ],
    ids=lambda values: f"{values.dtype}{list(values.shape)}",
)
def test_an_array_reads_back_and_cannot_be_written(tmp_path, values):
    GroupWriter(tmp_path / "g", {}).array("deep/values", values, {"names": ["a"]})
    array = read_array(tmp_path / "g/deep/values")
    np.testing.assert_array_equal(array, values)
    assert (array.dtype, array.shape) == (values.dtype, values.shape)
    assert not array.flags.writeable
    assert array_attributes(tmp_path / "g/deep/values") == {"names": ["a"]}


@pytest.mark.parametrize("values", [VALUES, np.zeros((3, 4))], ids=["numbers", "zeros"])
def test_an_array_is_one_plain_chunk_with_a_checksum(tmp_path, values):
    GroupWriter(tmp_path / "g", {}).array("values", values)
    folder = tmp_path / "g/values"
    assert sorted(path.name for path in folder.iterdir()) == ["c.0.0", "zarr.json"]
    data = (folder / "c.0.0").read_bytes()
    assert data[:-4] == values.astype("<f8").tobytes()
    header = json.loads((folder / "zarr.json").read_text())
    assert [codec["name"] for codec in header["codecs"]] == ["bytes", "crc32c"]
    assert header["codecs"][0]["configuration"] == {"endian": "little"}


def test_what_earlier_versions_wrote_by_hand_is_still_read(tmp_path):
    header = {
        "zarr_format": 3,
        "node_type": "array",
        "shape": [9],
        "data_type": "uint8",
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [9]}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "."}},
        "fill_value": 0,
        "codecs": [
            {"name": "bytes", "configuration": {"endian": "little"}},
            {"name": "crc32c"},
        ],
        "attributes": {},
    }
    (tmp_path / "zarr.json").write_text(json.dumps(header))
    # The check value of CRC-32C (iSCSI) for these nine bytes, little endian.
    (tmp_path / "c.0").write_bytes(b"123456789" + (0xE3069283).to_bytes(4, "little"))
    assert read_array(tmp_path).tobytes() == b"123456789"


def test_every_flipped_bit_of_a_chunk_is_found(group):
    path = group / "values/c.0.0"
    data = path.read_bytes()
    for at in range(len(data)):
        flipped = bytearray(data)
        flipped[at] ^= 1 << at % 8
        path.write_bytes(flipped)
        with pytest.raises(FormatError, match=r"values/c\.0\.0 is damaged.*backup"):
            read_array(group / "values")


def test_a_chunk_of_the_wrong_length_is_found(group):
    path = group / "values/c.0.0"
    data = path.read_bytes()
    for wrong in (*(data[:n] for n in range(0, len(data), 9)), data[:-1], data + b"\0", data * 2):
        path.write_bytes(wrong)
        with pytest.raises(FormatError, match=r"values/c\.0\.0 is damaged.*backup"):
            read_array(group / "values")


def test_a_missing_chunk_is_not_read_as_zeros(group):
    (group / "values/c.0.0").unlink()
    with pytest.raises(FormatError, match=r"values/c\.0\.0 is missing.*backup"):
        read_array(group / "values")


def test_a_missing_header_is_named(group):
    (group / "values/zarr.json").unlink()
    for read in (read_array, array_attributes):
        with pytest.raises(FormatError, match=r"values/zarr\.json cannot be read.*backup"):
            read(group / "values")


def test_a_flipped_bit_of_a_header_raises_nothing_foreign(group):
    path = group / "values/zarr.json"
    data = path.read_bytes()
    refused = 0
    for at in range(0, len(data), 2):
        flipped = bytearray(data)
        flipped[at] ^= 1 << at % 7
        path.write_bytes(flipped)
        try:
            read_array(group / "values")
        except FormatError:
            refused += 1
    assert refused > 50


@pytest.mark.parametrize(
    "changes",
    [
        {"zarr_format": 4},
        {"zarr_format": 2},
        {"node_type": "group"},
        {"codecs": [{"name": "tomorrow"}]},
        {"data_type": "float4096"},
        {"shape": [2, 4]},
        {"shape": [10**9, 10**9]},
        {"chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [1, 4]}}},
        {"must_have": {"must_understand": True}},
    ],
    ids=str,
)
def test_a_header_that_is_newer_or_does_not_fit_is_refused(group, changes):
    edit_header(group / "values", **changes)
    with pytest.raises(FormatError, match=r"values/zarr\.json"):
        read_array(group / "values")


def test_a_full_disk_is_an_error_of_the_system(tmp_path):
    writer = GroupWriter(tmp_path / "g", {})
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
    try:
        with pytest.raises(OSError, match="too large"):
            writer.array("values", np.zeros(10_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_group_is_not_written_over(group):
    with pytest.raises(FileExistsError):
        GroupWriter(group, {})


def test_zarr_is_loaded_by_a_store_that_writes_only(stored_run):
    probe = (
        "import sys\n"
        "from roboreward_ros.episodes.store import EpisodeStore\n"
        "store = EpisodeStore(sys.argv[1])\n"
        "assert len(store) == 3 and 'zarr' not in sys.modules\n"
        "EpisodeStore(sys.argv[1], 'w')\n"
        "assert 'zarr' in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", probe, str(stored_run)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_fork_reads_on_and_its_parent_too(group):
    read_array(group / "values")  # zarr's event loop runs from here on
    child = os.fork()
    if child == 0:
        status = 1
        try:
            status = 0 if np.array_equal(read_array(group / "values"), VALUES) else 2
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    np.testing.assert_array_equal(read_array(group / "values"), VALUES)

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Zarr v3 groups and arrays of one chunk each, written so that they can be synced.

Any zarr v3 reader opens what this writes (a test does). The zarr library is not used for it: it
cannot sync what it writes, and its start costs more than a whole commit. Only the profile written
here is read back: little endian, one chunk, codecs ``bytes`` and ``crc32c``, no compression
(the bulk is JPEG).
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import google_crc32c
import numpy as np
import numpy.typing as npt

from roboreward_ros.episodes.codec import Fields, JsonObject, JsonValue, from_text
from roboreward_ros.errors import ConfigError, FormatError

Array = npt.NDArray[np.generic]

_CODECS: list[JsonValue] = [
    {"name": "bytes", "configuration": {"endian": "little"}},
    {"name": "crc32c"},
]
_SYNCERS = 4
_DTYPES: Mapping[str, str] = {
    "bool": "?",
    "int8": "<i1",
    "uint8": "<u1",
    "int32": "<i4",
    "int64": "<i8",
    "float32": "<f4",
    "float64": "<f8",
}


class GroupWriter:
    """Collects the files of a new group and writes and syncs them together.

    Args:
        root: folder of the group; must not exist.
        attributes: the root group's.

    Attributes:
        digests: sha256 of every file written so far, by its path below ``root``.
    """

    def __init__(self, root: Path, attributes: JsonObject) -> None:
        self.digests: dict[str, str] = {}
        self._root = root
        self._folders = [root]
        root.mkdir(parents=True)
        self._fds: list[int] = []
        self._group(root, attributes)

    def _group(self, folder: Path, attributes: JsonObject) -> None:
        header: JsonObject = {"zarr_format": 3, "node_type": "group", "attributes": attributes}
        self._write(folder / "zarr.json", json.dumps(header).encode())

    def _write(self, path: Path, *parts: bytes | memoryview) -> None:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        self._fds.append(fd)
        digest = hashlib.sha256()
        for part in parts:
            digest.update(part)
            view = memoryview(part)
            while len(view):
                view = view[os.write(fd, view) :]
        self.digests[path.relative_to(self._root).as_posix()] = digest.hexdigest()

    def group(self, name: str) -> None:
        folder = self._root / name
        folder.mkdir()
        self._folders.append(folder)
        self._group(folder, {})

    def array(self, name: str, values: Array, attributes: JsonObject | None = None) -> None:
        """Add the array ``name`` ("group/name" for a subgroup's)."""
        dtype = values.dtype.name
        if dtype not in _DTYPES:
            raise ConfigError(f"array '{name}' has a foreign dtype", got=dtype, allowed=_DTYPES)
        folder = self._root / name
        folder.mkdir()
        self._folders.append(folder)
        header: JsonObject = {
            "zarr_format": 3,
            "node_type": "array",
            "shape": list(values.shape),
            "data_type": dtype,
            "chunk_grid": {
                "name": "regular",
                "configuration": {"chunk_shape": [max(1, size) for size in values.shape]},
            },
            "chunk_key_encoding": {"name": "default", "configuration": {"separator": "."}},
            "fill_value": False if dtype == "bool" else 0,
            "codecs": _CODECS,
            "attributes": attributes or {},
        }
        self._write(folder / "zarr.json", json.dumps(header).encode())
        if values.size:
            data = np.ascontiguousarray(values, dtype=_DTYPES[dtype]).tobytes()
            check = int(google_crc32c.value(data)).to_bytes(4, "little")
            self._write(folder / _chunk_name(values.ndim), data, check)

    def file(self, name: str, data: bytes) -> None:
        """Add a file that is not part of the zarr hierarchy."""
        self._write(self._root / name, data)

    def finish(self, sync: bool = True) -> None:
        """Make everything durable; side by side, so that the file system can join the waits."""
        fds, self._fds = self._fds, []
        try:
            if sync:
                folders = [os.open(f, os.O_RDONLY | os.O_CLOEXEC) for f in self._folders]
                fds += folders
                with ThreadPoolExecutor(_SYNCERS) as pool:
                    list(pool.map(_sync, [fds[k::_SYNCERS] for k in range(_SYNCERS)]))
        finally:
            for fd in fds:
                os.close(fd)


def _sync(fds: Sequence[int]) -> None:
    for fd in fds:
        os.fsync(fd)


def _chunk_name(ndim: int) -> str:
    return ".".join(["c", *["0"] * ndim])


def group_attributes(folder: Path) -> JsonObject:
    """User attributes of a group; raises FormatError when its header is missing or damaged."""
    fields = _header(folder, "group")
    return fields.object("attributes")


def array_attributes(folder: Path) -> JsonObject:
    return _header(folder, "array").object("attributes")


def _header(folder: Path, kind: str) -> Fields:
    path = folder / "zarr.json"
    try:
        text = path.read_bytes()
    except OSError as error:
        raise FormatError(f"{path} cannot be read", got=error.strerror) from None
    fields = Fields(from_text(text, str(path)), str(path))
    if fields.integer("zarr_format") != 3 or fields.text("node_type") != kind:
        raise FormatError(f"{path} is not a zarr v3 {kind}")
    return fields


def read_array(folder: Path) -> Array:
    """The array in ``folder``, checked.

    Raises:
        FormatError: missing, damaged (checksum, length), or not of the profile written here.
    """
    fields = _header(folder, "array")
    dtype = fields.text("data_type")
    shape = tuple(int(size) for size in fields.numbers("shape"))
    grid = fields.fields("chunk_grid").fields("configuration").numbers("chunk_shape")
    known = dtype in _DTYPES and grid == tuple(max(1, size) for size in shape)
    if not known or from_text(json.dumps({"c": _CODECS}), "")["c"] != _codecs(folder):
        raise FormatError(
            f"{folder} is a zarr array that this package did not write",
            next_step="Open it with the zarr library.",
        )
    size = math.prod(shape) * np.dtype(_DTYPES[dtype]).itemsize
    if size == 0:
        return np.zeros(shape, dtype=dtype)
    path = folder / _chunk_name(len(shape))
    try:
        data = path.read_bytes()
    except OSError as error:
        raise FormatError(f"{path} cannot be read", got=error.strerror) from None
    if len(data) != size + 4:
        raise FormatError(f"{path} has the wrong length", got=len(data), allowed=str(size + 4))
    view = memoryview(data)[:size]
    if int.from_bytes(data[size:], "little") != google_crc32c.value(bytes(view)):
        raise FormatError(
            f"{path} is damaged: its checksum does not fit",
            next_step="Restore it from a backup or discard the episode.",
        )
    array = np.frombuffer(view, dtype=_DTYPES[dtype]).reshape(shape)
    array.flags.writeable = False
    return array


def _codecs(folder: Path) -> JsonValue:
    return from_text((folder / "zarr.json").read_bytes(), str(folder))["codecs"]

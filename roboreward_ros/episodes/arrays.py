# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The arrays of a stored episode: a zarr v3 group whose arrays are one chunk each.

Nothing is compressed (the bulk is JPEG); every chunk ends with its crc32c. zarr itself is loaded by
the first use, which takes some tenths of a second: :func:`warm_up` has it earlier.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import numpy.typing as npt

from roboreward_ros.episodes.codec import JsonObject
from roboreward_ros.errors import FormatError

if TYPE_CHECKING:
    import zarr

Array = npt.NDArray[np.generic]

_CRC_BYTES = 4
_RESTORE = "Restore it from a backup or discard the episode."


class GroupWriter:
    """Writes a new group; ``locks.sync_tree`` makes it durable.

    Args:
        root: folder of the group; must not exist.
        attributes: the group's own.

    Raises:
        OSError: the folder exists, the disk is full.
    """

    def __init__(self, root: Path, attributes: JsonObject) -> None:
        import zarr

        root.mkdir(parents=True)
        self._group = zarr.create_group(root, zarr_format=3, attributes=attributes)

    def array(self, name: str, values: Array, attributes: JsonObject | None = None) -> None:
        """Add the array ``name``; "group/name" makes the subgroup, too."""
        from zarr.codecs import Crc32cCodec

        self._group.create_array(
            name,
            data=values,
            chunks=tuple(max(1, size) for size in values.shape),
            filters=None,
            compressors=Crc32cCodec(),
            chunk_key_encoding={"name": "default", "separator": "."},
            # zarr leaves out chunks of zeros otherwise, and a lost chunk would read as zeros.
            config={"write_empty_chunks": True},
            attributes=attributes,
        )


def read_array(folder: Path) -> Array:
    """The array in ``folder``, checked and read-only.

    Raises:
        FormatError: missing, damaged, or not of one chunk.
    """
    stored = _open(folder)
    try:
        chunk = _checked_chunk(folder, stored)
    except (FormatError, MemoryError):
        raise
    except Exception as error:  # what zarr let pass may still be no shape, type or codec at all
        raise FormatError(
            f"{folder / 'zarr.json'} is damaged", got=str(error), next_step=_RESTORE
        ) from error
    try:
        values = np.asarray(stored[...])
    except MemoryError:
        raise  # says nothing about the chunk
    except Exception as error:
        raise FormatError(f"{chunk} is damaged", got=str(error), next_step=_RESTORE) from error
    values.flags.writeable = False
    return cast("Array", values)


def _checked_chunk(folder: Path, stored: zarr.Array) -> Path:
    """The file of the one chunk, before anything is allocated or decoded.

    It holds what is in memory later, and a checksum. A header from elsewhere could otherwise ask
    for all memory, or for any codec that is installed.
    """
    where = folder / "zarr.json"
    chunk = folder / str(stored.metadata.encode_chunk_key((0,) * stored.ndim))
    if stored.chunks != tuple(max(1, size) for size in stored.shape):
        raise FormatError(
            f"{where} is damaged: its array is not one chunk",
            got=f"shape {stored.shape}, chunks {stored.chunks}",
            next_step=_RESTORE,
        )
    codecs = [codec.to_dict()["name"] for codec in stored.metadata.codecs]
    if codecs != ["bytes", "crc32c"] or stored.dtype.kind not in "biuf":
        raise FormatError(
            f"{where} is not an array of this package",
            got=f"{stored.dtype}, codecs {codecs}",
            allowed="numbers, codecs bytes and crc32c",
            next_step=_RESTORE,
        )
    size = math.prod(stored.shape)
    if size == 0:
        return chunk
    try:
        there = chunk.stat().st_size
    except OSError:
        raise FormatError(f"{chunk} is missing", next_step=_RESTORE) from None
    wanted = size * stored.dtype.itemsize + _CRC_BYTES
    if there != wanted:
        raise FormatError(
            f"{chunk} is damaged",
            got=f"{there} bytes",
            allowed=f"{wanted} bytes",
            next_step=_RESTORE,
        )
    return chunk


def array_attributes(folder: Path) -> JsonObject:
    """Attributes of an array; raises FormatError when its header is missing or damaged."""
    attributes = _open(folder).metadata.attributes
    if not isinstance(attributes, dict):
        raise FormatError(
            f"{folder / 'zarr.json'}: its attributes are none",
            got=type(attributes).__name__,
            next_step=_RESTORE,
        )
    return cast("JsonObject", dict(attributes))


def _open(folder: Path) -> zarr.Array:
    import zarr

    # Damaged metadata reaches every corner of zarr's parser: errors of any class come out of it.
    try:
        return zarr.open_array(folder, mode="r", zarr_format=3)
    except MemoryError:
        raise
    except Exception as error:
        raise FormatError(
            f"{folder / 'zarr.json'} cannot be read",
            got=str(error),
            next_step=f"{_RESTORE} If something newer wrote it, upgrade zarr.",
        ) from error


def warm_up() -> None:
    """Load zarr and start its event loop now instead of in the first commit."""
    import zarr

    zarr.create_array({}, data=np.zeros(1))

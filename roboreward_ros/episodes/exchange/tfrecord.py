# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""TFRecord files and the ``tf.train.Example`` messages in them, without TensorFlow.

A record is its length (uint64), a masked CRC-32C of the length, the bytes, and a masked CRC-32C of
the bytes, all little-endian. Checksums are always compared.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias, cast

import numpy as np

from roboreward_ros.errors import FormatError

if TYPE_CHECKING:
    import numpy.typing as npt

Values: TypeAlias = "Sequence[bytes] | npt.NDArray[np.float32] | npt.NDArray[np.int64]"
"""What one feature holds: texts and pictures, or numbers, always flat."""

_HEADER, _CRC = struct.Struct("<QI"), struct.Struct("<I")
_LARGEST = 1 << 31  # bytes of a record; more is a length that was damaged together with its sum


def masked_crc(data: bytes) -> int:
    """CRC-32C of ``data`` as TFRecord stores it: rotated and shifted by a constant."""
    import google_crc32c

    crc = int(google_crc32c.value(data))
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def read_records(path: Path) -> Iterator[bytes]:
    """Records of a file in order, one in memory at a time.

    Raises:
        FormatError: the file cannot be read, ends in a record, or a checksum is wrong; names the
            record's number.
    """
    try:
        with path.open("rb") as file:
            number = 0
            while header := file.read(_HEADER.size):
                yield _record(file.read, header, f"{path}, record {number}")
                number += 1
    except OSError as error:
        raise FormatError("a record file cannot be read", got=f"{path}: {error}") from None


class _List(Protocol):
    value: Sequence[object]


class _Feature(Protocol):
    """The generated class, as far as it is used."""

    bytes_list: _List
    float_list: _List
    int64_list: _List


class _Read(Protocol):
    def __call__(self, size: int, /) -> bytes: ...


def _record(read: _Read, header: bytes, where: str) -> bytes:
    if len(header) < _HEADER.size:
        raise FormatError(f"{where} ends in its header", got=f"{len(header)} bytes")
    length, crc = _HEADER.unpack(header)
    if masked_crc(header[:8]) != crc or length > _LARGEST:
        raise FormatError(f"{where}: the length's checksum is wrong", got=length)
    data = read(length)
    tail = read(_CRC.size)
    if len(data) < length or len(tail) < _CRC.size:
        raise FormatError(f"{where} ends early", got=len(data), allowed=f"{length} bytes")
    if masked_crc(data) != _CRC.unpack(tail)[0]:
        raise FormatError(f"{where}: the checksum is wrong", got=f"{length} bytes")
    return data


def frame_record(data: bytes) -> bytes:
    """``data`` as a record: what ``read_records`` gives back."""
    length = struct.pack("<Q", len(data))
    sums = (_CRC.pack(masked_crc(part)) for part in (length, data))
    return length + next(sums) + data + next(sums)


class Example:
    """A parsed record: features by name, turned into values when asked for.

    Args:
        data: the message.
        where: for messages.

    Raises:
        FormatError: no ``tf.train.Example``.
    """

    def __init__(self, data: bytes, where: str) -> None:
        self.where = where
        try:
            self._features = _parser()(data)
        except ValueError as error:
            raise FormatError(f"{where} is no example", got=str(error)) from None

    @property
    def names(self) -> tuple[str, ...]:
        """Features, sorted."""
        return tuple(sorted(self._features))

    def __contains__(self, name: object) -> bool:
        return name in self._features

    def values(self, name: str) -> Values:
        """Values of a feature, flat; an empty feature is no bytes at all.

        Raises:
            FormatError: no such feature.
        """
        feature = self._features.get(name)
        if feature is None:
            raise FormatError(f"{self.where} lacks a feature", got=name, allowed=self.names)
        return feature()


@cache
def _parser() -> Callable[[bytes], dict[str, Callable[[], Values]]]:
    """Turns a message into its features; raises ValueError where it is none.

    The message is described here, so that no framework has to bring it. The published description
    has a map of features; on the wire that is a repeated pair.
    """
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
    from google.protobuf.message import DecodeError

    field = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(
        name="roboreward_example.proto", package="roboreward.example", syntax="proto3"
    )

    def values(feature: _Feature) -> Values:
        if len(feature.float_list.value):
            return np.array(feature.float_list.value, np.float32)
        if len(feature.int64_list.value):
            return np.array(feature.int64_list.value, np.int64)
        return tuple(cast("Sequence[bytes]", feature.bytes_list.value))

    def message(name: str, *fields: tuple[str, int, int, bool, str]) -> None:
        described = file.message_type.add(name=name)
        for title, number, kind, many, of in fields:
            label = field.LABEL_REPEATED if many else field.LABEL_OPTIONAL
            added = described.field.add(name=title, number=number, type=kind, label=label)
            if of:
                added.type_name = f".roboreward.example.{of}"
            if name == "Feature":
                added.oneof_index = 0
        if name == "Feature":
            described.oneof_decl.add(name="kind")

    nested = field.TYPE_MESSAGE
    message("BytesList", ("value", 1, field.TYPE_BYTES, True, ""))
    message("FloatList", ("value", 1, field.TYPE_FLOAT, True, ""))
    message("Int64List", ("value", 1, field.TYPE_INT64, True, ""))
    message(
        "Feature",
        ("bytes_list", 1, nested, False, "BytesList"),
        ("float_list", 2, nested, False, "FloatList"),
        ("int64_list", 3, nested, False, "Int64List"),
    )
    message(
        "Entry", ("key", 1, field.TYPE_STRING, False, ""), ("value", 2, nested, False, "Feature")
    )
    message("Features", ("feature", 1, nested, True, "Entry"))
    message("Example", ("features", 1, nested, False, "Features"))
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    kind = message_factory.GetMessageClass(pool.FindMessageTypeByName("roboreward.example.Example"))

    def parse(data: bytes) -> dict[str, Callable[[], Values]]:
        parsed = kind()
        try:
            parsed.ParseFromString(data)
        except DecodeError as error:
            raise ValueError(str(error)) from None
        return {entry.key: partial(values, entry.value) for entry in parsed.features.feature}

    return parse

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Stamps, headers, and array fields that rclpy takes without a copy per element."""

from __future__ import annotations

import array

import numpy as np
import numpy.typing as npt
from builtin_interfaces.msg import Time
from std_msgs.msg import Header

from roboreward_ros.errors import FormatError
from roboreward_ros.types import Float32Array, FloatArray

_NS = 1_000_000_000


def stamp_to_msg(stamp_ns: int) -> Time:
    """Nanoseconds since the epoch as a message."""
    return Time(sec=int(stamp_ns // _NS), nanosec=int(stamp_ns % _NS))


def stamp_from_msg(stamp: Time) -> int:
    """Nanoseconds since the epoch."""
    return int(stamp.sec) * _NS + int(stamp.nanosec)


def header(stamp_ns: int, frame_id: str = "") -> Header:
    """A header with the acquisition time of the data."""
    return Header(stamp=stamp_to_msg(stamp_ns), frame_id=frame_id)


def fixed(values: npt.ArrayLike, size: int) -> FloatArray:
    """Value of a ``float64[size]`` field: contiguous, right type, row-major.

    Raises:
        ValueError: ``values`` has another number of elements.
    """
    return np.array(values, dtype=np.float64).reshape(size)


def doubles(values: npt.ArrayLike) -> array.array[float]:
    """Value of a ``float64[]`` field."""
    return array.array("d", np.ascontiguousarray(values, dtype=np.float64).tobytes())


def singles(values: npt.ArrayLike) -> array.array[float]:
    """Value of a ``float32[]`` field, row-major."""
    return array.array("f", np.ascontiguousarray(values, dtype=np.float32).tobytes())


def to_singles(field: npt.ArrayLike, shape: tuple[int, ...]) -> Float32Array:
    """A ``float32[]`` field as an array of its own; -1 in ``shape`` as in NumPy.

    Raises:
        FormatError: another number of elements: a message can say anything.
    """
    values = np.array(field, dtype=np.float32)
    try:
        return values.reshape(shape)
    except ValueError:
        raise FormatError(
            "a message's array has another size than it says", got=values.size, allowed=str(shape)
        ) from None


def to_doubles(field: npt.ArrayLike, shape: tuple[int, ...] = (-1,)) -> FloatArray:
    """A float64 field as an array of its own."""
    return np.array(field, dtype=np.float64).reshape(shape)

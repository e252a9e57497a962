# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a robot's machine and a policy host say to each other, inside packets.

The noise is an input of ``decode``: whoever steers sits at the robot, between the two questions::

    asker: hello                                  host: welcome (the policy's spec)
    asker: encode (images, proprio, tasks)        features
    asker: decode (names of features, noise)      missing | actions
    asker: keep (features)                        kept
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import math
from collections.abc import Sequence
from enum import StrEnum
from typing import cast

import numpy as np

from roboreward_ros.errors import ConfigError, FormatError
from roboreward_ros.remote.packet import Packet
from roboreward_ros.types import Float32Array, FloatArray, ImageU8, PolicySpec
from roboreward_ros.types.codec import Fields, JsonObject, JsonValue

SERVICE = "policy"
DIALECT = 1
ENCODE, FEATURES, DECODE, ACTIONS = "encode", "features", "decode", "actions"
MISSING, KEEP, KEPT = "missing", "keep", "kept"
_DTYPES = ("|u1", "<f4", "<f8")
_LARGEST = 1 << 28
_JPEG_QUALITY = 95


class Coding(StrEnum):
    """How images cross the network."""

    RAW = "raw"  # the host sees what the camera saw, soonest in a wired network
    PNG = "png"  # likewise, in fewer bytes
    JPEG = "jpeg"  # the least bytes; the host sees a little less than the camera


def hello() -> Packet:
    return Packet("hello", {"dialect": DIALECT})


def check_dialect(packet: Packet, kind: str) -> Fields:
    """The fields of a greeting; raises ConfigError for another version."""
    fields = Fields(packet.fields, kind)
    if packet.kind != kind or fields.integer("dialect") != DIALECT:
        raise ConfigError(
            "the other machine speaks another version",
            got=f"{packet.kind} {fields.integer('dialect')}",
            allowed=f"{kind} {DIALECT}",
            next_step="Install the same release on both machines.",
        )
    return fields


def spec_to_json(spec: PolicySpec) -> JsonObject:
    values = cast("JsonObject", dataclasses.asdict(spec))
    return values | {"tasks": list[JsonValue](spec.tasks)}


def spec_from_json(fields: Fields) -> PolicySpec:
    """Inverse of :func:`spec_to_json`; raises FormatError."""
    return PolicySpec(
        policy_id=fields.text("policy_id"),
        prediction_horizon=fields.integer("prediction_horizon"),
        chunk_size=fields.integer("chunk_size"),
        feature_dim=fields.integer("feature_dim"),
        image_size=fields.integer("image_size"),
        control_hz=fields.number("control_hz"),
        tasks=fields.texts("tasks"),
        observation_steps=fields.integer("observation_steps"),
    )


def welcome(spec: PolicySpec) -> Packet:
    return Packet("welcome", {"dialect": DIALECT, "spec": spec_to_json(spec)})


def read_welcome(packet: Packet) -> PolicySpec:
    """Inverse of :func:`welcome`; raises FormatError or ConfigError."""
    return spec_from_json(check_dialect(packet, "welcome").fields("spec"))


def name_of(row: Float32Array) -> str:
    """The name of one row of features: sha256 of its bytes."""
    return hashlib.sha256(np.ascontiguousarray(row, dtype="<f4").tobytes()).hexdigest()


def encode(
    images: Sequence[ImageU8], proprio: FloatArray, tasks: Sequence[str], coding: Coding
) -> Packet:
    parts = [_image_to_wire(np.asarray(image), coding) for image in images]
    numbers = np.ascontiguousarray(proprio, dtype="<f8")
    fields: JsonObject = {
        "images": [head for head, _ in parts],
        "proprio": _shape(numbers),
        "tasks": list[JsonValue](tasks),
    }
    return Packet(ENCODE, fields, b"".join([data for _, data in parts]) + numbers.tobytes())


def read_encode(packet: Packet) -> tuple[list[ImageU8], FloatArray, tuple[str, ...]]:
    """Inverse of :func:`encode`; raises FormatError."""
    fields = Fields(packet.fields, "encode")
    images, start = [], 0
    for head in fields.objects("images"):
        size = head.integer("length")
        if size < 0 or start + size > len(packet.body):
            raise FormatError("encode: images and lengths differ", got=size)
        images.append(_image_from_wire(head, packet.body[start : start + size]))
        start += size
    proprio = _array(fields.integers("proprio"), "<f8", packet.body[start:])
    return images, cast("FloatArray", proprio), fields.texts("tasks")


def decode(features: Float32Array, noise: Float32Array) -> Packet:
    numbers = np.ascontiguousarray(noise, dtype="<f4")
    names: list[JsonValue] = [name_of(row) for row in features]
    return Packet(DECODE, {"features": names, "noise": _shape(numbers)}, numbers.tobytes())


def read_decode(packet: Packet) -> tuple[tuple[str, ...], Float32Array]:
    """Names of the rows, and the noise; raises FormatError."""
    fields = Fields(packet.fields, "decode")
    noise = _array(fields.integers("noise"), "<f4", packet.body)
    return fields.texts("features"), cast("Float32Array", noise)


def numbers(kind: str, values: Float32Array) -> Packet:
    """An array of float32 of any kind of packet."""
    plain = np.ascontiguousarray(values, dtype="<f4")
    return Packet(kind, {"shape": _shape(plain)}, plain.tobytes())


def read_numbers(packet: Packet, kind: str) -> Float32Array:
    """Inverse of :func:`numbers`; raises FormatError."""
    if packet.kind != kind:
        raise FormatError("the other machine answers something else", got=packet.kind, allowed=kind)
    shape = Fields(packet.fields, kind).integers("shape")
    return cast("Float32Array", _array(shape, "<f4", packet.body))


def _shape(array: np.ndarray) -> list[JsonValue]:
    return list[JsonValue](int(side) for side in array.shape)


def _array(shape: Sequence[int], dtype: str, data: bytes) -> np.ndarray:
    if dtype not in _DTYPES or any(side < 0 for side in shape):
        raise FormatError("an array is of an impossible kind", got=f"{dtype} {tuple(shape)}")
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if size != len(data) or size > _LARGEST:
        raise FormatError("an array and its shape differ", got=len(data), allowed=size)
    return np.frombuffer(data, dtype=dtype).reshape(shape).copy()


def _image_to_wire(
    image: np.ndarray,
    coding: Coding,
) -> tuple[JsonObject, bytes]:
    """An image or a history of images ``[..., H, W, 3]``; whatever else it is goes as it is."""
    picture = image.dtype == np.uint8 and image.ndim >= 3 and image.shape[-1] == 3
    dtype = image.dtype.str
    if coding is Coding.RAW or not picture:
        coding, data = Coding.RAW, np.ascontiguousarray(image).tobytes()
    else:
        import cv2

        strip = image.reshape(-1, image.shape[-2], 3)[..., ::-1]
        quality = (
            [cv2.IMWRITE_PNG_COMPRESSION, 1]
            if coding is Coding.PNG
            else [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
        )
        done, coded = cv2.imencode(f".{coding.value}", np.ascontiguousarray(strip), quality)
        if not done:
            raise ConfigError("an image cannot be sent", got=str(image.shape))
        data = coded.tobytes()
    head: JsonObject = {
        "coding": coding.value,
        "dtype": dtype,
        "shape": _shape(image),
        "length": len(data),
    }
    return head, data


def _image_from_wire(head: Fields, data: bytes) -> ImageU8:
    coding, shape = head.enum("coding", Coding), head.integers("shape")
    if coding is Coding.RAW:
        return cast("ImageU8", _array(shape, head.text("dtype"), data))
    import cv2

    plain = len(shape) >= 3 and shape[-1] == 3 and all(side > 0 for side in shape)
    if not plain or math.prod(shape) > _LARGEST:
        raise FormatError("an image has an impossible shape", got=str(tuple(shape)))
    if _size_of(data) != (shape[-2], math.prod(shape[:-2])):  # before anything is unpacked
        raise FormatError("an image is not of its announced size", got=str(tuple(shape)))
    strip = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), cv2.IMREAD_COLOR)
    if strip is None:
        raise FormatError("an image cannot be read", got=f"{len(data)} bytes")
    return cast("ImageU8", np.ascontiguousarray(strip[..., ::-1]).reshape(shape))


def _size_of(data: bytes) -> tuple[int, int]:
    """Width and height that a PNG or JPEG claims; raises FormatError."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data), formats=("PNG", "JPEG")) as image:
            return image.size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise FormatError("an image cannot be read", got=str(error)) from None

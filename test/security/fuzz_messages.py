# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Messages of the ROS graph in hostile forms: every field of the right type and any value."""

import array
import math
from collections.abc import Callable
from pathlib import Path

from fuzz_edits import Target
from hypothesis import strategies as st
from sensor_msgs.msg import Image

from roboreward_ros import msg
from roboreward_ros.ros.convert.images import image_from_msg
from roboreward_ros.ros.convert.policy import decision_from_msg
from roboreward_ros.ros.convert.rewards import outcome_from_msg, record_from_msg
from roboreward_ros.ros.convert.robot import action_from_msg, beat_from_msg, truth_from_msg
from roboreward_ros.ros.convert.session import session_from_msg

READERS: dict[str, tuple[type, Callable[[object], object]]] = {
    "message: Image": (Image, image_from_msg),
    "message: ActionChunk": (msg.ActionChunk, decision_from_msg),
    "message: Reward": (msg.Reward, lambda m: (outcome_from_msg(m), record_from_msg(m))),
    "message: RobotState": (msg.RobotState, beat_from_msg),
    "message: EefAction": (msg.EefAction, action_from_msg),
    "message: GroundTruth": (msg.GroundTruth, truth_from_msg),
    "message: SessionState": (msg.SessionState, session_from_msg),
}
NAMES = tuple(READERS)
FLOATS = st.sampled_from((0.0, -1.0, 1.0, 0.5, math.nan, math.inf, -math.inf, 1e300, 5.0))
TEXTS = st.sampled_from(("", "rgb8", "bgr8", "mono8", "x" * 300, "../x", "é", "tokens", "s"))
BOUNDS = {
    "uint8": (0, 255), "uint16": (0, 65535), "uint32": (0, 2**32 - 1), "uint64": (0, 2**64 - 1),
    "int8": (-128, 127), "int16": (-(2**15), 2**15 - 1), "int32": (-(2**31), 2**31 - 1),
    "int64": (-(2**63), 2**63 - 1),
}  # fmt: skip


def value_of(draw: st.DrawFn, kind: str, now: object) -> object:
    """A value of a field of this type."""
    if kind.startswith("sequence<") or "[" in kind:
        item = kind.removeprefix("sequence<").rstrip(">").split(",")[0].split("[")[0]
        fixed = int(kind.split("[")[1].rstrip("]")) if "[" in kind else None
        size = fixed if fixed is not None else draw(st.sampled_from((0, 1, 6, 7, 35, 56)))
        items = [value_of(draw, item, None) for _ in range(size)]
        if isinstance(now, array.array):
            return array.array(now.typecode, items)
        return type(now)(items) if now is not None and fixed is None else items
    if kind in BOUNDS:
        low, high = BOUNDS[kind]
        return draw(st.one_of(st.sampled_from((low, high, 0, 1, 3)), st.integers(low, high)))
    if kind in ("double", "float"):
        value = draw(FLOATS)
        return min(value, 3e38) if kind == "float" and math.isfinite(value) else value
    if kind == "boolean":
        return draw(st.booleans())
    if kind.startswith("string"):
        return draw(TEXTS)
    if kind == "octet":
        return bytes([draw(st.integers(0, 255))])
    return now


@st.composite
def messages(draw: st.DrawFn, kind: type) -> object:
    made = kind()
    for name, field in made.get_fields_and_field_types().items():
        if draw(st.integers(0, 3)):
            now = getattr(made, name)
            if hasattr(now, "get_fields_and_field_types"):
                setattr(made, name, draw(messages(type(now))))
            else:
                setattr(made, name, value_of(draw, field, now))
    return made


def reader(read: Callable[[object], object]) -> Callable[[object, Path], object]:
    return lambda message, folder: read(message)


def targets() -> list[Target]:
    return [Target(n, messages(kind), reader(read)) for n, (kind, read) in READERS.items()]

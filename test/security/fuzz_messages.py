# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Messages of the ROS graph in hostile forms: fields of the right type and any value."""

import array
import copy
import functools
import hashlib
import math
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from fuzz_edits import Target
from hypothesis import strategies as st
from sensor_msgs.msg import JointState

from roboreward_ros import msg
from roboreward_ros.clock import SystemClock
from roboreward_ros.dsrl.actor import SteeringActor
from roboreward_ros.dsrl.steering import ActorShelf
from roboreward_ros.ros import convert
from roboreward_ros.ros.diagnostics import health_from_msg, health_to_msg
from roboreward_ros.ros.xs_link import sample_from_msg
from roboreward_ros.testing.conformance_episode_store import CHUNK, make_chunk, make_report
from roboreward_ros.types import (
    Beat,
    EndCause,
    GroundTruth,
    HealthLevel,
    HealthReason,
    HealthView,
    LabelRecord,
    PolicySpec,
    Provenance,
    Score,
    ScoreKind,
    ScoreScale,
    SessionView,
    StepAction,
)

Reader = Callable[[Any, Path], object]
STATE = make_report(0).state
SCORE = Score(
    4.0, ScoreScale.RUBRIC, ScoreKind.TOKENS, Provenance("s"), (1.0, 5.0), (0.2, 0.8)
)  # fmt: skip
HEALTH = HealthView(
    HealthLevel.WARN, (HealthReason("session_node", "disk", HealthLevel.WARN, "full", 9, "do"),)
)
ACTOR = replace(SteeringActor.prior("f" * 64, 8), version=1)


@functools.cache
def actor_file() -> Path:
    path = Path(tempfile.mkdtemp(prefix="fuzz-announced-")) / "actor.safetensors"
    path.write_bytes(ACTOR.to_bytes())
    return path


def update() -> msg.PolicyUpdate:
    sha256 = hashlib.sha256(actor_file().read_bytes()).hexdigest()
    return msg.PolicyUpdate(uri=str(actor_file()), version=1, sha256=sha256, policy_id="f" * 64)


def take_actor(message: msg.PolicyUpdate, folder: Path) -> object:
    shelf = ActorShelf(folder, PolicySpec("f" * 64, 8, 4, 9, 32, 5.0))
    return shelf.take(Path(message.uri), int(message.version), message.sha256)


def hear_joints(message: JointState, folder: Path) -> object:
    """A driver's sample has a number for each name, or there is none."""
    sample = sample_from_msg(message, SystemClock())
    if sample is not None:
        sizes = {len(sample.position), len(sample.velocity), len(sample.effort)}
        assert sizes == {len(sample.names)}
    return sample


def of(read: Callable[[Any], object]) -> Reader:
    return lambda message, folder: read(message)


@functools.cache
def readers() -> dict[str, tuple[object, Reader]]:
    """A sound message and what reads it, by the target's name."""
    action = StepAction("ep_000000", 3, np.zeros(7), 9, 2, 1, 4)
    chunk = convert.Decision("ep_000000", make_chunk(0, 0), "f" * 64, CHUNK, 9)
    view = SessionView("IDLE", "", (), "", "", 0, 0, 0, 0, 0)
    picture = np.zeros((4, 6, 3), np.uint8)
    beat = Beat("ep_000000", 1, STATE, make_report(0), EndCause.TIME)
    return {
        "message: Image": (convert.image_to_msg(picture, 9), of(convert.image_from_msg)),
        "message: ActionChunk": (convert.decision_to_msg(chunk), of(convert.decision_from_msg)),
        "message: Reward": (
            convert.record_to_msg(LabelRecord(0, "ep_000000", SCORE, 9)),
            of(lambda m: (convert.outcome_from_msg(m), convert.record_from_msg(m))),
        ),
        "message: RobotState": (convert.beat_to_msg(beat), of(convert.beat_from_msg)),
        "message: EefAction": (convert.action_to_msg(action), of(convert.action_from_msg)),
        "message: GroundTruth": (
            convert.truth_to_msg(GroundTruth(0.1, False, 1, "reach"), "ep_000000", 1, 9),
            of(convert.truth_from_msg),
        ),
        "message: SessionState": (convert.session_to_msg(view, 9), of(convert.session_from_msg)),
        "message: DiagnosticArray": (health_to_msg(HEALTH, 9), of(health_from_msg)),
        "message: JointState": (convert.joints_to_msg(STATE), hear_joints),
        "message: PolicyUpdate": (update(), take_actor),
    }


NAMES = tuple(
    f"message: {name}"
    for name in (
        "Image", "ActionChunk", "Reward", "RobotState", "EefAction", "GroundTruth",
        "SessionState", "DiagnosticArray", "JointState", "PolicyUpdate",
    )
)  # fmt: skip
FLOATS = st.sampled_from((0.0, -1.0, 1.0, 0.5, math.nan, math.inf, -math.inf, 1e300, 5.0))
TEXTS = st.sampled_from(
    ("", "rgb8", "bgr8", "mono8", "x" * 300, "../x", "/", "\0", "é", "tokens", "s", "9" * 5000)
)
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
def altered(draw: st.DrawFn, sound: object) -> object:
    """The message with some fields of other values."""
    made: Any = copy.deepcopy(sound)
    for name, kind in made.get_fields_and_field_types().items():
        now = getattr(made, name)
        if hasattr(now, "get_fields_and_field_types"):
            setattr(made, name, draw(altered(now)))
        elif "/" in kind:  # a list of messages
            kept = now[: draw(st.sampled_from((len(now), 1, 0)))]
            setattr(made, name, [draw(altered(item)) for item in kept])
        elif draw(st.integers(0, 3)) == 3:
            setattr(made, name, value_of(draw, kind, now))
    return made


def targets() -> list[Target]:
    return [Target(name, altered(readers()[name][0]), readers()[name][1]) for name in NAMES]

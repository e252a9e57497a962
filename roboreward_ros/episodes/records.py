# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Payloads of the journal's records: fixed little-endian layouts, JSON where sizes vary."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass

import numpy as np

from roboreward_ros.episodes.codec import Fields, from_text, to_text
from roboreward_ros.types import (
    ACTION_DIM,
    MOTORS,
    Chunk,
    Float32Array,
    FloatArray,
    GroundTruth,
    StepReport,
    require_shape,
)

_OBSERVATION = struct.Struct("<iq13d")
_STEP = struct.Struct("<iq")
_STEP_FLOATS = 7 + 7 + 16 + 6 + 6 + 6
_MORE_FLOATS = MOTORS + 2
_CHUNK = struct.Struct("<iiqbiii")
_LATENCY = struct.Struct("<d")


@dataclass(frozen=True, slots=True)
class ObservationRow:
    """One observation: proprio ``[7]``, joints ``[6]`` rad, JPEG bytes."""

    step: int
    stamp_ns: int
    proprio: FloatArray
    q: FloatArray
    jpeg: memoryview


@dataclass(frozen=True, slots=True)
class StepRow:
    """One control period: what was asked, what was done, what the motors felt.

    Steps of older journals have NaN for ``temperature [7]`` and ``ik_error [2]``, and no fault.
    """

    step: int
    flags: int
    action_raw: FloatArray
    action_executed: FloatArray
    target_pose: FloatArray
    q_command: FloatArray
    effort: FloatArray
    dq: FloatArray
    temperature: FloatArray
    ik_error: FloatArray
    fault: str


def pack_observation(
    step: int, stamp_ns: int, jpeg: bytes, proprio: FloatArray, q: FloatArray
) -> tuple[bytes, bytes]:
    require_shape("proprio", proprio, (7,))
    require_shape("q", q, (6,))
    return _OBSERVATION.pack(step, stamp_ns, *proprio.tolist(), *q.tolist()), jpeg


def unpack_observation(payload: memoryview) -> ObservationRow:
    step, stamp_ns, *numbers = _OBSERVATION.unpack_from(payload)
    values = np.asarray(numbers, dtype=np.float64)
    return ObservationRow(step, stamp_ns, values[:7], values[7:], payload[_OBSERVATION.size :])


def pack_step(step: int, report: StepReport) -> bytes:
    parts = (
        ("action_raw", report.action_raw, (7,)),
        ("action_executed", report.action_executed, (7,)),
        ("target_pose", report.target_pose, (4, 4)),
        ("q_command", report.q_command, (6,)),
        ("effort", report.state.effort, (6,)),
        ("dq", report.state.dq, (6,)),
        ("temperature", report.state.temperature, (MOTORS,)),
        ("ik_error", np.array((report.ik_error_m, report.ik_error_rad)), (2,)),
    )
    for name, array, shape in parts:
        require_shape(name, array, shape)
    values = np.concatenate([np.ravel(array) for _, array, _ in parts]).astype("<f8")
    return _STEP.pack(step, int(report.flags)) + values.tobytes() + report.fault.encode()


def unpack_step(payload: memoryview) -> StepRow:
    step, flags = _STEP.unpack_from(payload)
    values = np.frombuffer(payload, dtype="<f8", offset=_STEP.size, count=_STEP_FLOATS)
    raw, executed, pose, command, effort, dq = np.split(values, (7, 14, 30, 36, 42))
    more, fault = np.full(_MORE_FLOATS, np.nan), ""
    rest = payload[_STEP.size + values.nbytes :]
    if rest:
        more = np.frombuffer(rest, dtype="<f8", count=_MORE_FLOATS)
        fault = bytes(rest[more.nbytes :]).decode()
    felt = (effort, dq, more[:MOTORS], more[MOTORS:], fault)
    return StepRow(step, flags, raw, executed, pose.reshape(4, 4), command, *felt)


def pack_chunk(chunk: Chunk) -> bytes:
    noise = np.ascontiguousarray(chunk.noise, dtype="<f4")
    actions = np.ascontiguousarray(chunk.actions, dtype="<f4")
    features = np.ascontiguousarray(chunk.features, dtype="<f4")
    header = _CHUNK.pack(
        chunk.index,
        chunk.step,
        chunk.policy_version,
        chunk.steered,
        len(noise),
        len(actions),
        len(features),
    )
    latency = _LATENCY.pack(chunk.latency_s)
    return b"".join((header, noise.tobytes(), actions.tobytes(), features.tobytes(), latency))


def unpack_chunk(payload: memoryview) -> Chunk:
    """A decision; those of older journals have no latency: NaN."""
    index, step, version, steered, n_noise, n_actions, n_features = _CHUNK.unpack_from(payload)
    count = (n_noise + n_actions) * ACTION_DIM + n_features
    end = _CHUNK.size + 4 * count
    if min(n_noise, n_actions, n_features) < 0 or len(payload) not in (end, end + _LATENCY.size):
        raise ValueError(f"{len(payload)} bytes for {n_noise}, {n_actions} and {n_features}")
    values: Float32Array = np.frombuffer(payload[:end], dtype="<f4", offset=_CHUNK.size)
    noise, actions, features = np.split(
        values, (n_noise * ACTION_DIM, (n_noise + n_actions) * ACTION_DIM)
    )
    latency_s = float(_LATENCY.unpack(payload[end:])[0]) if len(payload) > end else math.nan
    return Chunk(
        index=index,
        step=step,
        noise=noise.reshape(n_noise, ACTION_DIM),
        features=features,
        actions=actions.reshape(n_actions, ACTION_DIM),
        policy_version=version,
        steered=bool(steered),
        latency_s=latency_s,
    )


def pack_truth(step: int, truth: GroundTruth) -> bytes:
    return to_text(
        {
            "step": step,
            "progress": float(truth.progress),
            "success": bool(truth.success),
            "score": int(truth.score),
            "stage": truth.stage,
        }
    ).encode()


def unpack_truth(payload: memoryview) -> tuple[int, GroundTruth]:
    fields = Fields(from_text(bytes(payload), "journalled ground truth"), "ground truth")
    truth = GroundTruth(
        progress=fields.number("progress"),
        success=fields.flag("success"),
        score=fields.integer("score"),
        stage=fields.text("stage"),
    )
    return fields.integer("step"), truth

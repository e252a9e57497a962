# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Brings other people's demonstrations under BridgeData's conventions into a store.

An episode of n rows becomes one of n - 1 steps: its last picture is the end state, and the action
that was taken on it leads nowhere. What such data does not hold (joints, targets) is NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from roboreward_ros.episodes.header import IMPORTED
from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.errors import ConfigError
from roboreward_ros.types import (
    ACTION_DIM,
    PROPRIO_DIM,
    EndCause,
    EpisodeMeta,
    FloatArray,
    ImageU8,
    RobotState,
    StepFlag,
    StepReport,
)

PADDED_STATE = 8
"""BridgeData's state with an unused number before the gripper."""


@dataclass(frozen=True, slots=True)
class ImportConfig:
    """How columns become episodes.

    Attributes:
        camera: feature that holds the pictures; "" for the only one.
        state: column ``[7]`` or ``[8]`` of x, y, z, roll, pitch, yaw, (pad,) gripper; "" for the
            format's usual name.
        action: column ``[7]`` of base-frame deltas and an absolute gripper, 1 open; "" likewise.
        robot: profile of the arm.
        created_ns: stamp of the first row, ns since the epoch.
    """

    camera: str = ""
    state: str = ""
    action: str = ""
    robot: str = "wx250s"
    created_ns: int = 0


@dataclass(frozen=True, slots=True)
class Arrival:
    """One episode of n rows, read when it is needed.

    Attributes:
        index: its number in the data set.
        task: the sentence.
        rows: n.
        fps: rate, Hz.
        numbers: reads state ``[n, 7 or 8]`` and action ``[n, 7]``.
        frames: opens the pictures ``[H, W, 3]`` uint8 RGB, n of them.
    """

    index: int
    task: str
    rows: int
    fps: float
    numbers: Callable[[], tuple[FloatArray, FloatArray]]
    frames: Callable[[], Iterator[ImageU8]]


def import_episodes(
    arrivals: Iterable[Arrival],
    origin: str,
    store: EpisodeStore,
    encode: Callable[[ImageU8], bytes],
    config: ImportConfig,
    on_episode: Callable[[int], object] = lambda _: None,
) -> int:
    """Append every episode that the store does not hold yet; returns how many were added.

    Args:
        arrivals: in the data set's order.
        origin: name of the data set.
        store: opened for writing.
        encode: ``[H, W, 3]`` uint8 RGB to JPEG bytes.
        config: see ``ImportConfig``.
        on_episode: told how many are done.

    Raises:
        ConfigError: numbers that are not BridgeData's, or no sentence.
        FormatError: a damaged data set; what was imported before stays.
    """
    origin = f"{IMPORTED}{origin}"
    held = [store.open(episode_id).summary.meta for episode_id in store.ids()]
    present = {(meta.policy_id, meta.seed) for meta in held}
    index = 1 + max((meta.index for meta in held), default=-1)
    added = 0
    for number, arrival in enumerate(arrivals, 1):
        if (origin, arrival.index) not in present:
            meta = EpisodeMeta(
                episode_id=f"ep_{index:06d}",
                index=index,
                task=arrival.task,
                seed=arrival.index,
                max_steps=arrival.rows - 1,
                control_hz=arrival.fps,
                robot=config.robot,
                policy_id=origin,
                chunk_size=1,
                created_ns=config.created_ns,
            )
            _copy(arrival, store, meta, encode)
            index += 1
            added += 1
        on_episode(number)
    return added


def _copy(
    arrival: Arrival, store: EpisodeStore, meta: EpisodeMeta, encode: Callable[[ImageU8], bytes]
) -> None:
    if arrival.rows < 2 or not meta.task.strip():
        raise ConfigError(
            f"episode {arrival.index} cannot be imported",
            got=f"{arrival.rows} rows, task {meta.task!r}",
            allowed="two rows and more, and a sentence",
        )
    state, action = arrival.numbers()
    proprio = bridge_state(state, arrival.index)
    actions = bridge_actions(action, arrival.index)
    period_ns = round(1e9 / arrival.fps)
    unknown = np.full(6, np.nan)
    writer = store.create(meta)
    try:
        for step, image in enumerate(arrival.frames()):
            stamp = meta.created_ns + step * period_ns
            writer.add_observation(step, stamp, encode(image), proprio[step], unknown)
            if step:
                seen = RobotState(
                    stamp_ns=stamp,
                    q=unknown,
                    dq=unknown,
                    effort=unknown,
                    gripper=float(proprio[step, 6]),
                    ee_pose=np.full((4, 4), np.nan),
                    proprio=proprio[step],
                )
                taken = actions[step - 1]
                writer.add_step(
                    step - 1,
                    StepReport(taken, taken, np.full((4, 4), np.nan), unknown, StepFlag.NONE, seen),
                )
        writer.commit(EndCause.TIME)
    except BaseException:
        writer.abort()
        raise


def bridge_state(values: FloatArray, episode: int) -> FloatArray:
    """As proprioception ``[n, 7]``; raises ConfigError for other numbers than BridgeData's."""
    if values.ndim == 2 and values.shape[1] == PADDED_STATE:
        values = np.delete(values, PADDED_STATE - 2, axis=1)
    return _checked(values, PROPRIO_DIM, f"state of episode {episode}")


def bridge_actions(values: FloatArray, episode: int) -> FloatArray:
    """As actions ``[n, 7]``; raises ConfigError where the gripper's column is not absolute."""
    actions = _checked(values, ACTION_DIM, f"action of episode {episode}")
    gripper = actions[:, 6]
    if gripper.min() < -0.05 or gripper.max() > 1.05:
        raise ConfigError(
            f"action of episode {episode}: the gripper is no opening",
            got=f"{gripper.min():g}..{gripper.max():g}",
            allowed="0 (closed) .. 1 (open), BridgeData's convention",
        )
    return actions


def _checked(values: FloatArray, width: int, what: str) -> FloatArray:
    if values.ndim != 2 or values.shape[1] != width or not np.isfinite(values).all():
        raise ConfigError(
            f"{what} does not follow BridgeData",
            got=f"shape {values.shape}, finite: {bool(np.isfinite(values).all())}",
            allowed=f"[n, {width}], finite",
        )
    return values

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Brings a LeRobot data set of a WidowX under BridgeData's conventions into a store.

An episode of n rows becomes one of n - 1 steps: its last picture is the end state, and the action
that was taken on it leads nowhere. What such a data set does not hold (joints, targets) is NaN.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from roboreward_ros.episodes.exchange.lerobot_layout import ACTION, STATE
from roboreward_ros.episodes.exchange.lerobot_read import LeRobotDataset, LeRobotEpisode
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
        state: column ``[7]`` or ``[8]`` of x, y, z, roll, pitch, yaw, (pad,) gripper.
        action: column ``[7]`` of base-frame deltas and an absolute gripper, 1 open.
        robot: profile of the arm.
        created_ns: stamp of the first row, ns since the epoch.
    """

    camera: str = ""
    state: str = STATE
    action: str = ACTION
    robot: str = "wx250s"
    created_ns: int = 0


def import_lerobot(
    dataset: LeRobotDataset,
    store: EpisodeStore,
    encode: Callable[[ImageU8], bytes],
    config: ImportConfig,
    on_episode: Callable[[int], object] = lambda _: None,
) -> int:
    """Append every episode that the store does not hold yet; returns how many were added.

    Args:
        dataset: where from.
        store: opened for writing.
        encode: ``[H, W, 3]`` uint8 RGB to JPEG bytes.
        config: see ``ImportConfig``.
        on_episode: told how many are done.

    Raises:
        ConfigError: other columns, or numbers that are not BridgeData's.
        FormatError: a damaged data set; what was imported before stays.
    """
    cameras = dataset.info.cameras
    if not config.camera and len(cameras) != 1:
        raise ConfigError(
            "which camera shall be imported?", got="several or none", allowed=cameras or "none"
        )
    camera = config.camera or cameras[0]
    origin = f"{IMPORTED}{dataset.root.name}"
    present = {
        (summary.meta.policy_id, summary.meta.seed)
        for summary in (store.open(episode_id).summary for episode_id in store.ids())
    }
    index = 1 + max((store.open(name).summary.meta.index for name in store.ids()), default=-1)
    added = 0
    for number, episode in enumerate(dataset.episodes, 1):
        if (origin, episode.index) not in present:
            meta = EpisodeMeta(
                episode_id=f"ep_{index:06d}",
                index=index,
                task=episode.tasks[0] if episode.tasks else "",
                seed=episode.index,
                max_steps=episode.length - 1,
                control_hz=dataset.info.fps,
                robot=config.robot,
                policy_id=origin,
                chunk_size=1,
                created_ns=config.created_ns,
            )
            _copy(dataset, episode, store, meta, camera, encode, config)
            index += 1
            added += 1
        on_episode(number)
    return added


def _copy(
    dataset: LeRobotDataset,
    episode: LeRobotEpisode,
    store: EpisodeStore,
    meta: EpisodeMeta,
    camera: str,
    encode: Callable[[ImageU8], bytes],
    config: ImportConfig,
) -> None:
    if episode.length < 2 or not meta.task.strip():
        raise ConfigError(
            f"episode {episode.index} cannot be imported",
            got=f"{episode.length} rows, task {meta.task!r}",
            allowed="two rows and more, and a sentence",
        )
    columns = dataset.columns(episode, list(dict.fromkeys((config.state, config.action))))
    proprio = _state(columns[config.state], episode.index)
    actions = _actions(columns[config.action], episode.index)
    period_ns = round(1e9 / dataset.info.fps)
    unknown = np.full(6, np.nan)
    writer = store.create(meta)
    try:
        for step, image in enumerate(dataset.frames(episode, camera)):
            stamp = meta.created_ns + step * period_ns
            writer.add_observation(step, stamp, encode(image), proprio[step], unknown)
            if step:
                state = RobotState(
                    stamp_ns=stamp,
                    q=unknown,
                    dq=unknown,
                    effort=unknown,
                    gripper=float(proprio[step, 6]),
                    ee_pose=np.full((4, 4), np.nan),
                    proprio=proprio[step],
                )
                action = actions[step - 1]
                writer.add_step(
                    step - 1,
                    StepReport(
                        action, action, np.full((4, 4), np.nan), unknown, StepFlag.NONE, state
                    ),
                )
        writer.commit(EndCause.TIME)
    except BaseException:
        writer.abort()
        raise


def _state(values: FloatArray, episode: int) -> FloatArray:
    """As proprioception ``[n, 7]``."""
    if values.ndim == 2 and values.shape[1] == PADDED_STATE:
        values = np.delete(values, PADDED_STATE - 2, axis=1)
    return _checked(values, PROPRIO_DIM, f"state of episode {episode}")


def _actions(values: FloatArray, episode: int) -> FloatArray:
    """As actions ``[n, 7]``; the gripper's column must be absolute."""
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

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What was recorded, episode by episode, in the form in which it is played again."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import numpy as np

from roboreward_ros.episodes.ledger import Ledger
from roboreward_ros.episodes.reader import StoredEpisode
from roboreward_ros.episodes.run import read_run
from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.errors import ConfigError, StoreError
from roboreward_ros.robot.frames import pose_from_proprio
from roboreward_ros.types import EndCause, FloatArray, GroundTruth, RobotState, require_shape

POLICY_CAMERA = "image"
"""Topic of the camera that policy, recorder and reward look at."""


@dataclass(frozen=True, slots=True)
class RecordedEpisode:
    """One recorded episode of T steps.

    Attributes:
        name: in the recording.
        task: its sentence.
        max_steps: time limit, control steps.
        control_hz: control rate.
        end_cause: why it ended.
        taint: what was wrong with it.
        stamps_ns: of the observations ``[T + 1]``, ns since the epoch.
        states: measured ``[T + 1]``.
        frames: pictures of the policy's camera ``[T + 1]``, JPEG or PNG bytes.
        asked: actions that the policy or a person asked for ``[T, 7]``.
        executed: actions that the arm executed ``[T, 7]``.
        targets: commanded gripper poses in the base frame ``[T, 4, 4]``.
        q_command: commanded joints ``[T, 6]``, rad.
        ik_error: m and rad between target and commanded joints ``[T, 2]``; NaN where unknown.
        flags: StepFlag values ``[T]``.
        faults: what was wrong at each step ``[T]``, "" for nothing.
        truth: the twin's ``[T + 1]``; empty where none was recorded.
        policy_version: steering actor that ran it.
        complete: it has no gap.
        decision_s: control step -> what the decision for it took, s; steps that are not known have
            none.
        reward_s: what the first answer of its reward source took, s; NaN where unknown.
        cameras: name -> pictures of each further camera that was there, as ``frames``.

    Raises:
        ConfigError: the parts differ in length.
    """

    name: str
    task: str
    max_steps: int
    control_hz: float
    end_cause: EndCause
    taint: tuple[str, ...]
    stamps_ns: tuple[int, ...]
    states: tuple[RobotState, ...]
    frames: Sequence[bytes]
    asked: FloatArray
    executed: FloatArray
    targets: FloatArray
    q_command: FloatArray
    ik_error: FloatArray
    flags: tuple[int, ...]
    faults: tuple[str, ...]
    truth: Sequence[GroundTruth] = ()
    policy_version: int = 0
    complete: bool = True
    decision_s: Mapping[int, float] = field(default_factory=dict)
    reward_s: float = math.nan
    cameras: Mapping[str, Sequence[bytes]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        steps = self.n_steps
        sizes = {len(self.stamps_ns), len(self.states), len(self.frames)}
        sizes |= {len(pictures) for pictures in self.cameras.values()}
        if sizes != {steps + 1} or len(self.faults) != steps or steps < 1:
            raise ConfigError(
                f"the parts of episode {self.name} do not fit each other",
                got=f"{steps} steps, {sorted(sizes)} observations",
                allowed="1 or more steps and one observation more",
            )
        for name, shape in (("asked", (7,)), ("executed", (7,)), ("targets", (4, 4))):
            require_shape(f"{self.name}.{name}", getattr(self, name), (steps, *shape))

    @property
    def n_steps(self) -> int:
        """T."""
        return len(self.flags)


class Recording(Protocol):
    """A run that can be played."""

    @property
    def names(self) -> Sequence[str]:
        """Of its episodes, in the order in which they are played."""

    @property
    def arguments(self) -> Mapping[str, str]:
        """Launch arguments that it was made with, as text; empty where they are not known."""

    @property
    def cameras(self) -> Sequence[str]:
        """Names of all cameras but the policy's, relative topics."""

    @property
    def left_out(self) -> Mapping[str, str]:
        """What was recorded and cannot be played, with the reason."""

    def episode(self, position: int) -> RecordedEpisode:
        """Read one episode; raises FormatError where it is damaged."""


class StoredRecording:
    """A run of this package (protocol ``Recording``).

    Args:
        run_dir: its folder.
        only: play no more than so many of its first episodes; 0 for all.

    Raises:
        StoreError: no run, or one without episodes.
        FormatError: its run.json is damaged.
    """

    def __init__(self, run_dir: Path, only: int = 0) -> None:
        self.run_dir = run_dir
        config = read_run(run_dir).config
        self._arguments = {
            name: str(value).lower() if isinstance(value, bool) else str(value)
            for name, value in config.items()
        }
        self._store = EpisodeStore(run_dir)
        self._rewards_s: dict[str, float] | None = None
        names = [name for name in self._store.ids() if self._store.open(name).summary.n_steps]
        self._names = tuple(names[: only or None])
        if not self._names:
            raise StoreError(
                "there is nothing to rehearse",
                got=f"no episode with a step in {run_dir}",
                next_step="Give the folder of a run, the one that holds run.json and episodes/.",
            )

    @property
    def names(self) -> Sequence[str]:
        return self._names

    @property
    def arguments(self) -> Mapping[str, str]:
        return self._arguments

    @property
    def cameras(self) -> Sequence[str]:
        return ()  # the store keeps the policy's alone

    @property
    def left_out(self) -> Mapping[str, str]:
        return {}

    def episode(self, position: int) -> RecordedEpisode:
        name = self._names[position]
        return replace(recorded(self._store.open(name)), reward_s=self._reward_s(name))

    def _reward_s(self, name: str) -> float:
        if self._rewards_s is None:
            self._rewards_s = {}
            for record in Ledger(self.run_dir, "r").records():
                if not record.shadow:
                    self._rewards_s.setdefault(record.episode_id, record.outcome.latency_s)
        return self._rewards_s.get(name, math.nan)


def recorded(stored: StoredEpisode) -> RecordedEpisode:
    """A stored episode as it is played; raises FormatError."""
    summary = stored.summary
    steps, (proprio, q) = summary.n_steps, (stored.proprio(), stored.array("q"))
    # What belongs to a step was measured after it; before the first nothing was.
    felt = {"dq": np.zeros((1, 6)), "effort": np.full((1, 6), np.nan)}
    felt = {name: np.concatenate([first, stored.array(name)]) for name, first in felt.items()}
    more = {
        name: _later(stored, name, width) for name, width in (("temperature", 7), ("ik_error", 2))
    }
    warm = np.concatenate([np.full((1, 7), np.nan), more["temperature"]])
    stamps = tuple(stored.stamps_ns())
    states = tuple(
        RobotState(
            stamp_ns=stamps[k],
            q=np.array(q[k], np.float64),
            dq=felt["dq"][k],
            effort=felt["effort"][k],
            gripper=float(proprio[k, 6]),
            ee_pose=pose_from_proprio(proprio[k]),
            proprio=np.array(proprio[k], np.float64),
            temperature=warm[k],
        )
        for k in range(steps + 1)
    )
    return RecordedEpisode(
        name=summary.meta.episode_id,
        task=summary.meta.task,
        max_steps=summary.meta.max_steps,
        control_hz=summary.meta.control_hz,
        end_cause=summary.end_cause,
        taint=summary.taint,
        stamps_ns=stamps,
        states=states,
        frames=stored.frames(),
        asked=np.asarray(stored.array("action_raw"), np.float64),
        executed=stored.actions(),
        targets=np.asarray(stored.array("target_pose"), np.float64),
        q_command=np.asarray(stored.array("q_command"), np.float64),
        ik_error=_later(stored, "ik_error", 2),
        flags=tuple(stored.flags()),
        faults=tuple(stored.faults()),
        truth=tuple(stored.truth()),
        policy_version=summary.policy_version,
        complete=summary.complete,
        decision_s={
            chunk.step: chunk.latency_s
            for chunk in stored.chunks()
            if math.isfinite(chunk.latency_s)
        },
    )


def _later(stored: StoredEpisode, name: str, width: int) -> FloatArray:
    """An array that older episodes do not have; NaN there."""
    if not (stored.folder / name).is_dir():
        return np.full((stored.summary.n_steps, width), np.nan)
    return np.asarray(stored.array(name), np.float64)

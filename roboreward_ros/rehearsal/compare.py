# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How far each rehearsed episode is from its recording: ends, holds, taints, actions, rewards."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from roboreward_ros.episodes.promoted import read_promoted
from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.episodes.views import Label, LabelStatus, RewardView
from roboreward_ros.errors import FormatError
from roboreward_ros.rehearsal.recording import RecordedEpisode, Recording, StoredRecording, recorded
from roboreward_ros.types import EndCause, FloatArray, StepFlag

HELD = StepFlag.HOLD | StepFlag.LATE


@dataclass(frozen=True, slots=True)
class Gap:
    """Distance between two lists of numbers: median and largest; NaN where nothing was compared."""

    median: float = math.nan
    largest: float = math.nan

    @classmethod
    def of(cls, values: FloatArray) -> Gap:
        """Of distances ``[n]``."""
        if not values.size:
            return cls()
        return cls(float(np.median(values)), float(values.max()))


@dataclass(frozen=True, slots=True)
class Deviation:
    """One episode beside its recording.

    Attributes:
        position: number in the rehearsal.
        name: of the recorded episode.
        steps: recorded and rehearsed; 0 where it was not rehearsed.
        end: why each ended; None likewise.
        taint: what is wrong with the rehearsed one and was not with the recorded.
        holds: steps without an action beyond those that were recorded.
        complete: the rehearsed one has no gap.
        translation_mm: between the actions asked for, per step.
        rotation_deg: the same of rotations, length of the difference of the angles.
        gripper: the same of the opening, 0..1.
        period_ms: how much longer or shorter a control period took; NaN in lock-step.
        reward: recorded and rehearsed, in the units of their scale; None while unlabelled.
        label: status of each.
        why: what was said about the rehearsed one, such as why it failed; "" for nothing.
        policy_version: steering actor of each.
        damage: why the rehearsed one cannot be read; "" where it can.
    """

    position: int
    name: str
    steps: tuple[int, int]
    end: tuple[EndCause, EndCause | None]
    taint: tuple[str, ...] = ()
    holds: int = 0
    complete: bool = True
    translation_mm: Gap = Gap()
    rotation_deg: Gap = Gap()
    gripper: Gap = Gap()
    period_ms: Gap = Gap()
    reward: tuple[float | None, float | None] = (None, None)
    label: tuple[LabelStatus, LabelStatus] = (LabelStatus.UNSCORED, LabelStatus.UNSCORED)
    why: str = ""
    policy_version: tuple[int, int] = (0, 0)
    damage: str = ""

    @property
    def rehearsed(self) -> bool:
        """Whether it is on disk."""
        return self.end[1] is not None or bool(self.damage)

    @property
    def reward_gap(self) -> float | None:
        """Between the rewards; None where one of them is missing."""
        was, now = self.reward
        return None if was is None or now is None else abs(now - was)

    @property
    def different(self) -> tuple[str, ...]:
        """What a rehearsal without faults must not show, in words; empty where all is as it was.

        Actions, pace and rewards are measured and not judged here: another policy or reward model
        is what many a rehearsal is about.
        """
        if not self.rehearsed:
            return ("not rehearsed",)
        if self.damage:
            return (self.damage,)
        found = []
        if self.end[0] is not self.end[1]:
            found.append(f"ended by {self.end[1]}, recorded: {self.end[0]}")
        if self.steps[0] != self.steps[1]:
            found.append(f"{self.steps[1]} steps, recorded: {self.steps[0]}")
        if self.taint:
            found.append(f"tainted: {', '.join(self.taint)}")
        if self.holds > 0:
            found.append(f"held {self.holds} steps more")
        if not self.complete:
            found.append("incomplete")
        if self.label[0] is not self.label[1]:
            why = f": {self.why}" if self.why else ""
            found.append(f"{self.label[1]}, recorded: {self.label[0]}{why}")
        return tuple(found)


class Labels:
    """Labels of one run by its own reward source."""

    def __init__(self, run_dir: Path) -> None:
        self._run_dir = run_dir

    @cached_property
    def _view(self) -> RewardView | None:
        config = read_promoted(self._run_dir)
        return RewardView.of_run(self._run_dir, config) if config is not None else None

    def of(self, name: str) -> Label:
        """The present label of an episode; raises FormatError where a ledger is damaged."""
        return self._view.status(name) if self._view else Label(LabelStatus.UNSCORED)

    def found(self, name: str) -> Label:
        """The same; a damaged ledger's labels are not known."""
        try:
            return self.of(name)
        except FormatError as error:
            return Label(LabelStatus.UNSCORED, detail=str(error))


def compare(recording: Recording, run_dir: Path, *, real_time: bool) -> list[Deviation]:
    """Every episode of a recording beside its rehearsal, which faults may have damaged.

    Args:
        recording: what was played.
        run_dir: of the rehearsal.
        real_time: the pace is worth comparing.

    Raises:
        FormatError: something of the recording is damaged.
    """
    before = Labels(recording.run_dir) if isinstance(recording, StoredRecording) else None
    store, after = EpisodeStore(run_dir), Labels(run_dir)
    by_index = {store.open(name).summary.meta.index: name for name in store.ids()}
    found = []
    for position, name in enumerate(recording.names):
        was = recording.episode(position)
        if position not in by_index:
            found.append(Deviation(position, name, (was.n_steps, 0), (was.end_cause, None)))
            continue
        new = after.found(by_index[position])
        old = before.of(name) if before is not None else new
        try:
            now = recorded(store.open(by_index[position]))
        except FormatError as error:
            lost = Deviation(position, name, (was.n_steps, 0), (was.end_cause, None))
            labels = (old.status, new.status)
            found.append(replace(lost, label=labels, why=new.detail, damage=str(error)))
            continue
        found.append(_deviation(position, (was, now), (old, new), real_time=real_time))
    return found


def _deviation(
    position: int,
    episodes: tuple[RecordedEpisode, RecordedEpisode],
    labels: tuple[Label, Label],
    *,
    real_time: bool,
) -> Deviation:
    was, now = episodes
    n = min(was.n_steps, now.n_steps)
    # Steps without an action on either side have nothing to compare.
    both = [k for k in range(n) if not (was.flags[k] | now.flags[k]) & HELD]
    apart = now.asked[both] - was.asked[both]
    taken = [np.diff(np.array(e.stamps_ns[: n + 1], np.float64)) * 1e-6 for e in (was, now)]
    held = [sum(bool(flag & HELD) for flag in episode.flags[:n]) for episode in (was, now)]
    old, new = labels
    return Deviation(
        position=position,
        name=was.name,
        steps=(was.n_steps, now.n_steps),
        end=(was.end_cause, now.end_cause),
        taint=tuple(sorted(set(now.taint) - set(was.taint))),
        holds=held[1] - held[0],
        complete=now.complete or not was.complete,
        translation_mm=Gap.of(1e3 * np.linalg.norm(apart[:, :3], axis=1)),
        rotation_deg=Gap.of(np.degrees(np.linalg.norm(apart[:, 3:6], axis=1))),
        gripper=Gap.of(np.abs(apart[:, 6])),
        period_ms=Gap.of(np.abs(taken[1] - taken[0])) if real_time else Gap(),
        reward=(_value(old), _value(new)),
        label=(old.status, new.status),
        why=new.detail,
        policy_version=(was.policy_version, now.policy_version),
    )


def _value(label: Label) -> float | None:
    return None if label.score is None else label.score.value

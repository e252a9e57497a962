# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Writes stored episodes as a recording for the rerun viewer (``rerun OUT.rrd``).

Three timelines: ``stamp``, when a picture was taken; ``frame``, which counts pictures through all
episodes, so that pauses between them take no room; and ``episode``. Entities::

    camera           the stored JPEG bytes         every observation
    state, action    BridgeData's seven numbers    every observation; every step
    reward           the view's score              the last observation of a labelled episode
    log              what the episode is, what happened to its actions, how it ended

The pictures are those on disk, byte for byte. rerun is loaded only when a recording is written.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Protocol, Self

import numpy as np

from roboreward_ros.episodes.views import Label
from roboreward_ros.errors import ConfigError, PicturesGoneError, StoreError
from roboreward_ros.protocols import EpisodeReader
from roboreward_ros.types import FloatArray, StepFlag

SUFFIX = ".rrd"
CAMERA, STATE, ACTION, REWARD, LOG = "camera", "state", "action", "reward", "log"
AXES = ("x", "y", "z", "roll", "pitch", "yaw", "gripper")


@dataclass(frozen=True, slots=True)
class Moment:
    """Where on the timelines the next words belong.

    Attributes:
        stamp_ns: acquisition of the observation, ns since the epoch.
        frame: number of the observation in the recording, from 0.
        episode: index of the episode in its run.
    """

    stamp_ns: int
    frame: int
    episode: int


class Recording(Protocol):
    """Takes what is logged; each call belongs to the last ``at``."""

    def names(self, entity: str, names: Sequence[str]) -> None:
        """Names of the curves of ``entity``, once and for all times."""

    def at(self, moment: Moment) -> None:
        """Where the following calls belong."""

    def picture(self, entity: str, jpeg: bytes) -> None:
        """One encoded image."""

    def numbers(self, entity: str, values: Sequence[float]) -> None:
        """One value a curve."""

    def line(self, entity: str, text: str) -> None:
        """One line of a log."""


@dataclass(frozen=True, slots=True)
class LabelStated:
    """An episode and what the view says about it, labelled or not."""

    episode: EpisodeReader
    label: Label


def log_episodes(
    episodes: Iterable[LabelStated],
    recording: Recording,
    on_episode: Callable[[int], object] = lambda _: None,
) -> int:
    """Log episodes one after the other; returns the number of observations.

    Args:
        episodes: any, incomplete and discarded ones included: the log says so.
        recording: takes them.
        on_episode: told how many are done.
    """
    recording.names(STATE, AXES)
    recording.names(ACTION, AXES)
    recording.names(REWARD, ("reward",))
    frame = 0
    for number, item in enumerate(episodes, 1):
        frame = _log_episode(item, recording, frame)
        on_episode(number)
    return frame


def _log_episode(item: LabelStated, recording: Recording, frame: int) -> int:
    episode, summary = item.episode, item.episode.summary
    states, actions, flags = episode.proprio(), episode.actions(), episode.flags()
    before = 0
    stamps_ns = episode.stamps_ns()
    try:
        frames: Sequence[bytes | None] = episode.frames()
    except PicturesGoneError as error:
        recording.at(Moment(stamps_ns[0], frame, summary.meta.index))
        recording.line(LOG, str(error))
        frames = [None] * len(stamps_ns)
    for k, (jpeg, stamp_ns) in enumerate(zip(frames, stamps_ns, strict=True)):
        recording.at(Moment(stamp_ns, frame + k, summary.meta.index))
        if k == 0:
            kind = ", canary" if summary.meta.canary else ""
            recording.line(LOG, f"{summary.meta.episode_id}: “{summary.meta.task}”{kind}")
        if jpeg is not None:
            recording.picture(CAMERA, jpeg)
        recording.numbers(STATE, _row(states, k))
        if k < len(flags):
            recording.numbers(ACTION, _row(actions, k))
            if flags[k] != before:
                before = flags[k]
                recording.line(LOG, f"step {k}: {_words(before)}")
    if item.label.score is not None:
        recording.numbers(REWARD, (item.label.score.value,))
    recording.line(LOG, _end(item))
    return frame + summary.n_steps + 1


def _row(values: FloatArray, k: int) -> tuple[float, ...]:
    return tuple(float(value) for value in values[k])


def _words(flags: int) -> str:
    names = [flag.name.lower() for flag in StepFlag if flag.name and flags & flag]
    return ", ".join(names) or "as the policy said"


def _end(item: LabelStated) -> str:
    summary, label = item.episode.summary, item.label
    if label.score is not None:
        said = f"reward {label.score.value:g} by {label.score.provenance.source}"
    else:
        said = f"no reward ({label.status}{': ' if label.detail else ''}{label.detail})"
    notes = [*summary.taint]
    notes += ["discarded"] if summary.discarded else []
    notes += [] if summary.complete else ["incomplete"]
    return ", ".join((f"end by {summary.end_cause}", said, *notes))


def load_rerun() -> ModuleType:
    """The viewer's library; raises ConfigError with the install line."""
    try:
        return importlib.import_module("rerun")
    except ImportError as error:
        raise ConfigError(
            "a recording for the rerun viewer needs rerun-sdk",
            got=str(error),
            next_step="pip install 'rerun-sdk>=0.24'",
        ) from None


class RerunFile:
    """A ``.rrd`` file (protocol ``Recording``); it appears under its name when all of it is there.

    Args:
        out: name of the file; ends in .rrd and must not exist.
        name: of the recording, such as the run's.

    Raises:
        ConfigError: another name, a file that exists, or rerun is not installed.
        StoreError: the file cannot be written.
    """

    def __init__(self, out: Path, name: str) -> None:
        if out.suffix != SUFFIX or out.exists():
            raise ConfigError(
                "the recording's file", got=str(out), allowed=f"a new file that ends in {SUFFIX}"
            )
        self._rerun = load_rerun()
        self._out, self._part = out, out.with_suffix(f".part{SUFFIX}")
        self._stream = self._rerun.RecordingStream("roboreward")
        try:
            out.parent.mkdir(parents=True, exist_ok=True)
            self._stream.save(self._part, default_blueprint=_layout())
            self._stream.send_recording_name(name)
        except (OSError, RuntimeError) as error:
            raise StoreError("cannot write the recording", got=f"{self._part}: {error}") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stream.flush()
        self._stream.disconnect()
        if kind is None:
            self._part.rename(self._out)
        else:
            self._part.unlink(missing_ok=True)

    def names(self, entity: str, names: Sequence[str]) -> None:
        self._stream.log(entity, self._rerun.SeriesLines(names=list(names)), static=True)

    def at(self, moment: Moment) -> None:
        self._stream.set_time("stamp", timestamp=np.datetime64(moment.stamp_ns, "ns"))
        self._stream.set_time("frame", sequence=moment.frame)
        self._stream.set_time("episode", sequence=moment.episode)

    def picture(self, entity: str, jpeg: bytes) -> None:
        image = self._rerun.EncodedImage(contents=jpeg, media_type="image/jpeg")
        self._stream.log(entity, image)

    def numbers(self, entity: str, values: Sequence[float]) -> None:
        self._stream.log(entity, self._rerun.Scalars(list(values)))

    def line(self, entity: str, text: str) -> None:
        self._stream.log(entity, self._rerun.TextLog(text))


def _layout() -> object:
    """What the viewer shows when nobody has said otherwise."""
    views = importlib.import_module("rerun.blueprint")
    seen = views.Vertical(
        views.Spatial2DView(origin=CAMERA, name="camera"),
        views.TextLogView(origin=LOG, name="log"),
    )
    curves = views.Vertical(
        *(views.TimeSeriesView(origin=name, name=name) for name in (STATE, ACTION, REWARD))
    )
    return views.Blueprint(views.Horizontal(seen, curves))

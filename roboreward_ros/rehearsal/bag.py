# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A rosbag2 recording (MCAP or SQLite) as a recording; needs ``rosbags``, no ROS.

With this package's ``state`` topic the bag holds episodes as they were. A bag of any other session
has joint states and pictures: it is one episode, sampled at the control rate, whose actions are
what the gripper did between two samples.
"""

from __future__ import annotations

import importlib.util
import math
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, cast

import numpy as np

from roboreward_ros.errors import ConfigError, FormatError
from roboreward_ros.rehearsal.bag_arm import ArmSample, arm_episode
from roboreward_ros.rehearsal.bag_pictures import (
    COMPRESSED,
    IMAGES,
    Film,
    PictureMessage,
    encoded,
    further_cameras,
    require_picture,
)
from roboreward_ros.rehearsal.bag_states import StateMessage, state_episode
from roboreward_ros.rehearsal.recording import POLICY_CAMERA, RecordedEpisode
from roboreward_ros.robot.profile import load_profile

STATE, EVENT = "roboreward_ros/msg/RobotState", "roboreward_ros/msg/EpisodeEvent"
CHUNK, REWARD = "roboreward_ros/msg/ActionChunk", "roboreward_ros/msg/Reward"
JOINTS = "sensor_msgs/msg/JointState"
COMMITTED = 1  # of EpisodeEvent
MOST_TICKS = 100_000


@dataclass(frozen=True, slots=True)
class BagOptions:
    """What a bag does not say itself.

    Attributes:
        task: sentence of its episodes; "" where the bag's own events name it.
        image_topic: pictures of the policy's camera; "" for ``image`` beside this package's
            states, else the only one, or the first by name.
        joint_topic: of the arm; "" likewise. Not used where there are states of this package.
        robot: profile of an arm that is given by joint states.
        control_hz: control rate of such a bag.
    """

    task: str = ""
    image_topic: str = ""
    joint_topic: str = ""
    robot: str = "wx250s"
    control_hz: float = 5.0

    def __post_init__(self) -> None:
        if not 1.0 <= self.control_hz <= 50.0:
            raise ConfigError("control_hz out of range", got=self.control_hz, allowed="1..50")


class _Stamp(Protocol):
    sec: int
    nanosec: int


class _Header(Protocol):
    stamp: _Stamp


class _Stamped(Protocol):
    header: _Header


class _Event(Protocol):
    episode_id: str
    task: str
    event: int
    taint: Sequence[str]


class _Decision(Protocol):
    episode_id: str
    step: int
    latency_s: float


class _Reward(Protocol):
    episode_id: str
    latency_s: float
    shadow: bool


class _Joints(Protocol):
    header: _Header
    name: Sequence[str]
    position: Sequence[float]


class BagRecording:
    """Protocol ``Recording`` over a bag; pictures are read when their episode is.

    Args:
        path: folder with metadata.yaml, or one .mcap file.
        options: see ``BagOptions``.
        only: play no more than so many of its first episodes; 0 for all.

    Raises:
        ConfigError: no such topic, no task, or ``rosbags`` is not installed.
        FormatError: no bag, or one that is damaged.
    """

    def __init__(self, path: Path, options: BagOptions, only: int = 0) -> None:
        if importlib.util.find_spec("rosbags") is None:
            raise ConfigError(
                "bags are read by a package that is not installed",
                got=str(path),
                next_step="Run: pip install rosbags (the extra `bags` of this package).",
            )
        self._path, self._options = path, options
        self._left_out: dict[str, str] = {}
        topics = self._topics()
        wanted = options.image_topic or _own_camera(topics)
        self._images = _choose(topics, IMAGES, wanted, "pictures")
        if any(kind == STATE for kind in topics.values()):
            self._episodes = self._of_states(topics)
        else:
            self._episodes = self._of_joints(topics)
        self._names = tuple(self._episodes)[: only or None]
        if not self._names:
            raise FormatError("the bag holds no whole episode", got=str(path))

    @property
    def names(self) -> Sequence[str]:
        return self._names

    @property
    def arguments(self) -> Mapping[str, str]:
        return {}

    @property
    def cameras(self) -> Sequence[str]:
        episodes = (self._episodes[name] for name in self._names)
        return tuple(dict.fromkeys(camera for episode in episodes for camera in episode.cameras))

    @property
    def left_out(self) -> Mapping[str, str]:
        return self._left_out

    def episode(self, position: int) -> RecordedEpisode:
        return self._episodes[self._names[position]]

    def _topics(self) -> dict[str, str]:
        from rosbags.rosbag2 import Reader

        try:
            with Reader(self._path) as reader:
                return {c.topic: c.msgtype for c in reader.connections}
        # A damaged bag reaches every corner of the library's parsers, and lengths of 2^62 bytes.
        except Exception as error:
            raise self._unreadable(error) from None

    def _unreadable(self, error: Exception) -> FormatError:
        return FormatError("this bag cannot be read", got=f"{self._path}: {error}")

    def _messages(self, *topics: str) -> Iterator[tuple[str, int, object]]:
        """Messages of some topics in the order of arrival: topic, stamp of arrival, message."""
        from rosbags.highlevel import AnyReader

        try:
            with AnyReader([self._path]) as reader:
                wanted = [c for c in reader.connections if c.topic in topics]
                for connection, stamp_ns, data in reader.messages(wanted):
                    kind = connection.msgtype
                    yield connection.topic, stamp_ns, reader.deserialize(data, kind)
        except Exception as error:  # as above
            raise self._unreadable(error) from None

    def _film(self, camera: str) -> Film:
        """Everything that a camera showed; raises as ``encoded``."""
        return Film.of(
            [
                (
                    _stamp_ns(cast("_Stamped", message).header) or arrived_ns,
                    encoded(cast("PictureMessage", message)),
                )
                for _, arrived_ns, message in self._messages(camera)
            ]
        )

    def _further(self, topics: Mapping[str, str]) -> dict[str, Film]:
        """Of every camera but the policy's; those that show nothing for people are left out."""
        films: dict[str, Film] = {}
        for name, topic in further_cameras(topics, self._images).items():
            try:
                film = self._film(topic)
                for picture in film.pictures[:1]:
                    require_picture(picture)
            except (ConfigError, FormatError) as error:
                self._left_out[topic] = str(error)
            else:
                films[name] = film
        return films

    def _of_states(self, topics: Mapping[str, str]) -> dict[str, RecordedEpisode]:
        """Episodes of this package's own topics; where events were recorded, committed ones."""
        state = _choose(topics, (STATE,), "", "states")
        events = [topic for topic, kind in topics.items() if kind == EVENT]
        states: dict[str, list[StateMessage]] = {}
        tasks: dict[str, str] = {}
        taints: dict[str, tuple[str, ...]] = {}
        for topic, _, message in self._messages(state, *events):
            if topic == state:
                beat = cast("StateMessage", message)
                if beat.episode_id:
                    states.setdefault(beat.episode_id, []).append(beat)
                continue
            event = cast("_Event", message)
            tasks[event.episode_id] = event.task
            if event.event == COMMITTED:
                taints[event.episode_id] = tuple(event.taint)
        if events:
            states = {name: beats for name, beats in states.items() if name in taints}
        film, further = self._film(self._images), self._further(topics)
        decisions_s, rewards_s = self._latencies(topics)
        found = {}
        for name, beats in states.items():
            task = tasks.get(name) or self._task()
            beats = _last_try(beats)
            stamps = [_stamp_ns(beat.header) for beat in beats]
            shown = [film.place(stamp_ns) for stamp_ns in stamps]
            if len(beats) < 2 or not beats[-1].last or None in shown:
                continue
            frames = [film.pictures[k] for k in shown if k is not None]
            episode = state_episode(name, task, beats, frames, taints.get(name, ()))
            found[name] = replace(
                episode,
                decision_s=decisions_s.get(name, {}),
                reward_s=rewards_s.get(name, math.nan),
                cameras=_along(further, stamps),
            )
        return found

    def _latencies(
        self, topics: Mapping[str, str]
    ) -> tuple[dict[str, dict[int, float]], dict[str, float]]:
        """Of decisions by episode and step, and of the first reward of each episode, s."""
        decisions: dict[str, dict[int, float]] = {}
        rewards: dict[str, float] = {}
        wanted = [
            topic
            for topic, kind in topics.items()
            if kind == CHUNK or (kind == REWARD and topic.rpartition("/")[2] == "reward")
        ]
        for topic, _, message in self._messages(*wanted) if wanted else ():
            if not hasattr(message, "latency_s"):
                continue  # of an older version
            if topics[topic] == CHUNK:
                decision = cast("_Decision", message)
                mine = decisions.setdefault(decision.episode_id, {})
                if math.isfinite(decision.latency_s):  # a closing one was not waited for
                    mine[int(decision.step)] = float(decision.latency_s)
            elif not (reward := cast("_Reward", message)).shadow:
                rewards.setdefault(reward.episode_id, float(reward.latency_s))
        return decisions, rewards

    def _of_joints(self, topics: Mapping[str, str]) -> dict[str, RecordedEpisode]:
        """One episode from joint states, sampled at the control rate."""
        options, profile = self._options, load_profile(self._options.robot)
        topic = _choose(topics, (JOINTS,), options.joint_topic, "joint states")
        samples = []
        for _, arrived_ns, message in self._messages(topic):
            joints = cast("_Joints", message)
            stamp_ns = _stamp_ns(joints.header) or arrived_ns
            samples.append(ArmSample(stamp_ns, tuple(joints.name), np.asarray(joints.position)))
        samples.sort(key=lambda sample: sample.stamp_ns)
        film, further = self._film(self._images), self._further(topics)
        if not samples or not film.pictures:
            raise FormatError("the bag has no joint states or no pictures", got=str(self._path))
        begin_ns = max(samples[0].stamp_ns, film.stamps_ns[0])
        end_ns = min(samples[-1].stamp_ns, film.stamps_ns[-1])
        period_ns = round(1e9 / options.control_hz)
        ticks = range(begin_ns, end_ns + 1, period_ns)
        if len(ticks) > MOST_TICKS:
            raise FormatError(
                "the bag's stamps lie too far apart for one episode",
                got=f"{(end_ns - begin_ns) / 1e9:.0f} s",
                allowed=f"{MOST_TICKS} control steps",
            )
        times = [sample.stamp_ns for sample in samples]
        kept = [samples[bisect_right(times, tick) - 1] for tick in ticks]
        frames = [film.pictures[film.place(tick) or 0] for tick in ticks]
        name = self._path.stem
        episode = arm_episode(name, self._task(), ticks, kept, frames, profile, options.control_hz)
        return {name: replace(episode, cameras=_along(further, ticks))}

    def _task(self) -> str:
        if not self._options.task:
            raise ConfigError(
                "the bag does not say what was to be done",
                got=str(self._path),
                next_step='Give --task "open the drawer" or yours.',
            )
        return self._options.task


def _choose(topics: Mapping[str, str], kinds: Sequence[str], wanted: str, what: str) -> str:
    """The topic of a kind: the one asked for, else the first by name, raw before compressed."""
    found = sorted((kinds.index(kind), topic) for topic, kind in topics.items() if kind in kinds)
    names = [topic for _, topic in found]
    if wanted:
        names = [name for name in names if name == wanted]
    if not names:
        raise ConfigError(
            f"the bag has no such topic of {what}", got=wanted or "none", allowed=tuple(topics)
        )
    return names[0]


def _own_camera(topics: Mapping[str, str]) -> str:
    """The policy's camera of this package's topics; "" where there are none of these."""
    states = (topic for topic, kind in topics.items() if kind == STATE)
    places = [state.rpartition("/")[0] + "/" + POLICY_CAMERA for state in states]
    names = [place + kind for place in places for kind in ("", COMPRESSED)]
    return next((name for name in names if topics.get(name) in IMAGES), "")


def _last_try(beats: Sequence[StateMessage]) -> list[StateMessage]:
    """The states of the last try: an episode that was dropped begins anew at step 0."""
    begins = [k for k, beat in enumerate(beats) if beat.step == 0]
    kept: dict[int, StateMessage] = {}
    for beat in beats[begins[-1] if begins else 0 :]:
        kept[int(beat.step)] = beat
    return [kept[step] for step in sorted(kept)]


def _along(films: Mapping[str, Film], stamps_ns: Sequence[int]) -> dict[str, list[bytes]]:
    """Pictures of the cameras that were there, one for each stamp of an episode."""
    found = {name: film.along(stamps_ns) for name, film in films.items()}
    return {name: pictures for name, pictures in found.items() if pictures}


def _stamp_ns(header: _Header) -> int:
    return int(header.stamp.sec) * 1_000_000_000 + int(header.stamp.nanosec)

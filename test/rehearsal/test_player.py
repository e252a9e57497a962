# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A recording as arm and camera: it goes where it went, at its pace, and faults come again."""

import dataclasses

import numpy as np
import pytest

from roboreward_ros.clock import FakeClock
from roboreward_ros.errors import (
    CameraError,
    ConfigError,
    FormatError,
    RobotError,
    SafetyError,
    StoreError,
)
from roboreward_ros.rehearsal.opening import open_recording, script_for
from roboreward_ros.rehearsal.player import Deck, RecordedCamera, RecordedRobot, decoded
from roboreward_ros.rehearsal.recording import StoredRecording
from roboreward_ros.testing.conformance_camera import CameraConformance
from roboreward_ros.types import StepFlag

TASK = "put the mushroom on the cloth"
ASKED = np.full(7, 0.25)


@pytest.fixture
def recording(recorded):
    return StoredRecording(recorded)


def play(recording, *, real_time=False, seed=0, before=lambda _: None):
    """A connected, reset arm with its deck and clock."""
    clock = FakeClock()
    deck = Deck(recording, clock, real_time=real_time)
    robot = RecordedRobot(deck, before)
    robot.connect()
    robot.reset("", seed)
    return robot, deck, clock


class TestRecordedCamera(CameraConformance):
    @pytest.fixture
    def make_camera(self, recording):
        return lambda: RecordedCamera(play(recording)[1])


def test_a_further_camera_shows_its_own_pictures_where_it_was_there(recording):
    _, deck, _ = play(recording)
    further = RecordedCamera(deck, "wrist")
    further.open()
    assert not further.there
    with pytest.raises(CameraError, match="wrist was not there"):
        further.read(0.0)
    own = deck.episode.frames
    deck._episode = dataclasses.replace(deck.episode, cameras={"wrist": own[::-1]})
    assert further.there
    frame = further.read(0.0)
    assert frame.camera == "wrist"
    np.testing.assert_array_equal(frame.image, decoded(own[-1], "ep"))


def test_the_arm_goes_where_it_went_whatever_it_is_told(recording):
    robot, _, _ = play(recording)
    episode = recording.episode(0)
    reports = [robot.step(ASKED) for _ in range(episode.n_steps)]
    for k, report in enumerate(reports):
        np.testing.assert_array_equal(report.action_raw, ASKED)
        np.testing.assert_array_equal(report.action_executed, episode.executed[k])
        np.testing.assert_array_equal(report.state.q, episode.states[k + 1].q)
    assert not reports[2].flags & StepFlag.HOLD, "a hold comes about anew, or not"
    assert reports[-1].flags is StepFlag.CLIPPED_DELTA
    last = robot.step(ASKED)  # beyond the recording it stands
    np.testing.assert_array_equal(last.state.q, episode.states[-1].q)
    assert last.flags & StepFlag.HOLD
    assert last.state.stamp_ns > reports[-1].state.stamp_ns


def test_stamps_are_the_recordings_moved_to_the_present(recording):
    robot, deck, clock = play(recording)
    origin = clock.now_ns()
    stamps = [robot.state().stamp_ns - origin] + [
        robot.step(ASKED).state.stamp_ns - origin for _ in range(6)
    ]
    wanted = np.array(recording.episode(0).stamps_ns)
    assert stamps == (wanted - wanted[0]).tolist()
    assert clock.now_ns() == origin, "lock-step waits for nothing"
    deck.offset_ns = 5
    assert robot.state().stamp_ns - origin == stamps[-1] + 5


def test_a_period_that_took_longer_takes_longer_again_at_real_time(recording):
    robot, _, clock = play(recording, real_time=True)
    taken = []
    for _ in range(6):
        before_ns = clock.steady_ns()
        robot.step(ASKED)
        taken.append(clock.steady_ns() - before_ns)
    assert taken == [0, 0, 0, pytest.approx(150_000_000), 0, 0]


def test_a_recorded_fault_is_raised_again_and_a_persons_hold_is_played(recording):
    robot, _, _ = play(recording, seed=2)
    for _ in range(5):
        robot.step(ASKED)
    with pytest.raises(RobotError, match="the link broke"):
        robot.step(ASKED)
    robot, _, _ = play(recording, seed=1)
    for _ in range(5):
        robot.step(ASKED)
    report = robot.hold()
    assert report.flags is StepFlag.HOLD
    np.testing.assert_array_equal(report.state.q, recording.episode(1).states[6].q)


def test_time_passes_also_when_the_arm_refuses(recording):
    def refuse(step):
        if step == 1:
            raise RobotError("no")

    robot, deck, _ = play(recording, before=refuse)
    robot.step(ASKED)
    before_ns = robot.state().stamp_ns
    with pytest.raises(RobotError, match="no"):
        robot.step(ASKED)
    assert robot.state().stamp_ns > before_ns
    assert deck.step == 2


def test_the_seed_of_the_plan_chooses_the_episode_and_its_task_must_be_the_recorded_one(recording):
    robot, deck, _ = play(recording, seed=300_002)
    assert deck.episode.name == "ep_000002"
    with pytest.raises(ConfigError, match="another task"):
        robot.reset(TASK, 2)
    assert robot.reset(TASK, 0).q is not recording.episode(0).states[0].q
    with pytest.raises(RobotError, match="over"):
        robot.reset("", 3)


@pytest.mark.parametrize("bad", [np.full(6, 0.0), np.full(7, np.nan)])
def test_what_is_no_action_is_refused_and_no_time_passes(recording, bad):
    robot, deck, _ = play(recording)
    with pytest.raises(SafetyError):
        robot.step(bad)
    assert deck.step == 0


def test_order_of_calls_is_enforced(recording):
    deck = Deck(recording, FakeClock(), real_time=False)
    robot, camera = RecordedRobot(deck), RecordedCamera(deck)
    with pytest.raises(RobotError, match="not connected"):
        robot.reset("", 0)
    robot.connect()
    with pytest.raises(RobotError, match="reset"):
        robot.state()
    camera.open()
    with pytest.raises(CameraError, match="nothing yet"):
        camera.read(0.0)
    with pytest.raises(CameraError, match="decoded"):
        decoded(b"no picture", "ep")


def test_what_is_no_recording_is_refused(recorded, tmp_path):
    with pytest.raises(StoreError, match="no recording"):
        open_recording(tmp_path)
    assert open_recording(recorded, 2).names == ("ep_000000", "ep_000001")
    assert script_for(open_recording(recorded), "")
    (tmp_path / "broken.mcap").write_bytes(b"no bag")
    with pytest.raises(FormatError, match="bag cannot be read"):
        open_recording(tmp_path / "broken.mcap")


def test_parts_that_do_not_fit_each_other_are_refused(recording):
    episode = recording.episode(0)
    with pytest.raises(ConfigError, match="do not fit"):
        dataclasses.replace(episode, stamps_ns=episode.stamps_ns[:-1])

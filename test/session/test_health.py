# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One health state with reasons: no reason for a blip, none forgotten while it holds."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roboreward_ros.clock import FakeClock
from roboreward_ros.errors import ConfigError
from roboreward_ros.session.health import HealthBoard, HealthConfig
from roboreward_ros.session.health_log import HEALTH_FILE, HealthLog, read_health
from roboreward_ros.session.health_session import GIVEN_UP_S, START_S, of_notice, of_phase
from roboreward_ros.types import HealthLevel, HealthView, SessionView

OK, WARN, ERROR, STALE = HealthLevel.OK, HealthLevel.WARN, HealthLevel.ERROR, HealthLevel.STALE
VIEW = SessionView("RUNNING", "", (), "open the drawer", "", 0, 0, 0, 0, 0)


class World:
    """A board, its clock, and what it told."""

    def __init__(self):
        self.clock, self.told = FakeClock(), []
        self.board = HealthBoard(HealthConfig(5.0, 15.0, 10.0), self.clock, self.told.append)

    def says(self, level, seconds, what="frozen", part="camera image"):
        """A camera says so once a second; returns the state after the last time."""
        for _ in range(seconds):
            self.board.heard("camera_node", part, level, what)
            view = self.board.view()
            self.clock.advance(1.0)
        return view


@pytest.fixture
def world():
    return World()


def test_nothing_heard_is_not_well(world):
    assert world.board.view() == HealthView(STALE)
    assert "nothing has been heard" in world.board.view().headline
    assert world.says(OK, 1) == HealthView(OK)
    assert HealthView(OK).headline == ""


def test_a_blip_is_no_reason_and_what_lasts_is_one_with_its_beginning(world):
    world.says(OK, 3)
    assert world.says(ERROR, 4).reasons == ()
    assert world.says(OK, 20).level is OK
    began_ns = world.clock.now_ns()
    view = world.says(ERROR, 6)
    assert view.level is ERROR
    (reason,) = view.reasons
    assert (reason.node, reason.part, reason.what) == ("camera_node", "camera image", "frozen")
    assert reason.since_ns == began_ns
    assert "cable" in reason.do
    assert view.headline.startswith("camera_node: camera image: frozen. Look at its cable")


def test_trouble_now_and_then_is_trouble_and_goes_only_when_it_stays_away(world):
    for _ in range(3):
        world.says(WARN, 2)
        view = world.says(OK, 2)
    assert view.level is WARN
    assert world.says(OK, 12).level is WARN
    assert world.says(OK, 3).level is OK
    assert [event.raised for event in world.told] == [True, False]


def test_a_reason_keeps_its_words_and_is_told_again_when_it_gets_worse(world):
    world.says(WARN, 7, "no frame for 3 s")
    view = world.says(WARN, 3, "no frame for 9 s")
    assert view.reasons[0].what == "no frame for 3 s"
    assert world.says(ERROR, 1, "gone").reasons[0].what == "gone"
    assert [event.reason.level for event in world.told] == [WARN, ERROR]


def test_a_part_that_falls_silent_is_stale_and_errors_come_first(world):
    world.says(OK, 1, part="other")
    world.says(ERROR, 12)
    view = world.says(ERROR, 6)
    assert [reason.level for reason in view.reasons] == [ERROR, STALE]
    assert view.level is ERROR
    assert view.reasons[1].what == "silent"
    assert [event.raised for event in world.told] == [True, True]


@given(st.lists(st.sampled_from([OK, WARN, ERROR]), max_size=60))
def test_reasons_are_told_as_they_come_and_go(levels):
    world = World()
    held = set()
    for level in levels:
        view = world.says(level, 1)
        for event in world.told:
            (held.add if event.raised else held.discard)(event.reason.name)
        world.told.clear()
        assert {reason.name for reason in view.reasons} == held
        if all(level is OK for level in levels):
            assert view.level is OK


def test_the_session_says_when_it_needs_a_person():
    assert of_phase(VIEW, 1e6, 60.0).level is OK
    fault = replace(VIEW, phase="FAULT", message="robot failed: no link")
    assert of_phase(fault, GIVEN_UP_S - 1, 60.0).level is WARN
    given_up = of_phase(fault, GIVEN_UP_S, 60.0)
    assert (given_up.level, given_up.what) == (ERROR, "robot failed: no link")
    assert "Enter" in given_up.do
    away = replace(VIEW, phase="PAUSED", missing=("learner_node",))
    assert of_phase(away, 0.0, 0.0).what == "learner_node is not there"
    starting = replace(VIEW, phase="IDLE", missing=("policy_node", "reward_node"))
    assert of_phase(starting, 30.0, 60.0).level is WARN
    assert of_phase(starting, START_S, 60.0).what == "policy_node and reward_node are not there"
    waits = replace(VIEW, phase="WAIT_RESET")
    assert of_phase(waits, 59.0, 60.0).level is OK
    assert of_phase(waits, 61.0, 60.0).what == "the robot has waited for you for 1 min"
    assert of_phase(waits, 1e6, 0.0).level is OK
    assert of_notice(VIEW).level is OK
    assert of_notice(replace(VIEW, notice="weights are held back")).level is ERROR


def test_what_came_and_went_is_read_again_without_torn_lines(world, tmp_path):
    log = HealthLog(tmp_path)
    world.says(ERROR, 6)
    world.says(OK, 16)
    assert [log.add(event) for event in world.told] == ["", ""]
    with (tmp_path / HEALTH_FILE).open("a") as file:
        file.write('{"stamp_ns": 12, "rai\n[]\n')
    assert read_health(tmp_path) == world.told
    assert read_health(tmp_path / "nowhere") == []


def test_a_disk_that_cannot_be_written_costs_the_line_only(world, tmp_path):
    (tmp_path / "logs").write_text("a file where a folder should be")
    world.says(ERROR, 6)
    assert "logs" in HealthLog(tmp_path).add(world.told[0])


@pytest.mark.parametrize("wrong", [{"rise_s": -1.0}, {"silent_s": float("nan")}])
def test_times_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ConfigError):
        HealthConfig(**wrong)

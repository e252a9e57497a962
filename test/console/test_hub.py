# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
import asyncio

import pytest

from roboreward_ros.clock import FakeClock
from roboreward_ros.console import server
from roboreward_ros.console.chart import MEAN, reward_chart, running_mean
from roboreward_ros.console.controls import alarm_of
from roboreward_ros.console.hub import LOG_LINES, Hub
from roboreward_ros.console.seat import LEASE_S, Seat
from roboreward_ros.errors import SessionError, StoreError
from roboreward_ros.types import (
    AskCard,
    HealthLevel,
    HealthReason,
    HealthView,
    LearnerView,
    PartHealth,
    RewardPoint,
    RunFacts,
    SessionView,
    VerbRequest,
)
from roboreward_ros.types import VerbAnswer as Answer


class Session:
    def __init__(self):
        self.sent = []

    def view(self):
        return SessionView("RUNNING", "", ("hold",), "t", "ep_000000", 1, 0, 0, 0, 0)

    def send(self, request):
        self.sent.append(request)
        return Answer("ok")


class Watch:
    error = None

    def facts(self):
        if self.error:
            raise self.error
        return RunFacts(episodes=3, queue=(card("ep_000001"),))

    def audits(self, episode_ids):
        return tuple(card(name, audit=True) for name in episode_ids)


def card(name, *, audit=False):
    return AskCard(name, 0, "t", False, "", (0,), audit)


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def hub(clock):
    return Hub(Session(), Watch(), None, clock)


def test_audits_follow_the_questions_and_nothing_is_asked_twice(hub):
    hub.refresh()
    assert [c.audit for c in hub.facts().queue] == [False]
    hub.heard_learner(LearnerView(audits=("ep_000000", "ep_000001")))
    hub.refresh()
    assert [(c.episode_id, c.audit) for c in hub.facts().queue] == [
        ("ep_000001", False),
        ("ep_000000", True),
    ]


def test_a_free_seat_is_taken_by_whoever_presses_first(clock):
    seat = Seat(clock)
    seat.require("a", "ada", stops=False)
    assert seat.holder() == ("a", "ada")
    with pytest.raises(SessionError, match="ada has the controls"):
        seat.require("b", "bob", stops=False)
    seat.require("b", "bob", stops=True)
    assert seat.holder() == ("a", "ada")


def test_a_seat_changes_hands_by_taking_leaving_or_silence(clock):
    seat = Seat(clock)
    seat.take("a", "ada")
    seat.take("b", "bob")
    assert seat.holder()[0] == "b"
    seat.leave("a")
    assert seat.holder()[0] == "b"
    clock.sleep(LEASE_S - 1)
    seat.alive("b")
    clock.sleep(LEASE_S - 1)
    assert seat.holder()[0] == "b"
    clock.sleep(2)
    assert seat.holder() == ("", "")


def test_stopping_takes_no_seat(clock):
    seat = Seat(clock)
    seat.require("a", "ada", stops=True)
    assert seat.holder() == ("", "")


def test_everybody_can_hold_but_only_the_holder_goes_on(hub):
    hub.seat.take("a", "ada")
    hub.press("b", "bob", VerbRequest("hold", phase="RUNNING"))
    with pytest.raises(SessionError):
        hub.press("b", "bob", VerbRequest("hold", phase="PAUSED"))
    hub.press("a", "ada", VerbRequest("hold", phase="PAUSED"))
    assert [r.phase for r in hub.client.sent] == ["RUNNING", "PAUSED"]


def test_stores_that_cannot_be_read_are_said_once_and_keep_the_last_picture(hub):
    hub.refresh()
    Watch.error = StoreError("disk is gone")
    try:
        hub.refresh()
        hub.refresh()
    finally:
        Watch.error = None
    assert hub.facts().episodes == 3
    assert ["disk is gone" in line.text for line in hub.lines()] == [True]


def test_the_log_is_bounded_and_read_from_where_one_was(hub):
    for k in range(LOG_LINES + 10):
        hub.log(f"line {k}")
    lines = hub.lines()
    assert len(lines) == LOG_LINES
    assert hub.lines(lines[-2].number) == lines[-1:]


def test_a_part_that_falls_silent_is_shown_as_such(hub, clock):
    hub.heard_health([PartHealth("twin", 0, "well")])
    assert hub.health() == (PartHealth("twin", 0, "well"),)
    clock.sleep(6.0)
    assert [part.level for part in hub.health()] == [3]


def test_warnings_reach_the_log_once(hub):
    for _ in range(3):
        hub.heard_health([PartHealth("twin", 2, "camera lost")])
    assert [line.text for line in hub.lines()] == ["twin: camera lost"]


def test_the_curve_has_a_series_for_each_source_and_the_mean_of_what_counts():
    points = [
        RewardPoint(0, "a", 5.0, "ground_truth", counts=True),
        RewardPoint(0, "a", 2.0, "degraded", shadow=True),
        RewardPoint(1, "b", 1.0, "human", counts=True),
    ]
    series = {s["name"]: s for s in reward_chart(points)["series"]}
    assert set(series) == {"ground_truth", "degraded (shadow)", "human", MEAN}
    assert series[MEAN]["data"] == [[0.0, 5.0], [1.0, 3.0]]
    assert len({s["color"] for s in series.values()}) == 4


def test_the_mean_forgets_what_is_older_than_its_window():
    assert running_mean([(0, 1.0), (1, 3.0), (2, 5.0)], 2) == [[0, 1], [1, 2], [2, 4]]


def test_a_fault_of_the_console_itself_is_said_once_and_reading_goes_on(hub, monkeypatch):
    seen = []

    def broken() -> None:
        seen.append(1)
        if len(seen) > 2:
            raise asyncio.CancelledError
        raise AttributeError("facts")

    hub.refresh = broken
    monkeypatch.setattr(server, "REFRESH_S", 0.0)
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(server.keep_fresh(hub))
    assert ["AttributeError" in line.text for line in hub.lines()] == [True]


def test_the_health_of_a_session_is_known_told_once_and_grows_stale(hub, clock):
    assert hub.whole() is None
    assert alarm_of(None) == ""
    reason = HealthReason("camera_node", "camera", HealthLevel.ERROR, "gone", 5, "Look.")
    view = HealthView(HealthLevel.ERROR, (reason,))
    hub.heard_whole(view)
    hub.heard_whole(view)
    assert [line.text for line in hub.lines() if line.bad] == ["camera_node: camera: gone. Look."]
    assert alarm_of(hub.whole()) == "camera_node: camera: gone. Look."
    clock.advance(6.0)
    assert hub.whole() == HealthView(HealthLevel.STALE, (reason,))
    warns = HealthReason("camera_node", "camera", HealthLevel.WARN, "slow", 5, "Look.")
    assert alarm_of(HealthView(HealthLevel.WARN, (warns,))) == ""
    own = HealthReason("session_node", "alarm", HealthLevel.ERROR, "held", 5, "Decide.")
    assert alarm_of(HealthView(HealthLevel.ERROR, (own,))) == ""

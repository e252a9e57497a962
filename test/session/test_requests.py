# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
import pytest
from test_machine import ARM, machine, run_episode, running

from roboreward_ros.clock import FakeClock
from roboreward_ros.errors import ConfigError, SessionError
from roboreward_ros.session import events as ev
from roboreward_ros.session.account import Account
from roboreward_ros.session.director import Director
from roboreward_ros.session.events import VERBS, Phase
from roboreward_ros.session.memory import load_memory
from roboreward_ros.session.plan import PlanConfig
from roboreward_ros.session.requests import require_current, verb_of
from roboreward_ros.types import VerbRequest


class Quiet:
    """Surroundings and driver that only remember what they were asked."""

    def __init__(self):
        self.done = []

    def write_label(self, episode_id, key, operator):
        self.done.append((episode_id, key, operator))
        return episode_id, 7

    def later(self, delay_s, job):
        pass

    def __getattr__(self, name):
        return lambda *a: self.done.append((name, *a))


@pytest.fixture
def desk(tmp_path):
    def make(m):
        around = Quiet()
        director = Director(m, Account(FakeClock()), tmp_path, around)
        director.driver = around
        return director

    return make


@pytest.mark.parametrize("name", [n for n in VERBS if n != "run_one"])
def test_every_verb_of_the_machine_can_be_asked_for(name):
    text = {"label": "s", "task": "open it"}.get(name, "")
    assert isinstance(verb_of(VerbRequest(name, text)), VERBS[name])


@pytest.mark.parametrize("name", ["run_one", "", "Start", "__class__"])
def test_anything_else_is_no_verb(name):
    with pytest.raises(SessionError, match="no such verb"):
        verb_of(VerbRequest(name))


@pytest.mark.parametrize(
    ("field", "value"),
    [("text", "x" * 301), ("text", "a\nb"), ("operator", "o" * 65), ("episode_id", "\x00")],
)
def test_long_or_unprintable_texts_are_refused(field, value):
    with pytest.raises(ConfigError, match=field):
        VerbRequest("task", **{field: value})


def test_the_reset_of_another_episode_is_not_confirmed_by_a_late_key(desk):
    m = machine(ARM)
    director = desk(m)
    director.ask(VerbRequest("start"))
    late = VerbRequest("confirm_reset", episode_id="ep_000000", phase="WAIT_RESET")
    director.ask(late)
    run_episode(m, "ep_000000")
    assert m.phase is Phase.WAIT_RESET
    with pytest.raises(SessionError, match="too late"):
        director.ask(late)
    assert m.phase is Phase.WAIT_RESET


def test_a_verdict_on_one_episode_never_ends_the_next(desk):
    m = running(ARM)
    director = desk(m)
    m.handle(ev.Committed("ep_000000"))
    m.handle(ev.ConfirmReset())
    m.handle(ev.ResetDone("ep_000001"))
    m.handle(ev.Begun("ep_000001"))
    answer = director.ask(VerbRequest("label", "s", "ep_000000", "RUNNING", "ada"))
    assert (m.phase, m.verdict, answer.seq) == (Phase.RUNNING, None, 7)


@pytest.mark.parametrize(
    ("seen", "now", "late"),
    [
        ("RUNNING", Phase.RUNNING, False),
        ("RUNNING", Phase.SCORING, False),  # wanted a stop: gets one
        ("RUNNING", Phase.PAUSED, True),  # somebody else held already: must not go on
        ("PAUSED", Phase.PAUSED, False),
        ("PAUSED", Phase.RUNNING, True),  # goes on already: must not stop
    ],
)
def test_a_hold_does_only_what_the_screen_promised(seen, now, late):
    request = VerbRequest("hold", phase=seen)
    if late:
        with pytest.raises(SessionError, match="too late"):
            require_current(request, now, "")
    else:
        require_current(request, now, "")


@pytest.mark.parametrize("verb", ["stop", "quit", "undo"])
def test_what_moves_nothing_is_never_too_late(verb):
    require_current(VerbRequest(verb, phase="READY"), Phase.RUNNING, "ep_000003")


def test_a_crash_keeps_the_wish_to_wait_and_an_orderly_end_does_not(desk, tmp_path):
    director = desk(machine())
    director.ask(VerbRequest("start"))
    assert not load_memory(tmp_path).waits
    director.ask(VerbRequest("stop"))
    director.machine.handle(ev.Aborted("ep_000000"))
    director.feed(ev.Peers(frozenset()))
    assert load_memory(tmp_path).waits  # as the process would find it after kill -9
    director.abandon()
    assert not load_memory(tmp_path).waits


def test_tasks_take_turns_by_index_until_the_operator_says_otherwise():
    plan = PlanConfig("a", more_tasks=("b", "c"), rotate_every=2)
    assert [plan.episode(k).task for k in range(7)] == ["a", "a", "b", "b", "c", "c", "a"]
    m = machine(more_tasks=("b",))
    m.handle(ev.Start())
    run_episode(m, "ep_000000")
    m.handle(ev.SetTask("mine"))
    m.handle(ev.Scored("ep_000000"))
    (second,) = m.handle(ev.LearnerProgress(1))
    assert second.episode.task == "mine"
    m.handle(ev.SetTask(""))
    assert m.task == ""
    with pytest.raises(SessionError, match="empty"):
        machine().handle(ev.SetTask(" "))


def test_a_rotation_with_an_empty_sentence_is_refused():
    with pytest.raises(ConfigError, match="rotation"):
        PlanConfig("a", more_tasks=(" ",))


def test_an_alarm_of_the_learner_is_in_the_view(tmp_path):
    director = Director(machine(), Account(FakeClock()), tmp_path, Quiet())
    director.driver = Quiet()
    director.notice = "weights are held back"
    assert director.view().notice == "weights are held back"

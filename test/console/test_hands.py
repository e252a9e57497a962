# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What keys, gamepads and pedals mean: the shipped map, maps that are wrong, a pad at the robot."""

import json
import threading

import numpy as np
import pytest

from roboreward_ros.clock import FakeClock
from roboreward_ros.console.hands import HandMap, PadMap, load_hands
from roboreward_ros.console.hub import Hub, SeatClient
from roboreward_ros.console.terminal import PULSE_S, Keyboard, keys_in
from roboreward_ros.errors import ConfigError, SessionError
from roboreward_ros.ros.joy_pad import JoyPad
from roboreward_ros.types import RunFacts, SessionView, VerbAnswer, VerbRequest

ALLOWED = ("label", "hold", "discard", "take_over", "give_back")


def view(phase):
    return SessionView(phase, "", ALLOWED, "t", "ep_000003", 1, 0, 0, 0, 0)


class Session:
    def __init__(self, phase):
        self.phase, self.sent, self.pressed = phase, [], threading.Event()

    def view(self):
        return view(self.phase)

    def send(self, request):
        self.sent.append((request.verb, request.text, request.episode_id))
        self.pressed.set()
        return VerbAnswer("ok")


class Arm:
    def __init__(self):
        self.velocities, self.openings = [], []

    def move(self, velocity):
        self.velocities.append(velocity)

    def grip(self, opening):
        self.openings.append(opening)


class Watch:
    def facts(self):
        return RunFacts()

    def audits(self, episode_ids):
        return ()


class Node:
    def create_subscription(self, *_):
        pass


def test_the_shipped_map_moves_every_axis_both_ways_and_the_gripper():
    hands = load_hands("default")
    moves = set(hands.keys.values())
    axes = ("x", "y", "z", "roll", "pitch", "yaw")
    assert moves == {f"{a}{s}" for a in axes for s in "+-"} | {"open", "close"}
    assert {"s", "f", "space", "m"} <= set(hands.pad.buttons.values())
    assert {"s", "f", "space", "m"} <= set(hands.joy.buttons.values())


def test_deflections_become_velocities():
    hands = HandMap(speed=0.1, turn=0.5)
    velocity = hands.velocity({"x+": 1.0, "y-": 0.5, "yaw+": 1.0, "open": 1.0})
    assert velocity == pytest.approx([0.1, -0.05, 0, 0, 0, 0.5])
    assert hands.velocity({"z+": 1.0, "z-": 1.0}) == pytest.approx(np.zeros(6))
    assert hands.beyond_rest(0.1) == 0.0
    assert hands.beyond_rest(-1.0) == -1.0


@pytest.mark.parametrize(
    "wrong",
    [
        {"keys": {"w": "forward"}},
        {"keys": {"s": "x+"}},  # success
        {"keys": {"W": "x+"}},
        {"aliases": {"b": "q"}},  # no pedal ends the session
        {"pad": PadMap({0: "open"})},
        {"joy": PadMap({}, {0: "t"})},
        {"speed": 3.0},
        {"dead_zone": 1.0},
    ],
)
def test_a_map_that_cannot_be_meant_is_refused(wrong):
    with pytest.raises(ConfigError, match="hand map"):
        HandMap(**wrong)


@pytest.mark.parametrize("text", ["speed: [", "speed: fast", "wings: 2", "pad: {axes: {a: x+}}"])
def test_a_file_that_is_no_map_is_refused(tmp_path, text):
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(ConfigError, match="hand map"):
        load_hands(str(tmp_path / "mine.yaml"))
    with pytest.raises(ConfigError, match="default"):
        load_hands("none_of_that_name")


def test_the_page_gets_the_map_as_text_that_ends_no_script():
    text = HandMap(aliases={"</script>": "s"}).for_page()
    assert "<" not in text
    assert json.loads(text)["aliases"] == {"</script>": "s"}


def test_terminals_send_arrows_in_three_characters():
    assert keys_in("\x1b[As\x1bOD\r") == ["arrowup", "s", "arrowleft", "\r"]
    assert keys_in("\x1b") == ["\x1b"]


def test_a_key_in_a_terminal_moves_the_arm_for_a_moment():
    clock, arm = FakeClock(), Arm()
    keyboard = Keyboard(Session("TAKEOVER"), clock, "ada", arm, load_hands("default"))
    keyboard.press("arrowup", view("TAKEOVER"))
    keyboard.press("p", view("TAKEOVER"))
    keyboard.beat(view("TAKEOVER"))
    assert arm.velocities[-1] == pytest.approx([0.1, 0, 0, 0, 0, 0])
    assert arm.openings == [0.0]
    clock.advance(PULSE_S + 0.01)
    keyboard.beat(view("TAKEOVER"))
    assert arm.velocities[-1] == pytest.approx(np.zeros(6))
    keyboard.beat(view("TAKEOVER"))
    assert len(arm.velocities) == 2  # rest is said once


def test_movement_keys_are_nothing_while_the_policy_acts():
    session, arm = Session("RUNNING"), Arm()
    keyboard = Keyboard(session, FakeClock(), "ada", arm, load_hands("default"))
    for key in ("arrowup", "e", "o"):
        keyboard.press(key, view("RUNNING"))
    keyboard.beat(view("RUNNING"))
    assert (session.sent, arm.velocities, arm.openings) == ([], [], [])


@pytest.mark.parametrize(("phase", "verb"), [("RUNNING", "take_over"), ("TAKEOVER", "give_back")])
def test_m_takes_the_arm_and_gives_it_back(phase, verb):
    session = Session(phase)
    Keyboard(session, FakeClock()).press("m", view(phase))
    assert session.sent == [(verb, "", "ep_000003")]


def test_a_pedal_types_a_key_that_stands_for_another():
    session = Session("RUNNING")
    keyboard = Keyboard(session, FakeClock(), hands=HandMap(aliases={"b": "s"}))
    keyboard.press("b", view("RUNNING"))
    assert session.sent == [("label", "s", "ep_000003")]


def test_only_who_has_the_seat_moves_the_arm():
    session, arm = Session("TAKEOVER"), Arm()
    hub = Hub(session, Watch(), None, FakeClock(), hand=arm)
    hub.move("a", np.ones(6), None)
    assert arm.velocities == []
    hub.seat.take("a", "ada")
    hub.move("a", np.ones(6), 0.0)
    hub.move("b", np.ones(6), 1.0)
    assert (len(arm.velocities), arm.openings) == (1, [0.0])
    session.phase = "RUNNING"
    hub.move("a", np.ones(6), 0.0)
    assert len(arm.velocities) == 1


@pytest.fixture
def pad():
    made = []

    def build(phase):
        session, arm = Session(phase), Arm()
        hub = Hub(session, Watch(), None, FakeClock(), hand=arm)
        seat = SeatClient(hub, "gamepad")
        hands = load_hands("default")
        keyboard = Keyboard(seat, FakeClock(), hands=hands)
        made.append(JoyPad(Node(), hands, keyboard.press, seat.view, seat.move, seat.grip))
        return made[-1], session, arm, hub

    yield build
    for one in made:
        one.close(60.0)
        assert not one._thread.is_alive()


def test_a_pads_buttons_are_keys_once_for_each_press(pad):
    joy, session, _, hub = pad("RUNNING")
    for held in ([0, 0, 0, 1], [0, 0, 0, 1], [0, 0, 0, 0]):
        joy.feed([0.0] * 6, held)
    assert session.pressed.wait(60.0)
    joy.close(60.0)
    assert session.sent == [("label", "s", "ep_000003")]
    assert hub.seat.holder() == ("gamepad", "gamepad")


def test_a_pads_sticks_move_the_arm_when_it_has_the_seat(pad):
    joy, _, arm, hub = pad("TAKEOVER")
    joy.feed([0.0, 1.0, 0.0, 0.0, 0.05, 0.0], [0] * 8)
    assert arm.velocities == []
    hub.seat.take("gamepad", "gamepad")
    joy.feed([-1.0, 0.0, 0.0, 0.0, 0.05, 0.0], [0, 0, 0, 0, 0, 1])
    assert arm.velocities[-1] == pytest.approx([0, -0.1, 0, 0, 0, 0])
    assert arm.openings == [0.0]
    joy.feed([0.0] * 6, [0] * 8)
    joy.feed([0.0] * 6, [0] * 8)
    assert len(arm.velocities) == 2


def test_a_pad_that_somebody_else_locks_out_is_heard_of_in_the_log(pad):
    joy, session, _, hub = pad("RUNNING")
    hub.seat.take("a", "ada")
    with pytest.raises(SessionError):
        hub.press("gamepad", "gamepad", VerbRequest("label", "s", "ep_000003", "RUNNING"))
    joy.feed([], [0, 0, 0, 1])
    joy.close(60.0)
    assert session.sent == []
    assert any("ada has the controls" in line.text for line in hub.lines())

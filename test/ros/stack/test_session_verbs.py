# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What consoles ask of the session, over real services; the arm and the policy are fakes."""

import pytest
from roboreward_ros.srv import Verb
from session_stack import Stack

from roboreward_ros.episodes.ledger import OPERATOR, Ledger
from roboreward_ros.session.memory import SessionMemory, load_memory, save_memory

pytestmark = pytest.mark.ros


@pytest.fixture
def stack(ros, tmp_path):
    return Stack(ros, tmp_path)


def test_a_console_holds_and_goes_on_and_a_late_key_does_neither(ros, stack):
    stack.arm.mute_at = 3
    stack.up().start(episodes=1)
    stack.until("RUNNING")
    assert stack.call("verb", Verb.Request(verb="hold", phase="RUNNING")).error_code == 0
    stack.until("PAUSED")
    late = stack.call("verb", Verb.Request(verb="hold", phase="RUNNING"))
    assert late.error_code == Verb.Response.NOT_NOW
    assert "moved on" in late.error_msg
    assert load_memory(stack.path).waits
    stack.arm.mute_at = -1
    assert stack.call("verb", Verb.Request(verb="hold", phase="PAUSED")).error_code == 0
    ros.spin_until(lambda: stack.ids, "the episode")
    ros.spin_until(lambda: not load_memory(stack.path).waits, "nobody waits")


def test_a_console_labels_the_episode_on_its_screen_and_takes_that_label_back(ros, stack):
    stack.arm.mute_at = 3
    stack.up().start(episodes=2)
    stack.until("RUNNING")
    words = {"verb": "label", "episode_id": "ep_000000", "phase": "RUNNING"}
    first = stack.call("verb", Verb.Request(**words, text="s", operator_name="ada"))
    assert (first.error_code, first.seq) == (0, 0), first.error_msg
    ros.spin_until(lambda: stack.ids, "the first")
    ros.spin_until(lambda: stack.state.episode_id == "ep_000001", "the second")
    stack.until("RUNNING")
    assert stack.state.last_episode_id == "ep_000000"
    # The same key again, from a page that has not caught up: about the first, ends nothing.
    again = stack.call("verb", Verb.Request(**words, text="3", operator_name="ada"))
    assert (again.error_code, again.seq) == (0, 1), again.error_msg
    assert stack.state.phase == "RUNNING"
    undo = Verb.Request(verb="undo", episode_id="ep_000000", operator_name="ada")
    assert stack.call("verb", undo).seq == 2
    texts = [r.retracts for r in Ledger(stack.path, "r", OPERATOR).records()]
    assert texts == [-1, -1, 1]


def test_words_that_make_no_sense_are_refused_by_kind(ros, stack):
    stack.up().start(auto_start=False)
    stack.until("IDLE")
    codes = Verb.Response
    for words, code in (
        ({"verb": "dance"}, codes.NOT_NOW),
        ({"verb": "hold"}, codes.NOT_NOW),
        ({"verb": "label", "text": "x"}, codes.BAD_KEY),
        ({"verb": "label", "text": "s", "episode_id": "ep_000009"}, codes.NO_EPISODE),
        ({"verb": "task", "text": "x" * 301}, codes.BAD_KEY),
    ):
        answer = stack.call("verb", Verb.Request(**words))
        assert (answer.error_code, bool(answer.error_msg)) == (code, True), words


def test_a_session_that_died_while_it_was_held_waits_for_a_person(ros, stack):
    save_memory(stack.path, SessionMemory("t", waits=True))
    stack.up().start(episodes=1)
    ros.spin_until(lambda: "press Enter" in stack.state.message, "all nodes")
    assert (stack.state.phase, stack.arm.seeds) == ("IDLE", [])
    assert stack.call("start").success
    ros.spin_until(lambda: stack.ids, "the episode")


def test_quit_leaves_with_zero(ros, stack):
    stack.arm.mute_at = 3
    stack.up().start()
    stack.until("RUNNING")
    assert stack.call("quit").success
    ros.spin_until(lambda: stack.session.stop, "leaving")
    assert (stack.session.stop.code, stack.ids) == (0, [])

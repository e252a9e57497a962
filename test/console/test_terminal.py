# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The terminal console: keys become requests about what was on the screen."""

import io
import os
import pty
import select
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from roboreward_ros.cli.console import console_process
from roboreward_ros.clock import FakeClock
from roboreward_ros.console.terminal import CONFIRM_S, Keyboard, picture
from roboreward_ros.errors import SessionError, StackError
from roboreward_ros.types import IdleAccount, SessionView, VerbAnswer

ALL = ("start", "label", "undo", "discard", "hold", "task", "stop", "quit")


def view(phase, episode_id="", last="ep_000004", asked=(), allowed=ALL, **more):
    return SessionView(
        phase, "what to do", allowed, "open the drawer", episode_id, 3, 5, 4, 1, 0,
        IdleAccount(motion_s=30, operator_s=10), last_episode_id=last, asked=asked, **more,
    )  # fmt: skip


class Client:
    def __init__(self):
        self.sent = []

    def send(self, request):
        if request.text == "no":
            raise SessionError("refused by the session")
        self.sent.append(request)
        return VerbAnswer("done")


@pytest.fixture
def keyboard():
    return Keyboard(Client(), FakeClock(), "ada")


def sent(keyboard):
    return [(r.verb, r.text, r.episode_id, r.phase) for r in keyboard._client.sent]


@pytest.mark.parametrize(
    ("key", "state", "request_"),
    [
        ("\n", view("IDLE"), ("start", "", "", "IDLE")),
        ("\r", view("PAUSED"), ("start", "", "", "PAUSED")),
        (
            "\n",
            view("WAIT_RESET", "ep_000005"),
            ("confirm_reset", "", "ep_000005", "WAIT_RESET"),
        ),
        ("s", view("RUNNING", "ep_000005"), ("label", "s", "ep_000005", "RUNNING")),
        ("f", view("SCORING"), ("label", "f", "ep_000004", "SCORING")),
        ("3", view("ASK", asked=("ep_000002",)), ("label", "3", "ep_000002", "ASK")),
        (" ", view("RUNNING", "ep_000005"), ("hold", "", "", "RUNNING")),
        ("u", view("IDLE"), ("undo", "", "", "IDLE")),
        ("r", view("RUNNING", "ep_000005"), ("discard", "", "ep_000005", "RUNNING")),
    ],
)
def test_a_key_is_about_what_stood_on_the_screen(keyboard, key, state, request_):
    keyboard.press(key, state)
    assert sent(keyboard) == [request_]
    assert keyboard._client.sent[0].operator == "ada"


@pytest.mark.parametrize(("key", "verb"), [("q", "quit"), ("r", "discard")])
def test_what_cannot_be_taken_back_wants_a_second_press_in_time(keyboard, key, verb):
    keyboard.press(key, view("IDLE"))
    assert sent(keyboard) == []
    keyboard._clock.advance(CONFIRM_S + 0.1)
    keyboard.press(key, view("IDLE"))
    assert sent(keyboard) == []
    keyboard.press(key, view("IDLE"))
    assert [verb] == [r.verb for r in keyboard._client.sent]


def test_the_task_is_typed_and_can_be_left(keyboard):
    state = view("IDLE")
    for character in ("t", *"\x7f" * 6, *"lid s", "\n"):
        keyboard.press(character, state)
    assert sent(keyboard) == [("task", "open the lid s", "", "IDLE")]
    for character in ("t", *"xyz", "\x1b"):
        keyboard.press(character, state)
    assert (len(sent(keyboard)), keyboard.typing) == (1, None)
    for character in ("t", *"z" * 400, "\n"):
        keyboard.press(character, state)
    assert (len(sent(keyboard)), "300" in keyboard.notes[-1]) == (1, True)


def test_unknown_keys_do_nothing_and_x_leaves(keyboard):
    for key in "zö\x00\t9":
        keyboard.press(key, view("RUNNING", "ep_000005"))
    assert (sent(keyboard), keyboard.left) == ([], False)
    keyboard.press("x", view("RUNNING", "ep_000005"))
    assert keyboard.left
    assert sent(keyboard) == []


def test_a_refusal_is_shown(keyboard):
    keyboard.press("t", view("IDLE"))
    keyboard.typing = "no"
    keyboard.press("\n", view("IDLE"))
    assert keyboard.notes[-1] == "refused by the session"


def test_the_screen_says_phase_task_missing_nodes_and_valid_keys(keyboard):
    state = view("IDLE", allowed=("start", "task"), missing=("policy_node",))
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(picture(state, keyboard))
    text = console.export_text()
    for part in ("IDLE", "what to do", "open the drawer", "policy_node", "motion 75 %", "change"):
        assert part in text
    assert "success" not in text


def test_the_command_joins_the_namespace_of_a_run(tmp_path):
    command, _ = console_process(None, "/arm1/", "ada")
    assert "__ns:=/arm1" in command
    assert "operator:=ada" in command
    with pytest.raises(StackError, match="no run"):
        console_process(tmp_path, "", "ada")


SCRIPT = """
import sys
from roboreward_ros.clock import SystemClock
from roboreward_ros.console.terminal import Keyboard, run_terminal
from roboreward_ros.types import SessionView, VerbAnswer

class Client:
    def view(self):
        return SessionView("RUNNING", "m", ("label",), "t", "ep_000001", 0, 0, 0, 0, 0)
    def send(self, request):
        with open(sys.argv[1], "a") as file:
            file.write(f"SENT {request.verb} {request.text} {request.episode_id}\\n")
        return VerbAnswer("ok")

client = Client()
run_terminal(client, Keyboard(client, SystemClock(), "ada"), lambda: False)
"""


def test_in_a_real_terminal_keys_arrive_and_the_terminal_is_put_back(tmp_path: Path):
    import termios

    master, slave = pty.openpty()
    before = termios.tcgetattr(slave)
    asked = tmp_path / "asked"
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(asked)],
        stdin=slave, stdout=slave, env={**os.environ, "TERM": "xterm"},
    )  # fmt: skip
    shown = b""
    while b"RUNNING" not in shown:
        shown += os.read(master, 65536)
    os.write(master, b"s")
    while b"label: ok" not in shown:
        shown += os.read(master, 65536)
    os.write(master, b"x")
    # A pseudo-terminal that nobody reads blocks its writer.
    while process.poll() is None:
        if select.select([master], [], [], 0.05)[0]:
            os.read(master, 65536)
    assert process.returncode == 0
    assert asked.read_text() == "SENT label s ep_000001\n"
    assert termios.tcgetattr(slave) == before
    os.close(master)
    os.close(slave)

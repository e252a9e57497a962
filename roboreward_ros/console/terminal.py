# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The console of a machine without a screen: the same verbs, one key each, in a terminal."""

from __future__ import annotations

import os
import re
import select
import sys
import termios
import tty
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.text import Text

from roboreward_ros.clock import Clock
from roboreward_ros.console.hands import GRIPPER, Hand, HandMap
from roboreward_ros.errors import ConfigError, RoboRewardError
from roboreward_ros.protocols import SessionClient
from roboreward_ros.session.events import KEYS, LABELS, Phase
from roboreward_ros.types import SessionView, VerbRequest

LEAVE = "x"
CONFIRM_S = 3.0
POLL_S = 0.1
PULSE_S = 0.35
"""How long a key moves the arm: a terminal hears presses and repeats, never a release."""
MOTION = (Phase.RUNNING, Phase.TAKEOVER, Phase.READY)
NAMES = {"\r": "enter", "\n": "enter", " ": "space"}
ARROWS = {"A": "arrowup", "B": "arrowdown", "C": "arrowright", "D": "arrowleft"}
TOKEN = re.compile(r"\x1b[\[O]([A-D])|(.)", re.DOTALL)
ESCAPE, BACKSPACE = "\x1b", ("\x7f", "\b")
BAR = 40
COLOURS = {
    "motion": "blue",
    "reset": "cyan",
    "reward": "magenta",
    "learner": "yellow",
    "operator": "white",
    "fault": "red",
}


class Keyboard:
    """Turns keys into requests about what is on the screen; knows no terminal.

    Args:
        client: of the session.
        clock: how long a second press confirms.
        operator: name in the labels.
        hand: moves the arm; None where nobody can take it over from here.
        hands: what keys mean while a person moves the arm.

    Attributes:
        left: the person closed the console; the session goes on.
        typing: the task that is being typed; None when no task is.
        notes: the last answers, oldest first.
    """

    def __init__(
        self,
        client: SessionClient,
        clock: Clock,
        operator: str = "",
        hand: Hand | None = None,
        hands: HandMap | None = None,
    ) -> None:
        self._client = client
        self._clock = clock
        self._operator = operator
        self._hand = hand
        self._hands = hands or HandMap()
        self._pulses: dict[str, int] = {}
        self._armed = ("", 0)
        self.left = False
        self.typing: str | None = None
        self.notes: deque[str] = deque(maxlen=6)

    def press(self, character: str, view: SessionView) -> None:
        """One key, and the state that was on the screen when it came."""
        if self.typing is not None:
            self._type(character, view)
            return
        key = NAMES.get(character, character.lower())
        if view.phase == Phase.TAKEOVER and key in self._hands.keys:
            until_ns = self._clock.steady_ns() + round(PULSE_S * 1e9)
            self._pulses[self._hands.keys[key]] = until_ns
            return
        key = self._hands.aliases.get(key, key)
        if key == LEAVE:
            self.left = True
        elif key == "t":
            self.typing = view.task
        elif key in KEYS or key in LABELS:
            request = self._request(key, view)
            if self._confirmed(request, view):
                self._send(request)

    @property
    def motions(self) -> Mapping[str, str]:
        """Key -> motion while a person moves the arm."""
        return self._hands.keys

    def beat(self, view: SessionView) -> None:
        """Say where the arm is to move, and once that it is to rest; several times a second."""
        now_ns, moved = self._clock.steady_ns(), bool(self._pulses)
        self._pulses = {name: end for name, end in self._pulses.items() if end > now_ns}
        if self._hand is None or view.phase != Phase.TAKEOVER:
            return
        if moved:
            self._hand.move(self._hands.velocity(dict.fromkeys(self._pulses, 1.0)))
        for name, opening in GRIPPER.items():
            if name in self._pulses:
                self._hand.grip(opening)

    def _request(self, key: str, view: SessionView) -> VerbRequest:
        running = view.phase in MOTION
        asked = view.asked[0] if view.asked else ""
        about = view.episode_id if running else asked or view.last_episode_id
        if key in LABELS:
            verb, text, episode = "label", key, about
        elif key == "enter":
            waits = view.phase == Phase.WAIT_RESET
            verb, text, episode = ("confirm_reset" if waits else "start"), "", view.episode_id
        elif key == "m":
            taken = view.phase == Phase.TAKEOVER
            verb, text, episode = ("give_back" if taken else "take_over"), "", view.episode_id
        else:
            verb, text, episode = KEYS[key][0], "", about if key == "r" else ""
        return VerbRequest(verb, text, episode, view.phase, self._operator)

    def _confirmed(self, request: VerbRequest, view: SessionView) -> bool:
        """What cannot be taken back wants a second press."""
        redo = request.verb == "discard" and view.phase in MOTION
        if request.verb not in ("discard", "quit") or redo:
            return True
        what, now_ns = f"{request.verb} {request.episode_id}".strip(), self._clock.steady_ns()
        armed, until_ns = self._armed
        if armed == what and now_ns < until_ns:
            self._armed = ("", 0)
            return True
        self._armed = (what, now_ns + round(CONFIRM_S * 1e9))
        self.notes.append(f"press again: {what}")
        return False

    def _type(self, character: str, view: SessionView) -> None:
        assert self.typing is not None
        if character == ESCAPE:
            self.typing = None
        elif character in ("\r", "\n"):
            text, self.typing = self.typing.strip(), None
            try:
                self._send(VerbRequest("task", text, "", view.phase, self._operator))
            except ConfigError as error:
                self.notes.append(str(error))
        elif character in BACKSPACE:
            self.typing = self.typing[:-1]
        elif character.isprintable():
            self.typing += character

    def _send(self, request: VerbRequest) -> None:
        try:
            self.notes.append(f"{request.verb}: {self._client.send(request).message}")
        except RoboRewardError as error:
            self.notes.append(str(error))


def picture(view: SessionView, keyboard: Keyboard) -> Group:
    """The whole screen."""
    ask = view.phase in (Phase.WAIT_RESET, Phase.ASK, Phase.PAUSED)
    colour = "red" if view.phase in (Phase.FAULT, "GONE") else "yellow" if ask else "green"
    head = Text.assemble(
        (f" {view.phase} ", f"bold reverse {colour}"),
        f"  episode {view.index}" + (" (canary)" if view.canary else ""),
        f"  step {view.step}/{view.max_steps}" if view.phase in MOTION else "",
        f"  {view.committed} saved, {view.labelled} labelled, {view.abstained} abstained",
        f"  policy {view.policy_version}",
    )
    last = "none" if view.last_reward is None else f"{view.last_reward:g}"
    lines: list[Text | Panel] = [
        head,
        Text(view.message, style="bold"),
        Text(f"task: {view.task}"),
        Text(f"reward: {view.reward_source or 'none'}, last {last}"),
        *(Text(f"  not there: {name}", style="red") for name in view.missing),
        _account(view),
        Text(""),
        _keys(view),
        _motions(view, keyboard),
        *(Text(note, style="dim") for note in keyboard.notes),
    ]
    if keyboard.typing is not None:
        lines.append(Panel(Text(keyboard.typing + "▏"), title="task (Enter sets, Esc leaves)"))
    return Group(*lines)


def _account(view: SessionView) -> Text:
    total = max(view.idle.total_s(), 1e-9)
    bar, words = Text(), Text()
    for name, colour in COLOURS.items():
        share = float(getattr(view.idle, f"{name}_s")) / total
        bar.append("█" * round(BAR * share), style=colour)
        words.append(f" {name} {100 * share:.0f} %", style=colour)
    return bar + words


def _keys(view: SessionView) -> Text:
    shown = Text()
    for key, (verb, meaning) in KEYS.items():
        start = verb == "start" and "confirm_reset" in view.allowed
        back = verb == "take_over" and "give_back" in view.allowed
        if verb in view.allowed or start or back:
            shown.append(f" {key} ", style="reverse")
            shown.append(f" {meaning}\n")
    shown.append(f" {LEAVE} ", style="reverse")
    shown.append(" close this console; the session goes on")
    return shown


def _motions(view: SessionView, keyboard: Keyboard) -> Text:
    if view.phase != Phase.TAKEOVER:
        return Text("")
    return Text("move: " + "  ".join(f"{key} {way}" for key, way in keyboard.motions.items()))


def keys_in(text: str) -> list[str]:
    """The keys that a terminal's characters stand for: arrows by name, others as they are."""
    return [ARROWS[m[1]] if m[1] else m[2] for m in TOKEN.finditer(text)]


@contextmanager
def raw_keys(descriptor: int) -> Iterator[None]:
    """Characters as they are typed, without echo; the terminal is put back whatever happens."""
    before = termios.tcgetattr(descriptor)
    try:
        tty.setcbreak(descriptor)
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def run_terminal(client: SessionClient, keyboard: Keyboard, stop: Callable[[], bool]) -> None:
    """Serve a person until they leave or ``stop`` says so; blocks.

    Raises:
        ConfigError: there is no terminal.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise ConfigError(
            "the terminal console needs a terminal", next_step="Run it in a shell, or over ssh -t."
        )
    descriptor = sys.stdin.fileno()
    with (
        raw_keys(descriptor),
        Live(console=Console(), screen=True, auto_refresh=False) as live,
    ):
        termios.tcflush(descriptor, termios.TCIFLUSH)  # keys from before are about nothing
        while not keyboard.left and not stop():
            view = client.view()
            keyboard.beat(view)
            live.update(picture(view, keyboard), refresh=True)
            ready, _, _ = select.select([descriptor], [], [], POLL_S)
            if ready:
                for key in keys_in(os.read(descriptor, 64).decode(errors="ignore")):
                    keyboard.press(key, view)

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The top line, the keys that are valid now, and what stands in the way of a start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nicegui import ui
from nicegui.element import Element

from roboreward_ros.session.events import KEYS, Phase
from roboreward_ros.session.sentences import remark
from roboreward_ros.types import TEXT_LIMIT, HealthLevel, HealthView, RunFacts, SessionView

if TYPE_CHECKING:
    from roboreward_ros.console.page import Screen

KIND = {
    Phase.RESETTING: "move",
    Phase.READY: "move",
    Phase.RUNNING: "move",
    Phase.TAKEOVER: "hand",
    Phase.WAIT_RESET: "ask",
    Phase.ASK: "ask",
    Phase.PAUSED: "ask",
    Phase.FAULT: "fault",
    Phase.DONE: "done",
    "GONE": "fault",
}
SESSION = "session_node"
MOTION = (Phase.RUNNING, Phase.TAKEOVER, Phase.READY)


def show(element: Element, visible: bool) -> None:
    """Show or hide; nothing is sent where nothing changes."""
    if visible == ("rr-none" in element.classes):
        element.classes(remove="rr-none") if visible else element.classes("rr-none")


def alarm_of(health: HealthView | None) -> str:
    """What is urgent; silence counts, a warning does not, and the session speaks for itself."""
    reasons = health.reasons if health is not None else ()
    urgent = [r for r in reasons if r.level.rank >= HealthLevel.STALE.rank and r.node != SESSION]
    return HealthView(urgent[0].level, tuple(urgent)).headline if urgent else ""


def attribute(element: Element, **values: str) -> None:
    """Set HTML attributes; nothing is sent where nothing changes. ``_`` stands for ``-``."""
    named = {name.rstrip("_").replace("_", "-"): value for name, value in values.items()}
    if any(element.props.get(name) != value for name, value in named.items()):
        element.props.update(named)
        element.update()


class Key:
    """A button that says its key."""

    def __init__(self, text: str, key: str, script: str, look: str = "") -> None:
        self.element = ui.element("button").classes(f"rr-key {look}").props("type=button")
        self.element.on("click", js_handler=f"() => {script}")
        with self.element:
            self.label = ui.label(text).style("display: inline")
            if key:
                with ui.element("kbd").props("aria-hidden=true"):
                    ui.label(key).style("display: inline")

    def show(self, visible: bool, text: str = "") -> None:
        show(self.element, visible)
        if text:
            self.label.set_text(text)


class Controls:
    """See the module's text; made in two places of the page."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        with ui.element("header").classes("rr-top"):
            ui.label(screen.hub.title or "roboreward").classes("rr-title rr-wide")
            self._badge = ui.label("").classes("rr-badge").props("data-testid=phase")
            self._episode = ui.label("").classes("rr-number").props("data-testid=episode")
            self._step = ui.label("").classes("rr-number rr-soft").props("data-testid=step")
            ui.element("div").classes("rr-grow")
            self._seat = ui.label("").classes("rr-soft").props("data-testid=seat")
            self._take = ui.element("button").classes("rr-key rr-small").props("type=button")
            self._take.on("click", self.take)
            with self._take:
                ui.label("Take the controls").style("display: inline")
            self._links = {
                name: ui.link(name, f"/pages/{name}", new_tab=True).classes("rr-none rr-wide")
                for name in screen.hub.pages
            }
            help_button = ui.element("button").classes("rr-key rr-small rr-wide")
            help_button.props('type=button aria-label="Keys"')
            with help_button:
                ui.label("?").style("display: inline")
            dark = ui.dark_mode(value=None)
            toggle = ui.element("button").classes("rr-key rr-small")
            toggle.props('type=button aria-label="Dark or light" data-testid=dark')
            toggle.on("click", lambda: dark.set_value(not dark.value))
            with toggle:
                ui.label("◐").style("display: inline")
        ui.label("Not connected to the console: nothing that you press is sent").classes(
            "rr-lost"
        ).props("role=alert data-testid=lost")
        self._banner = (
            ui.label("").classes("rr-banner rr-none").props("role=alert data-testid=banner")
        )
        self._notice = ui.label("").classes("rr-banner rr-notice rr-none")
        self._notice.props("role=alert data-testid=notice")
        self._alarm = ui.label("").classes("rr-banner rr-notice rr-none")
        self._alarm.props("role=alert data-testid=alarm")
        self._seen = ui.element("div").classes("rr-seen rr-none")
        with ui.dialog() as self.help, ui.card():
            ui.label("Keys").classes("rr-title")
            for key, (_, meaning) in {
                **KEYS,
                "1 … 5": ("", "how far it got: a label"),
                "a": ("", "answer the next open question"),
                "g": ("", "ghost of the last start scene"),
                "c": ("", "take the controls"),
            }.items():
                ui.label(f"{key}   {meaning}")
        help_button.on("click", self.help.open)
        with ui.dialog() as self._task_dialog, ui.card().style("width: min(560px, 92vw)"):
            ui.label("Task of the next episodes").classes("rr-title")
            self._task_input = ui.input().props(f"maxlength={TEXT_LIMIT} autofocus outlined dense")
            self._task_input.classes("rr-task").style("width: 100%")
            self._task_input.on("keydown.enter", self._save_task)
            self._task_input.on_value_change(self._remark)
            self._task_remark = ui.label("").classes("rr-warn").props("data-testid=remark")
            with ui.row():
                ui.button("Set", on_click=self._save_task).props("no-caps data-testid=set-task")
                ui.button("Cancel", on_click=self._task_dialog.close).props("flat no-caps")

    def draw_keys(self) -> None:
        """The card with message, task and keys."""
        press = "window.roboreward.press"
        with ui.element("section").classes("rr-card rr-control"):
            self._message = (
                ui.label("").classes("rr-message").props("data-testid=message aria-live=polite")
            )
            self._task = ui.label("").classes("rr-task rr-soft").props("data-testid=task")
            self._missing = ui.element("ul").classes("rr-list").props("data-testid=missing")
            with ui.element("div").classes("rr-buttons"):
                self._start = Key("Start", "Enter", f"{press}('start')", "rr-go")
                self._confirm = Key(
                    "The scene is ready", "Enter", f"{press}('confirm_reset')", "rr-go"
                )
                self._success = Key("Success", "s", f"{press}('label', 's')", "rr-yes")
                self._failure = Key("Failure", "f", f"{press}('label', 'f')", "rr-no")
                self._hold = Key("Hold", "space", f"{press}('hold')")
                self._take_over = Key("Move the arm yourself", "m", f"{press}('take_over')")
                self._give_back = Key("Give the arm back", "m", f"{press}('give_back')", "rr-go")
                self._discard = Key("Redo", "r", f"{press}('discard')")
                self._undo = Key("Undo", "u", f"{press}('undo')")
                self._edit = Key("Task", "t", "window.roboreward.own('t')")
                self._stop = Key("Stop", "", f"{press}('stop')")
                self._quit = Key("Quit", "q", f"{press}('quit')")
        self._shown_missing: tuple[str, ...] = ("?",)

    def refresh(self, view: SessionView, facts: RunFacts, health: HealthView | None = None) -> None:
        phase, running = view.phase, view.phase in MOTION
        self._badge.set_text(phase.replace("_", " "))
        attribute(self._badge, data_kind=KIND.get(phase, ""))
        kind = " · canary" if view.canary and running else ""
        self._episode.set_text(f"episode {view.index}{kind} · {view.committed} saved")
        self._step.set_text(f"step {view.step}/{view.max_steps}" if running else "")
        self._message.set_text(view.message)
        self._task.set_text(f"“{view.task}”")
        fault = phase in (Phase.FAULT, "GONE")
        show(self._banner, fault)
        if fault:
            self._banner.set_text(view.message)
        for name, link in self._links.items():
            show(link, self._screen.hub.pages[name].is_file())
        show(self._notice, bool(view.notice))
        self._notice.set_text(view.notice)
        alarm = alarm_of(health)
        show(self._alarm, bool(alarm))
        self._alarm.set_text(alarm)
        attribute(
            self._seen,
            data_phase=phase,
            data_episode=view.episode_id,
            data_last=view.last_episode_id,
            data_card=self._card(view),
            data_allowed=" ".join(view.allowed),
            data_mine=str(self._screen.has_seat()).lower(),
        )
        self._keys(view, facts, running)
        self._who()
        self._before_start(view)

    def _card(self, view: SessionView) -> str:
        """The episode that is asked about: the selected card, else the session's own question."""
        return self._screen.card or (view.asked[0] if view.asked else "")

    def _keys(self, view: SessionView, facts: RunFacts, running: bool) -> None:
        can = set(view.allowed)
        about = view.episode_id if running else self._card(view) or view.last_episode_id
        self._start.show("start" in can, "Start" if view.phase == Phase.IDLE else "Go on")
        self._confirm.show("confirm_reset" in can)
        judge = "label" in can and bool(about)
        self._success.show(judge, "Success" if running else f"Success: {about}")
        self._failure.show(judge, "Failure" if running else f"Failure: {about}")
        self._hold.show("hold" in can and view.phase != Phase.PAUSED)
        self._take_over.show("take_over" in can)
        self._give_back.show("give_back" in can)
        self._discard.show("discard" in can and bool(about), "Redo" if running else "Discard")
        last = next((e for e in facts.labels if not e.undone and e.key != "u"), None)
        undo = "" if last is None else f"Undo {last.key} of {last.episode_id}"
        self._undo.show("undo" in can and last is not None, undo)
        self._edit.show("task" in can)
        self._stop.show("stop" in can)
        self._quit.show("quit" in can)

    def _who(self) -> None:
        viewer, name = self._screen.hub.seat.holder()
        mine = self._screen.has_seat()
        self._seat.set_text(
            "You have the controls" if mine else f"{name} has the controls" * bool(viewer)
        )
        show(self._take, bool(viewer) and not mine)

    def _before_start(self, view: SessionView) -> None:
        missing = view.missing if view.phase in (Phase.IDLE, Phase.PAUSED) else ()
        if missing == self._shown_missing:
            return
        self._shown_missing = missing
        self._missing.clear()
        show(self._missing, bool(missing))
        with self._missing:
            ui.label("Before you can start:" if missing else "").classes("rr-soft")
            for name in missing:
                ui.label(f"✗ {name} is not there").classes("rr-bad")

    def take(self) -> None:
        """Take the seat."""
        screen = self._screen
        screen.hub.seat.take(screen.viewer, screen.name or "another viewer")
        screen.hub.log("the controls changed hands")
        screen.refresh()

    def edit_task(self) -> None:
        """Open the editor."""
        self._task_input.value = self._screen.hub.view().task
        self._task_dialog.open()

    def _remark(self) -> None:
        """Whether the words are those of a task that the run knows."""
        hub = self._screen.hub
        known = tuple(dict.fromkeys((*hub.facts().tasks, hub.view().task)))
        self._task_remark.set_text(remark(str(self._task_input.value or ""), known))

    async def _save_task(self) -> None:
        self._task_dialog.close()
        await self._screen.press("task", str(self._task_input.value or "").strip())

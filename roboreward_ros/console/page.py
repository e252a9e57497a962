# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The web page: one ``Screen`` a viewer, drawn from the hub twice a second and after each key."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import FastAPI
from nicegui import app as nicegui_app
from nicegui import run, ui
from nicegui.events import GenericEventArguments

from roboreward_ros.console.camera import Camera
from roboreward_ros.console.controls import Controls
from roboreward_ros.console.handling import Handling
from roboreward_ros.console.hub import Hub
from roboreward_ros.console.panels import (
    Learner,
    Log,
    Queue,
    Rates,
    Rewards,
    Sources,
    Where,
)
from roboreward_ros.errors import ConfigError, RoboRewardError
from roboreward_ros.types import VerbRequest

REFRESH_S = 0.4
TITLE = "roboreward console"


class Screen:
    """What one viewer sees and does.

    Args:
        hub: shared by all viewers.
        viewer: id of this page.
    """

    def __init__(self, hub: Hub, viewer: str) -> None:
        self.hub = hub
        self.viewer = viewer
        self.name = ""
        self.card = ""
        self.controls = Controls(self)
        with ui.element("div").classes("rr-page"):
            with ui.element("div").classes("rr-col"):
                self.camera = Camera(hub)
                self.handling = Handling(self)
                self.controls.draw_keys()
                self.queue = Queue(self)
                self.where = Where()
                self.log = Log()
            with ui.element("div").classes("rr-col"):
                self.rewards = Rewards()
                self.rates = Rates()
                self.sources = Sources(self)
                self.learner = Learner()
        ui.element("div").classes("rr-hint").props("role=status aria-live=polite")

    def refresh(self) -> None:
        """Draw what is new."""
        self.hub.seat.alive(self.viewer)
        view, facts = self.hub.view(), self.hub.facts()
        self.controls.refresh(view, facts, self.hub.whole())
        self.handling.refresh(view)
        self.camera.refresh(view)
        self.queue.refresh(facts.queue)
        self.where.refresh(view)
        self.rewards.refresh(facts)
        self.rates.refresh(facts)
        self.sources.refresh(facts)
        self.learner.refresh(self.hub.learner(), self.hub.health(), self.hub.whole())
        self.log.refresh(facts.labels, self.hub)

    def has_seat(self) -> bool:
        """Whether this viewer acts."""
        return self.hub.seat.holder()[0] == self.viewer

    def tell(self, text: str, *, bad: bool = False) -> None:
        """A line for this viewer."""
        ui.notify(text, type="negative" if bad else "info", position="top", timeout=4000)

    async def press(self, verb: str, text: str = "", episode: str = "", phase: str = "") -> None:
        """Ask the session; its refusal is shown here."""
        try:
            request = VerbRequest(verb, text, episode, phase, self.name)
            await run.io_bound(self.hub.press, self.viewer, self.name or "a viewer", request)
        except RoboRewardError as error:
            self.tell(str(error), bad=True)
        self.refresh()

    async def ask(self, job: Callable[[], str]) -> None:
        """Ask the reward node; needs the seat."""
        try:
            self.hub.seat.require(self.viewer, self.name or "a viewer", stops=False)
            answer = await run.io_bound(job) or ""
            self.hub.log(answer)
            self.tell(answer)
        except RoboRewardError as error:
            self.tell(str(error), bad=True)
        self.refresh()

    async def on_verb(self, event: GenericEventArguments) -> None:
        """A key or button with what stood on the screen; the words of a browser are not trusted."""
        words = self._words(event)
        values = [words.get(name, "") for name in ("verb", "text", "episode", "phase")]
        texts = [value for value in values if isinstance(value, str)]
        if len(texts) != len(values):
            self.tell(str(ConfigError("this is no request")), bad=True)
            return
        await self.press(*texts)

    def on_hand(self, event: GenericEventArguments) -> None:
        """Where the person's keys and sticks are now."""
        self.handling.command(event.args if isinstance(event.args, dict) else {})

    def _words(self, event: GenericEventArguments) -> dict[str, object]:
        """What a press carries; the page hears at once that it came."""
        words = event.args if isinstance(event.args, dict) else {}
        number = words.get("number")
        if isinstance(number, int):
            ui.run_javascript(f"window.roboreward.heard({number:d})")
        return words

    def on_key(self, event: GenericEventArguments) -> None:
        """Keys that only concern the page."""
        match self._words(event).get("key"):
            case "t":
                self.controls.edit_task()
            case "a":
                self.queue.select_next()
            case "g":
                self.camera.toggle_ghost()
            case "c":
                self.controls.take()
            case "?":
                self.controls.help.open()


def add_page(app: FastAPI, hub: Hub) -> None:
    """Put the page at ``/`` of ``app``."""

    @ui.page("/", title=TITLE)
    def page() -> None:
        client = ui.context.client
        ui.add_head_html('<link rel="stylesheet" href="/console/console.css">')
        ui.add_body_html(f"<script>window.roborewardHands = {hub.hands.for_page()}</script>")
        ui.add_body_html('<script src="/console/console.js" defer></script>')
        screen = Screen(hub, client.id)
        ui.on("console_verb", screen.on_verb)
        ui.on("console_key", screen.on_key)
        ui.on("console_hand", screen.on_hand)
        screen.refresh()
        ui.timer(REFRESH_S, screen.refresh)
        client.on_disconnect(lambda: hub.seat.leave(screen.viewer))

    nicegui_app.on_exception(lambda error: hub.log(f"the console failed: {error}", bad=True))
    ui.run_with(
        app,
        title=TITLE,
        dark=None,
        tailwind=False,
        reconnect_timeout=5.0,
        binding_refresh_interval=None,
        show_welcome_message=False,
        gzip_middleware_factory=None,
    )

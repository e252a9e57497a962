# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The page's live pictures."""

from __future__ import annotations

from nicegui import ui

from roboreward_ros.console.controls import attribute, show
from roboreward_ros.console.hub import Hub
from roboreward_ros.console.live import CAMERA
from roboreward_ros.session.events import Phase
from roboreward_ros.types import SessionView


class Camera:
    """The live picture; the last start scene over it while the scene is to be laid out again."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._wish: bool | None = None
        with ui.element("section").classes("rr-card rr-first"):
            with ui.element("div").classes("rr-camera"):
                ui.element("img").props(f'data-camera={CAMERA} alt="live camera"')
                self._ghost = ui.element("img").classes("rr-ghost rr-none").props('alt="ghost"')
                ui.label("no new picture").classes("rr-stale rr-show")
                self._tag = ui.label("").classes("rr-tag rr-none")
            with ui.element("div").classes("rr-row").style("margin-top: 6px"):
                button = ui.element("button").classes("rr-key rr-small").props("type=button")
                button.on("click", self.toggle_ghost)
                with button:
                    self._text = ui.label("Ghost").style("display: inline")
                    with ui.element("kbd"):
                        ui.label("g").style("display: inline")
                ui.label("the last start scene over the live picture").classes("rr-soft")
            for name in hub.more_cameras:
                with ui.element("div").classes("rr-camera").style("margin-top: 8px"):
                    ui.element("img").props(f'data-camera={name} alt="camera {name}"')
                    ui.label("no new picture").classes("rr-stale rr-show")
                    ui.label(name).classes("rr-tag")

    def toggle_ghost(self) -> None:
        """Show it or not, whatever the phase."""
        self._wish = not self._visible(self._hub.view())
        self.refresh(self._hub.view())

    def _visible(self, view: SessionView) -> bool:
        return self._wish if self._wish is not None else view.phase == Phase.WAIT_RESET

    def refresh(self, view: SessionView) -> None:
        on = self._visible(view) and bool(view.last_episode_id)
        show(self._ghost, on)
        show(self._tag, on)
        self._text.set_text("Ghost: on" if on else "Ghost: off")
        if on:
            attribute(self._ghost, src=f"/frames/{view.last_episode_id}/0")
            self._tag.set_text(f"ghost: start of {view.last_episode_id}")

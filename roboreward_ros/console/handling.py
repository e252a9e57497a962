# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The card of a page while somebody moves the arm: buttons that are held, and what the keys do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from nicegui import ui

from roboreward_ros.console.controls import show
from roboreward_ros.console.hands import GRIPPER
from roboreward_ros.errors import RoboRewardError
from roboreward_ros.session.events import Phase
from roboreward_ros.types import FloatArray, SessionView

if TYPE_CHECKING:
    from roboreward_ros.console.page import Screen

ARROWS = {"arrowup": "↑", "arrowdown": "↓", "arrowleft": "←", "arrowright": "→"}
BUTTONS = (
    ("x+", "forward"), ("x-", "back"), ("y+", "left"), ("y-", "right"), ("z+", "up"),
    ("z-", "down"), ("yaw+", "turn left"), ("yaw-", "turn right"), ("open", "open"),
    ("close", "close"),
)  # fmt: skip


class Handling:
    """See the module's text.

    Args:
        screen: of one viewer.
    """

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        keys = {motion: key for key, motion in screen.hub.hands.keys.items()}
        with ui.element("section").classes("rr-card rr-hand rr-none") as self._card:
            self._card.props("data-testid=handling")
            with ui.element("h2"):
                self._title = ui.label("")
            with ui.element("div").classes("rr-buttons") as self._pad:
                for motion, words in BUTTONS:
                    button = ui.element("button").classes("rr-key rr-small")
                    button.props(f"type=button data-motion={motion}")
                    with button:
                        ui.label(words).style("display: inline")
                        if motion in keys:
                            with ui.element("kbd").props("aria-hidden=true"):
                                key = ARROWS.get(keys[motion], keys[motion])
                                ui.label(key).style("display: inline")
            others = [f"{key} {motion}" for key, motion in screen.hub.hands.keys.items()]
            known = {motion for motion, _ in BUTTONS}
            more = [text for text in others if text.split()[-1] not in known]
            ui.label("keys are held down; also " + ", ".join(more)).classes("rr-soft")

    def refresh(self, view: SessionView) -> None:
        """Shown to everybody while a person moves the arm; the buttons to who does."""
        taken = view.phase == Phase.TAKEOVER
        show(self._card, taken)
        if not taken:
            return
        mine = self._screen.has_seat()
        show(self._pad, mine)
        self._title.set_text("You move the arm" if mine else "The operator moves the arm")

    def command(self, words: dict[str, object]) -> None:
        """What the page sends ten times a second; its words are not trusted."""
        pushed, gripper = words.get("push"), words.get("gripper")
        if not isinstance(pushed, dict) or len(pushed) > len(BUTTONS) + 8:
            return
        deflections = {
            str(motion): min(max(float(value), 0.0), 1.0)
            for motion, value in pushed.items()
            if isinstance(value, int | float) and np.isfinite(value)
        }
        velocity: FloatArray = self._screen.hub.hands.velocity(deflections)
        opening = GRIPPER.get(gripper) if isinstance(gripper, str) else None
        try:
            self._screen.hub.move(self._screen.viewer, velocity, opening)
        except RoboRewardError as error:
            self._screen.tell(str(error), bad=True)

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The page's cards: each draws one thing and sends only what changed.

Texts go through labels, which the browser never reads as HTML.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from nicegui import ui

from roboreward_ros.console.chart import reward_chart
from roboreward_ros.console.controls import Key, attribute, show
from roboreward_ros.console.hub import Hub
from roboreward_ros.types import (
    AskCard,
    HealthLevel,
    HealthView,
    LabelEvent,
    LearnerView,
    PartHealth,
    Rate,
    RunFacts,
    SessionView,
    ShadowAgreement,
)

if TYPE_CHECKING:
    from nicegui.element import Element

    from roboreward_ros.console.page import Screen

CAUSES = {
    "motion": "#3b82f6",
    "reset": "#14b8a6",
    "reward": "#a855f7",
    "learner": "#eab308",
    "operator": "#94a3b8",
    "fault": "#ef4444",
}
LEVELS = ("rr-good", "rr-warn", "rr-bad", "rr-bad")
MAX_CARDS = 3


def card(title: str) -> Element:
    """A section with a heading."""
    section = ui.element("section").classes("rr-card")
    with section, ui.element("h2"):
        ui.label(title)
    return section


class Queue:
    """Episodes without a score, as cards with a filmstrip: s, or f and how far it got."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._shown: tuple[AskCard, ...] = ()
        self._marked = ""
        with card("Waiting for your answer") as self._section:
            self._note = ui.label("").classes("rr-soft")
            self._box = ui.element("div").props("data-testid=queue")
        show(self._section, False)

    def refresh(self, cards: tuple[AskCard, ...]) -> None:
        ids = [item.episode_id for item in cards]
        if self._screen.card not in ids:
            self._screen.card = ""
        if cards == self._shown and self._screen.card == self._marked:
            return
        self._shown, self._marked = cards, self._screen.card
        show(self._section, bool(cards))
        more = len(cards) - MAX_CARDS
        drawn = sum(item.audit for item in cards)
        self._note.set_text(
            f"{len(cards) - drawn} without a score, {drawn} drawn for an audit; key a selects the "
            "next" + (f", {more} more after these" if more > 0 else "")
        )
        self._box.clear()
        with self._box:
            for item in cards[:MAX_CARDS]:
                self._draw(item)

    def _draw(self, item: AskCard) -> None:
        on = "true" if item.episode_id == self._screen.card else "false"
        with ui.element("article").classes("rr-ask").props(f"data-on={on}") as article:
            attribute(article, data_audit=str(item.audit).lower())
            ui.label(f"{item.episode_id} · “{item.task}”").classes("rr-task")
            why = "an audit: did it succeed?" if item.audit else f"no score: {item.detail}"
            ui.label(why).classes("rr-soft")
            with ui.element("div").classes("rr-strip"):
                for index in item.frames:
                    picture = ui.element("img").props('loading=lazy alt=""')
                    picture.props.update({"src": f"/frames/{item.episode_id}/{index}"})
                    picture.update()
            with ui.element("div").classes("rr-row"):
                self._answer(item, "Success", "s", "rr-yes")
                if item.needs_level:
                    ui.label("how far did it get?").classes("rr-soft")
                    for level in "1234":
                        self._answer(item, level, level, "")
                else:
                    self._answer(item, "Failure", "f", "rr-no")

    def _answer(self, item: AskCard, text: str, key: str, look: str) -> None:
        # Ids are checked by the store: letters, digits, _ and - only.
        script = f"window.roboreward.press('label', '{key}', '{item.episode_id}')"
        Key(text, key if text != key else "", script, f"rr-small {look}")

    def select_next(self) -> None:
        """Keys are about the next card now, after the last about none."""
        ids = [item.episode_id for item in self._shown[:MAX_CARDS]]
        at = ids.index(self._screen.card) + 1 if self._screen.card in ids else 0
        self._screen.card = ids[at] if at < len(ids) else ""
        self._screen.refresh()


class Where:
    """Where the robot's time went."""

    def __init__(self) -> None:
        self._shown: tuple[int, ...] = ()
        with card("Where the robot's time went"):
            with ui.element("div").classes("rr-bar").props("data-testid=idle"):
                self._parts = {
                    name: ui.element("div").style(f"background: {colour}; width: 0")
                    for name, colour in CAUSES.items()
                }
            with ui.element("div").classes("rr-legend"):
                self._texts = {}
                for name, colour in CAUSES.items():
                    with ui.element("div"):
                        ui.element("span").classes("rr-dot").style(f"background: {colour}")
                        self._texts[name] = ui.label(name).style("display: inline")

    def refresh(self, view: SessionView) -> None:
        seconds = {name: float(getattr(view.idle, f"{name}_s")) for name in CAUSES}
        mark = tuple(round(value) for value in seconds.values())
        if mark == self._shown:
            return
        self._shown, total = mark, max(view.idle.total_s(), 1e-9)
        for name, value in seconds.items():
            share = 100 * value / total
            self._parts[name].style(f"width: {share:.1f}%")
            self._texts[name].set_text(f"{name} {share:.0f} % ({_time(value)})")


class Rewards:
    """Scores over the episodes, a colour for each source."""

    def __init__(self) -> None:
        self._shown: tuple[object, ...] = ()
        with card("Reward by episode (1 to 5)"):
            self._chart = ui.echart(reward_chart(())).classes("rr-chart")
            self._chart.props("data-testid=chart")
            self._note = ui.label("").classes("rr-soft")

    def refresh(self, facts: RunFacts) -> None:
        mark = (len(facts.points), facts.points[-8:], facts.labels[:1], facts.source)
        if mark == self._shown:
            return
        self._shown = mark
        self._chart.options.clear()
        self._chart.options.update(reward_chart(facts.points))
        self._chart.update()
        labelled = sum(point.counts for point in facts.points)
        self._note.set_text(
            f"source in force: {facts.source or 'none'} · {labelled} of {facts.episodes} episodes "
            f"labelled, {facts.discarded} discarded"
        )


class Rates:
    """Success with its interval: all episodes, and steered against base."""

    def __init__(self) -> None:
        self._shown: tuple[Rate, ...] = ()
        self._rows: dict[str, tuple[ui.label, Element, Element]] = {}
        with card("Success as the labels claim it (95 % interval)").props("data-testid=rates"):
            for name in ("all", "steered", "base (canary)"):
                text = ui.label(name)
                with ui.element("div").classes("rr-rate"):
                    band = ui.element("div").style("background: var(--accent); opacity: .35")
                    point = ui.element("div").style("background: var(--accent)")
                self._rows[name] = (text, band, point)

    def refresh(self, facts: RunFacts) -> None:
        rates = (facts.success, facts.steered, facts.base)
        if rates == self._shown:
            return
        self._shown = rates
        for (name, (text, band, point)), rate in zip(self._rows.items(), rates, strict=True):
            if not rate.n:
                text.set_text(f"{name}: no labelled episode yet")
                band.style("width: 0")
                point.style("width: 0")
                continue
            low, high, value = 100 * rate.low, 100 * rate.high, 100 * rate.value
            text.set_text(
                f"{name}: {value:.0f} % ({rate.successes} of {rate.n}), {low:.0f} to {high:.0f} %"
            )
            band.style(f"left: {low:.1f}%; width: {high - low:.1f}%")
            point.style(f"left: calc({value:.1f}% - 3px); width: 6px")


class Sources:
    """Which source rewards, a candidate in its shadow, and how far they agree."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._shown: tuple[object, ...] = ("?",)
        desk = screen.hub.desk
        with card("Reward source"):
            with ui.element("div").classes("rr-row"):
                self._pick = ui.select(list(desk.sources()), value=None, label="source")
                self._pick.props("dense outlined options-dense data-testid=source").style(
                    "min-width: 11em"
                )
                for text, job, mark in (
                    ("Use now", self._swap, "swap"),
                    ("Try in the shadow", self._shadow, "shadow"),
                    ("Promote the shadow", self._promote, "promote"),
                ):
                    button = ui.element("button").classes("rr-key rr-small")
                    button.props(f"type=button data-testid={mark}").on("click", job)
                    with button:
                        ui.label(text).style("display: inline")
            self._active = ui.label("").classes("rr-soft").props("data-testid=active-source")
            self._table = ui.element("ul").classes("rr-list").props("data-testid=agreement")

    def refresh(self, facts: RunFacts) -> None:
        mark = (facts.source, facts.agreement)
        if mark == self._shown:
            return
        self._shown = mark
        self._active.set_text(f"in force: {facts.source or 'none'}")
        self._table.clear()
        with self._table:
            for row in facts.agreement:
                ui.label(agreement_line(row))

    async def _swap(self) -> None:
        await self._set(shadow=False)

    async def _shadow(self) -> None:
        await self._set(shadow=True)

    async def _set(self, *, shadow: bool) -> None:
        source, desk = str(self._pick.value or ""), self._screen.hub.desk
        if not source:
            self._screen.tell("Choose a source first", bad=True)
            return

        def job() -> str:
            active = desk.set_source(source, shadow=shadow)
            return f"{source} runs in the shadow of {active}" if shadow else f"{active} rewards now"

        await self._screen.ask(job)

    async def _promote(self) -> None:
        await self._screen.ask(self._screen.hub.desk.promote_shadow)


def agreement_line(row: ShadowAgreement) -> str:
    """One line about a candidate."""
    parts = [
        f"{row.source} against {row.against}: n = {row.n}",
        f"same {100 * row.exact:.0f} %",
        f"within one {100 * row.within_one:.0f} %",
        f"mean distance {row.mae:.2f}",
    ]
    if row.kappa is not None:
        parts.append(f"kappa {row.kappa:.2f}")
    if row.false_positive is not None:
        parts.append(f"false successes {100 * row.false_positive:.0f} %")
    return ", ".join(parts)


class Learner:
    """The learner's figures and the health of every part."""

    def __init__(self) -> None:
        self._shown: tuple[object, ...] = ("?",)
        self._whole: HealthView | None = None
        with card("Learner and health"):
            self._health = ui.element("div").props("data-testid=health role=status")
            self._learner = ui.label("no word of the learner yet").props("data-testid=learner")
            self._detail = ui.label("").classes("rr-soft")
            self._parts = ui.element("ul").classes("rr-list")

    def refresh(
        self,
        learner: LearnerView | None,
        parts: tuple[PartHealth, ...],
        whole: HealthView | None = None,
    ) -> None:
        if whole != self._whole:
            self._whole = whole
            self._health.clear()
            with self._health:
                _health_lines(whole)
        if learner is not None:
            self._learner.set_text(
                f"policy {learner.policy_version} · {learner.grad_steps} updates "
                f"({learner.updates_per_s:.0f}/s, {learner.updates_owed} owed) · "
                f"{learner.transitions} transitions of {learner.episodes_trainable} episodes"
            )
            self._detail.set_text(
                f"critic loss {learner.critic_loss:.4g} · actor loss {learner.actor_loss:.4g} · "
                f"Q {learner.q_mean:.3g} · entropy {learner.entropy:.3g}"
                + (f" · {learner.message}" if learner.message else "")
            )
        if parts == self._shown:
            return
        self._shown = parts
        self._parts.clear()
        with self._parts:
            for part in parts:
                sign = "✓" if part.level == 0 else "✗"
                ui.label(f"{sign} {part.name}: {part.message}").classes(LEVELS[min(part.level, 3)])


def _health_lines(whole: HealthView | None) -> None:
    """The state of the session in a word, then its reasons with what to do."""
    if whole is None:
        return
    word = "well" if whole.level is HealthLevel.OK else whole.level.name
    ui.label(f"session: {word}").classes(LEVELS[whole.level])
    for reason in whole.reasons:
        text = f"{reason.name}: {reason.what}, since {_clock(reason.since_ns)}. {reason.do}"
        ui.label(text).classes(LEVELS[reason.level])


class Log:
    """What happened, and the operator's labels with what was taken back."""

    def __init__(self) -> None:
        self._last = 0
        self._labels: tuple[LabelEvent, ...] = ()
        with card("Labels by people"):
            self._keys = ui.element("div").classes("rr-log").props("data-testid=labels")
        with card("Events"):
            self._box = ui.element("div").classes("rr-log").props("data-testid=log role=log")

    def refresh(self, labels: tuple[LabelEvent, ...], hub: Hub) -> None:
        if labels != self._labels:
            self._labels = labels
            self._keys.clear()
            with self._keys:
                for event in labels:
                    self._label(event)
        lines = hub.lines(self._last)
        if not lines:
            return
        self._last = lines[-1].number
        for line in lines:
            with self._box:
                text = ui.label(f"{_clock(line.stamp_ns)}  {line.text}")
                text.classes("rr-bad" if line.bad else "")
                text.move(self._box, 0)
        while len(self._box.default_slot.children) > 200:
            self._box.remove(200)

    def _label(self, event: LabelEvent) -> None:
        words = {"s": "success", "f": "failure", "u": "taken back"}
        text = ui.label(
            f"{_clock(event.stamp_ns)}  {event.episode_id}: "
            f"{words.get(event.key, event.key)} ({event.operator})"
        )
        text.classes("rr-undone" if event.undone else "")


def _clock(stamp_ns: int) -> str:
    return datetime.fromtimestamp(stamp_ns / 1e9).strftime("%H:%M:%S")


def _time(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d} h" if hours else f"{minutes}:{rest:02d}"

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How scores look: bars, a table of several sources, a curve, and one JSON object."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from roboreward_ros.rewards.rubric import r01, rubric
from roboreward_ros.types import (
    Abstain,
    RewardFailure,
    RewardOutcome,
    RewardSpec,
    Score,
    ScoreScale,
)
from roboreward_ros.types.codec import JsonObject, JsonValue, outcome_to_json

_BAR = 30
_EIGHTHS = " ▏▎▍▌▋▊▉"
_STEPS = "▁▂▃▄▅▆▇█"
_UNITS = {ScoreScale.UNIT: "of 1", ScoreScale.SIGN: "-1 earlier .. 1 later"}


@dataclass(frozen=True, slots=True)
class Point:
    """The score of an episode up to one frame; the value is None where there was no score."""

    frame: int
    time_s: float
    value: float | None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What one source said.

    Attributes:
        label: name for people, numbered where a source was asked twice.
        spec: of the source.
        outcome: for the whole episode.
        curve: over prefixes, where asked for.
    """

    label: str
    spec: RewardSpec
    outcome: RewardOutcome
    curve: tuple[Point, ...] = ()


def entropy(probabilities: Sequence[float]) -> float:
    """Nats."""
    return max(0.0, -sum(p * math.log(p) for p in probabilities if p > 0))


def meaning(value: float, scale: ScoreScale) -> str:
    """The number with what it stands for: "4 near", "0.30 of 1"."""
    if scale is ScoreScale.RUBRIC:
        name = rubric().level(min(5, max(1, round(value)))).name
        return f"{value:g} {name}" if value == round(value) else f"{value:.2f} (about {name})"
    return f"{value:.2f} {_UNITS[scale]}"


def verdict(outcome: RewardOutcome) -> Text:
    """One line about an outcome."""
    if isinstance(outcome, Score):
        return Text(meaning(outcome.value, outcome.scale), "bold green")
    if isinstance(outcome, Abstain):
        return Text(f"abstained: {outcome.detail or outcome.reason}", "bold yellow")
    return Text(f"failed: {outcome.message}", "bold red")


def show_one(console: Console, judgement: Judgement) -> None:
    """Everything that one source said."""
    outcome = judgement.outcome
    console.print(Text.assemble((judgement.label, "bold"), "  ", verdict(outcome)), soft_wrap=True)
    if not isinstance(outcome, RewardFailure) and outcome.probabilities:
        for level, mass in zip(outcome.levels, outcome.probabilities, strict=True):
            name = meaning(level, judgement.spec.scale)
            console.print(Text(f"  {name:<14} {bar(mass)} {mass:6.1%}"))
    notes = _notes(outcome)
    if notes:
        console.print(Text(f"  {' · '.join(notes)}", "bright_black"), soft_wrap=True)
    if not isinstance(outcome, RewardFailure) and outcome.text:
        console.print(Text(f"  it printed: {outcome.text}", "bright_black"), soft_wrap=True)


def show_table(console: Console, judgements: Sequence[Judgement]) -> None:
    """Several sources side by side."""
    table = Table(box=None, pad_edge=False)
    for column in ("source", "verdict", "answers", "entropy", "seconds"):
        table.add_column(column, justify="right" if column in ("entropy", "seconds") else "left")
    for item in judgements:
        outcome = item.outcome
        masses = () if isinstance(outcome, RewardFailure) else outcome.probabilities
        table.add_row(
            item.label,
            verdict(outcome),
            spark(masses),
            f"{entropy(masses):.2f}" if masses else "",
            f"{outcome.latency_s:.2f}",
        )
    console.print(table)


def bar(share: float) -> str:
    """A share of one as a bar of fixed width."""
    eighths = round(min(max(share, 0.0), 1.0) * _BAR * 8)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (_EIGHTHS[rest] if rest else "")).ljust(_BAR)


def spark(masses: Sequence[float]) -> str:
    """A distribution in a character an answer."""
    return "".join(_STEPS[min(7, int(mass * 8))] for mass in masses)


def _notes(outcome: RewardOutcome) -> list[str]:
    notes = []
    if not isinstance(outcome, RewardFailure) and outcome.probabilities:
        most = math.log(len(outcome.probabilities))
        notes.append(f"entropy {entropy(outcome.probabilities):.2f} of {most:.2f} nats")
    if isinstance(outcome, Score) and outcome.probabilities:
        notes.append(f"{outcome.off_answer_mass:.1%} on no answer")
    notes.append(f"{outcome.latency_s:.2f} s")
    if outcome.provenance.model:
        notes.append(outcome.provenance.model)
    return notes


def summary_json(judgement: Judgement) -> JsonObject:
    """The fields that a script wants without looking for them; null where there is no score."""
    outcome = judgement.outcome
    masses: JsonObject | None = None
    if not isinstance(outcome, RewardFailure) and outcome.probabilities:
        pairs = zip(outcome.levels, outcome.probabilities, strict=True)
        masses = {f"{level:g}": mass for level, mass in pairs}
    return {
        "source": judgement.spec.name,
        "score": outcome.value if isinstance(outcome, Score) else None,
        "distribution": masses,
        "latency_s": outcome.latency_s,
    }


def as_json(judgement: Judgement) -> JsonObject:
    """One source's part of the JSON object."""
    outcome = judgement.outcome
    content: JsonObject = {"label": judgement.label, "scale": judgement.spec.scale.value}
    content |= outcome_to_json(outcome)
    content.pop("per_step", None)
    if isinstance(outcome, Score) and outcome.scale is ScoreScale.RUBRIC:
        content["rubric"] = rubric().level(min(5, max(1, round(outcome.value)))).name
    if not isinstance(outcome, RewardFailure) and outcome.probabilities:
        content["entropy"] = entropy(outcome.probabilities)
    if judgement.curve:
        points: list[JsonValue] = [
            {"frame": p.frame, "time_s": p.time_s, "value": p.value, "note": p.note}
            for p in judgement.curve
        ]
        content["curve"] = points
    return content


def plot(judgements: Sequence[Judgement], title: str, path: Path) -> None:
    """Save the curves of all sources as a PNG; of several scales as shares from 0 to 1."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    scales = {item.spec.scale for item in judgements}
    one = len(scales) == 1
    figure = Figure(figsize=(8.4, 3.7), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for item in judgements:
        times = [point.time_s for point in item.curve]
        values = [
            math.nan
            if point.value is None
            else point.value
            if one
            else r01(point.value, item.spec.scale)
            for point in item.curve
        ]
        axes.plot(times, values, marker="o", ms=3.5, lw=1.8, label=item.label)
    if one and scales == {ScoreScale.RUBRIC}:
        levels = rubric().levels
        names = [f"{level.score} {level.name}" for level in levels]
        axes.set_yticks([level.score for level in levels], names)
        axes.set_ylim(0.8, 5.2)
    elif one and scales == {ScoreScale.SIGN}:
        axes.set_ylim(-1.08, 1.08)
    else:
        axes.set_ylim(-0.04, 1.04)
        axes.set_ylabel("score" if one else "score, as a share of its range")
    axes.set_xlabel("seconds")
    axes.set_title(title, loc="left", fontsize=10)
    axes.grid(color="#e4e8ec")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=9)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=144, format="png")

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The table of a rehearsal in a terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from roboreward_ros.rehearsal.compare import Deviation, Gap
from roboreward_ros.rehearsal.verdict import Caused, Figures

WIDTH = 120  # of a pipe, which has none of its own
SHOWN = 6


def show(
    deviations: Sequence[Deviation],
    caused: Sequence[Caused],
    figures: Figures,
    problems: Sequence[str],
    run_dir: Path,
    console: Console | None = None,
) -> None:
    """Print every episode, what each fault caused, and whether all is as expected."""
    console = console or Console(width=None if Console().is_terminal else WIDTH)
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("episode")
    for name in ("steps", "mm apart", "deg apart", "period, ms", "reward"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("otherwise than recorded")
    for d in deviations:
        different = "; ".join(d.different)
        table.add_row(
            d.name,
            f"{d.steps[1]}/{d.steps[0]}",
            _gap(d.translation_mm),
            _gap(d.rotation_deg),
            _gap(d.period_ms),
            _reward(d),
            f"[yellow]{escape(different)}[/yellow]" if different else "[dim]-[/dim]",
        )
    console.print(table)
    console.print("[dim]apart: asked now and then, median and largest of the steps[/dim]")
    for item in caused:
        console.print(f"\n[bold]{escape(item.fault.text)}[/bold]", highlight=False)
        if not item.begun:
            console.print("  never came: its episode has no such step", style="yellow")
        for text in (*item.seen[:SHOWN], *item.episode):
            console.print(f"  {escape(text)}", highlight=False)
        if len(item.seen) > SHOWN:
            console.print(f"  and {len(item.seen) - SHOWN} more, see the notes")
        if item.begun and not item.seen and not item.episode:
            console.print("  nothing that anybody could see")
    console.print(
        f"\n{figures.episodes:g} episodes rehearsed, {figures.missing:g} missing, "
        f"{figures.different:g} otherwise than recorded ({figures.unexplained:g} without a fault), "
        f"{figures.retries:g} tries again, {figures.restarts:g} processes restarted, "
        f"{figures.helped:g} times helped; in {escape(str(run_dir))}",
        highlight=False,
    )
    for problem in problems:
        console.print(f"[red]not as expected:[/red] {escape(problem)}", highlight=False)
    if not problems:
        console.print("[green]as expected[/green]")


def _gap(gap: Gap) -> str:
    return "-" if math.isnan(gap.median) else f"{gap.median:.3g} {gap.largest:.3g}"


def _reward(deviation: Deviation) -> str:
    was, now = ("-" if value is None else f"{value:.3g}" for value in deviation.reward)
    return was if was == now else f"{was} -> {now}"

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The page of a run: one file, figures inside, nothing loaded from anywhere."""

from __future__ import annotations

import base64
import dataclasses
import html
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from roboreward_ros.evaluation.success import Arm, ArmResult, paired_gain
from roboreward_ros.evaluation.summary import RunSummary

STYLE = """
:root { --ink: #1d2733; --muted: #6b7785; --line: #e4e8ec; --steer: #0f766e; --back: #f6f8f9; }
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main { max-width: 960px; margin: 0 auto; padding: 40px 20px 72px; }
h1 { font-size: 30px; line-height: 1.2; margin: 0 0 6px; letter-spacing: -.01em; }
h2 { font-size: 19px; margin: 0 0 4px; }
p { margin: 0 0 12px; max-width: 70ch; }
.lead, figcaption, .note { color: var(--muted); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr));
  gap: 12px; margin: 26px 0; }
.tile, section { background: #fff; border: 1px solid var(--line); border-radius: 12px; }
.tile { padding: 14px 16px; }
.tile b { display: block; font-size: 28px; line-height: 1.2; font-variant-numeric: tabular-nums; }
.tile span { color: var(--muted); font-size: 13.5px; }
.tile.main { border-color: var(--steer); }
.tile.main b { color: var(--steer); }
section { padding: 22px 24px; margin: 0 0 18px; }
figure { margin: 10px 0 0; }
figure img { max-width: 100%; display: block; border-radius: 6px; }
.figure { overflow-x: auto; }
figcaption { font-size: 14px; margin-top: 6px; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: 7px 10px; border-bottom: 1px solid var(--line); }
th { color: var(--muted); font-weight: 500; font-size: 13.5px; }
th:first-child, td:first-child { text-align: left; }
tr.main td { font-weight: 600; color: var(--steer); }
.numbers td:last-child { text-align: left; overflow-wrap: anywhere; }
.words th:last-child, .words td:last-child { text-align: left; overflow-wrap: anywhere; }
details { margin-top: 14px; }
summary { cursor: pointer; color: var(--muted); }
pre { background: var(--back); border-radius: 8px; padding: 14px; overflow-x: auto;
  font-size: 13px; }
@media (max-width: 640px) {
  main { padding: 24px 10px 48px; }
  section { padding: 16px 12px; }
  th, td { padding: 6px 5px; font-size: 13.5px; }
  td:nth-child(n+2), th { white-space: nowrap; }
  .numbers td:last-child, .words td:last-child { white-space: normal; }
  .extra { display: none; }
  .tiles { grid-template-columns: repeat(2, 1fr); }
  .figure img { max-width: none; width: 680px; }
}
"""


@dataclass(frozen=True, slots=True)
class Picture:
    """One figure: PNG bytes and the sentence under it."""

    title: str
    png: bytes
    caption: str


@dataclass(frozen=True, slots=True)
class Section:
    """A heading, a sentence, a table (its first row is the head) and pictures.

    Attributes:
        title: heading.
        text: sentence.
        pictures: below the table.
        table: rows of cells.
        words: the last column holds sentences, not numbers.
    """

    title: str
    text: str
    pictures: Sequence[Picture] = ()
    table: Sequence[Sequence[str]] = ()
    words: bool = False


def render_sections(title: str, lead: str, sections: Sequence[Section]) -> str:
    """A page of sections alone."""
    head = f"<h1>{html.escape(title)}</h1>" + f'<p class="lead">{html.escape(lead)}</p>'
    return _page(title, [head, *(_section(section) for section in sections)])


def _page(title: str, body: Sequence[str]) -> str:
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>roboreward: {html.escape(title)}</title><style>{STYLE}</style></head>\n"
        f"<body><main>{''.join(body)}</main></body></html>\n"
    )


def render_page(
    summary: RunSummary, results: Sequence[ArmResult], sections: Sequence[Section]
) -> str:
    """The whole page.

    Args:
        summary: its numbers head the page and are listed in full at its end.
        results: arms of the held-out evaluation; empty where there was none.
        sections: in the order of the page.
    """
    body = [
        f"<h1>{html.escape(summary.task)}</h1>",
        f'<p class="lead">{html.escape(_lead(summary))}</p>',
        _tiles(summary),
    ]
    if results:
        body.append(_table_section(results))
    body += [_section(section) for section in sections]
    body.append(_numbers(summary))
    return _page(summary.task, body)


def _lead(summary: RunSummary) -> str:
    lead = (
        f"A frozen diffusion policy, steered by reinforcement learning on its noise over "
        f"{summary.episodes} episodes with rewards from {summary.reward_source}."
    )
    if summary.gain is None or summary.final_success is None:
        return lead
    gain = summary.gain
    over = "w ~ N(0, I)" if gain.over == Arm.BASE else "w = 0"
    looking = summary.without_looking()
    return (
        f"{lead} On {summary.success_n} held-out layouts it succeeds in "
        f"{100 * summary.final_success:.0f} %, {100 * gain.value:+.0f} points over {over}, the "
        f"better baseline (95 % interval {100 * gain.low:+.0f} to {100 * gain.high:+.0f})"
        + (f"; {looking}." if looking else ".")
    )


def _tiles(summary: RunSummary) -> str:
    minutes = f"{summary.wall_s / 60:.1f} min"
    motion = summary.idle.motion_s
    total = summary.idle.total_s()
    idle = f"{100 * (1 - motion / total):.0f} %" if total > 0 else "-"
    tiles = [
        ("main", _percent(summary.final_success), "success, steered"),
        ("", _percent(summary.base_success), "base, w ~ N(0, I)"),
        ("", _percent(summary.zero_noise_success), "base, w = 0"),
        ("", str(summary.episodes), "training episodes"),
        ("", f"{summary.unlabelled}", f"unlabelled, {summary.errors} by errors"),
        ("", idle, "of the session not moving"),
        ("", minutes, "wall time"),
    ]
    cells = "".join(
        f'<div class="tile {kind}"><b>{value}</b><span>{html.escape(text)}</span></div>'
        for kind, value, text in tiles
    )
    return f'<div class="tiles">{cells}</div>'


def _table_section(results: Sequence[ArmResult]) -> str:
    base = next((result for result in results if result.arm is Arm.BASE), None)
    rows = []
    for result in results:
        rate = result.rate
        gain = ""
        if base is not None and result is not base:
            over = paired_gain(result, base)
            gain = f"{100 * over.value:+.0f} ({100 * over.low:+.0f} to {100 * over.high:+.0f})"
        mark = ' class="main"' if result.arm is Arm.STEERED else ""
        rows.append(
            f"<tr{mark}><td>{html.escape(result.label)}</td><td>{100 * rate.value:.0f} %</td>"
            f"<td>{100 * rate.low:.0f} to {100 * rate.high:.0f}</td><td>{gain}</td>"
            f'<td class="extra">{result.mean_score:.2f}</td><td class="extra">{result.n}</td></tr>'
        )
    head = (
        "<tr><th>noise</th><th>success</th><th>95 % interval</th><th>points over base</th>"
        '<th class="extra">mean score</th><th class="extra">n</th></tr>'
    )
    return (
        "<section><h2>Every way to choose the noise, on the same layouts</h2>"
        "<p>The policy is frozen in every row; only its noise differs. w = 0, shrunken noise and "
        "the best of 16 constant latents show how much comes without learning to look.</p>"
        f'<div class="scroll"><table>{head}{"".join(rows)}</table></div></section>'
    )


def _section(section: Section) -> str:
    figures = "".join(
        f'<figure><div class="figure"><img alt="{html.escape(picture.title)}" '
        f'src="data:image/png;base64,{base64.b64encode(picture.png).decode()}"></div>'
        f"<figcaption>{html.escape(picture.caption)}</figcaption></figure>"
        for picture in section.pictures
    )
    text = f"<p>{html.escape(section.text)}</p>" if section.text else ""
    table = _table(section.table, words=section.words) if section.table else ""
    return f"<section><h2>{html.escape(section.title)}</h2>{text}{table}{figures}</section>"


def _table(rows: Sequence[Sequence[str]], *, words: bool = False) -> str:
    def line(cells: Sequence[str], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells) + "</tr>"

    body = "".join(line(cells, "td") for cells in rows[1:])
    kind = ' class="words"' if words else ""
    return f'<div class="scroll"><table{kind}>{line(rows[0], "th")}{body}</table></div>'


def _numbers(summary: RunSummary) -> str:
    def row(name: str, value: object) -> str:
        if isinstance(value, float):
            value = f"{value:.4g}"
        if isinstance(value, Mapping):
            value = ", ".join(f"{key} {_short(item)}" for key, item in value.items())
        return f"<tr><td>{html.escape(name)}</td><td>{html.escape(str(value))}</td></tr>"

    values = dataclasses.asdict(summary)
    shown = {name: value for name, value in values.items() if name not in ("arms", "gain")}
    rows = "".join(row(name, value) for name, value in shown.items())
    return (
        "<section><h2>All numbers</h2>"
        f'<table class="numbers">{rows}</table>'
        f"<details><summary>summary.json</summary><pre>{html.escape(summary.to_json())}</pre>"
        "</details></section>"
    )


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else json.dumps(value, default=str).strip('"')


def _percent(rate: float | None) -> str:
    return "-" if rate is None else f"{100 * rate:.0f} %"

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Where a run's rewards and results part: the confusion table, and episodes with failures first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from roboreward_ros.evaluation.agreement import LEVELS, SUCCESS
from roboreward_ros.evaluation.filmstrip import filmstrip, png_bytes
from roboreward_ros.evaluation.html import Picture, Section
from roboreward_ros.evaluation.run_view import EpisodeRow, RunView

STRIPS = 12
STRIP_HEIGHT = 96
STRIP_FRAMES = 7


def confusion_section(
    said: Mapping[str, float], declined: Sequence[str], known: Mapping[str, float], source: str
) -> Section | None:
    """What the source said against what people, else the simulator, know; None without pairs.

    Args:
        said: score 1..5 by episode.
        declined: episodes that the source left to a person.
        known: result 1..5 by episode.
        source: name of the source.
    """
    pairs = [(_level(said[name]), _level(known[name])) for name in said if name in known]
    left = [_level(known[name]) for name in declined if name in known]
    if not pairs and not left:
        return None
    head = ("said \\ known", *(str(level) for level in LEVELS), "all")
    rows = []
    for row in reversed(LEVELS):
        counts = [sum(pair == (row, column) for pair in pairs) for column in LEVELS]
        rows.append((str(row), *(str(count or "") for count in counts), str(sum(counts))))
    if left:
        counts = [left.count(column) for column in LEVELS]
        rows.append(("declined", *(str(count or "") for count in counts), str(len(left))))
    wrong = sum(a >= SUCCESS and b < SUCCESS for a, b in pairs)
    missed = sum(a < SUCCESS and b >= SUCCESS for a, b in pairs)
    claimed, done = (sum(p[k] >= SUCCESS for p in pairs) for k in (0, 1))
    text = (
        f"Scores of {source} by the level that people gave, else the simulator's. "
        f"{wrong} of {claimed} claimed successes are none; {missed} of {done} successes were "
        "not seen."
    )
    return Section("Rewards against results", text, table=(head, *rows))


def gallery_section(
    view: RunView,
    rows: Sequence[EpisodeRow],
    said: Mapping[str, float],
    known: Mapping[str, float],
) -> Section | None:
    """Filmstrips, failures first; None for a run without episodes.

    Args:
        view: of the run.
        rows: its episodes.
        said: the source's own score 1..5 by episode, whatever people said later.
        known: result 1..5 by episode where people or the simulator know it.
    """
    if not rows:
        return None
    there = [row for row in rows if view.has_pictures(row.episode_id)]
    ranked = sorted(there, key=lambda row: (_rank(row, said, known), -row.index))
    pictures = []
    for row in ranked[:STRIPS]:
        episode = view.episode(row.episode_id)
        strip = filmstrip(
            episode.frames(),
            episode.summary.meta.control_hz,
            count=STRIP_FRAMES,
            height=STRIP_HEIGHT,
        )
        pictures.append(Picture(row.episode_id, png_bytes(strip), _caption(row, known)))
    text = (
        "Successes that were none come first, then failures, episodes without a label, successes; "
        f"the newest first. {len(pictures)} of {len(rows)}."
    )
    return Section("Episodes, failures first", text, pictures)


def _rank(row: EpisodeRow, said: Mapping[str, float], known: Mapping[str, float]) -> int:
    result, claim = known.get(row.episode_id), said.get(row.episode_id)
    if claim is not None and claim >= SUCCESS and result is not None and result < SUCCESS:
        return 0
    value = result if result is not None else row.reward
    if value is None:
        return 2
    return 3 if value >= SUCCESS else 1


def _caption(row: EpisodeRow, known: Mapping[str, float]) -> str:
    by = "the plain policy" if row.policy_version == 0 else f"actor {row.policy_version}"
    said = "no label" if row.reward is None else f"reward {row.reward:g}"
    result = known.get(row.episode_id)
    truth = "" if result is None else f", known result {result:g}"
    return f"{row.episode_id}, {by}, {row.n_steps} steps, ended by {row.end_cause}: {said}{truth}."


def _level(value: float) -> int:
    return int(min(max(round(value), LEVELS[0]), LEVELS[-1]))

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What happened overnight, faults first: as lines for a terminal and as sections of a page.

Only says what was gathered; where nothing was recorded it says that nothing was recorded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from roboreward_ros.episodes.views import LabelStatus
from roboreward_ros.evaluation.comparison import succeeded
from roboreward_ros.evaluation.html import Picture, Section
from roboreward_ros.evaluation.intervals import Interval, wilson
from roboreward_ros.evaluation.run_view import EpisodeRow

HOUR_NS = 3_600_000_000_000
STILL_S = 300.0
"""A robot that stands so long between two episodes is worth a line."""
LISTED = 12
DISTANT_H = 500


@dataclass(frozen=True, slots=True)
class Spell:
    """Trouble from when to when.

    Attributes:
        name: node and part, or what it was.
        what: one line.
        from_ns: beginning, ns since the epoch.
        to_ns: end; None while it lasts, or where nobody saw the end.
        do: what a person should do while it lasts.
    """

    name: str
    what: str
    from_ns: int
    to_ns: int | None = None
    do: str = ""


@dataclass(frozen=True, slots=True)
class Restart:
    """A process that ended otherwise than asked: when, which, and how."""

    stamp_ns: int
    node: str
    how: str


@dataclass(frozen=True, slots=True)
class Done:
    """One episode of the night.

    Attributes:
        row: of the run's view.
        from_ns: stamp of its first picture.
        to_ns: of its last.
        taint: what is wrong with it.
        discarded: a person threw it away.
    """

    row: EpisodeRow
    from_ns: int
    to_ns: int
    taint: tuple[str, ...] = ()
    discarded: bool = False


@dataclass(frozen=True, slots=True)
class Morning:
    """Everything that is told.

    Attributes:
        name: of the run.
        task: its sentence.
        from_ns: beginning of the night, ns since the epoch.
        to_ns: end.
        running: a stack holds the run's folder now.
        needs: what needs a person now, in words.
        faults: oldest first.
        restarts: oldest first; None where the front end kept no log of them.
        episodes: committed within the night, by index.
        dropped: tries of episodes that were not kept; None where no log says.
        unlabelled: of the whole run, by status.
        asked: episodes whose source declined, of the whole run.
        audits: episodes that wait for an auditor.
        free_gb: on the run's disk.
        run_gb: of the run's folder.
        night_gb: of the episodes of the night.
        learner: one line.
        damaged: episodes that cannot be read.
    """

    name: str
    task: str
    from_ns: int
    to_ns: int
    running: bool
    needs: tuple[str, ...]
    faults: tuple[Spell, ...]
    restarts: tuple[Restart, ...] | None
    episodes: tuple[Done, ...]
    dropped: int | None
    unlabelled: tuple[tuple[LabelStatus, int], ...]
    asked: int
    audits: int
    free_gb: float
    run_gb: float
    night_gb: float
    learner: str
    damaged: tuple[str, ...] = ()

    @property
    def hours(self) -> float:
        """Length of the night."""
        return (self.to_ns - self.from_ns) / HOUR_NS

    @property
    def motion_s(self) -> float:
        """Time in episodes."""
        return sum(done.to_ns - done.from_ns for done in self.episodes) * 1e-9


@dataclass(frozen=True, slots=True)
class Hour:
    """Success of the episodes that began in one hour; ``begin_ns`` is its beginning."""

    begin_ns: int
    episodes: int
    successes: int
    known: int

    @property
    def rate(self) -> Interval:
        """With its 95 % Wilson interval."""
        return wilson(self.successes, self.known)


def hours_of(morning: Morning) -> list[Hour]:
    """The night by hours of the clock, those without an episode included."""
    first = _hour_of(morning.from_ns)
    found = []
    while first < morning.to_ns:
        own = [d for d in morning.episodes if first <= d.from_ns < first + HOUR_NS]
        ends = [end for d in own if (end := succeeded(d.row)) is not None]
        found.append(Hour(first, len(own), sum(ends), len(ends)))
        first += HOUR_NS
    return found


def still_of(morning: Morning) -> list[tuple[int, int]]:
    """From when to when the robot stood for ``STILL_S`` or longer, the longest first."""
    edges = [morning.from_ns]
    for done in sorted(morning.episodes, key=lambda done: done.from_ns):
        edges += [done.from_ns, done.to_ns]
    edges.append(morning.to_ns)
    gaps = [(a, b) for a, b in zip(edges[::2], edges[1::2], strict=True) if b - a >= STILL_S * 1e9]
    return sorted(gaps, key=lambda gap: gap[0] - gap[1])


def clock(stamp_ns: int) -> str:
    """Local time of day."""
    return datetime.fromtimestamp(stamp_ns / 1e9).strftime("%H:%M:%S")


def lasted(seconds: float) -> str:
    """A duration for people."""
    text = str(timedelta(seconds=round(seconds)))
    return f"{seconds:.0f} s" if seconds < 120 else text


def lead(morning: Morning) -> str:
    """The night in a sentence."""
    day = datetime.fromtimestamp(morning.from_ns / 1e9).strftime("%a %d %b")
    state = "running" if morning.running else "not running now"
    return (
        f"{morning.task}: {day} {clock(morning.from_ns)} to {clock(morning.to_ns)}, {state}; "
        f"{len(morning.episodes)} episodes, {len(morning.faults)} faults"
    )


def tables(morning: Morning) -> list[Section]:
    """All sections, what needs a person first, then faults; tables begin with their head."""
    needs = [[text] for text in morning.needs]
    return [
        Section(
            "Needs a person now",
            "" if needs else "Nothing.",
            table=[["what to do"], *needs] if needs else (),
        ),
        _faults(morning),
        _restarts(morning),
        _episodes(morning),
        _success(morning),
        _idle(morning),
        Section("Learner", morning.learner),
        _disk(morning),
    ]


def text_of(morning: Morning) -> str:
    """The same as lines."""
    lines = [f"{morning.name}: {lead(morning)}"]
    for section in tables(morning):
        lines += ["", section.title]
        lines += [f"  {section.text}"] if section.text else []
        widths = [max(map(len, column)) for column in zip(*section.table, strict=False)]
        for row in section.table:
            cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            lines.append(f"  {'  '.join(cells)}".rstrip())
    return "\n".join(lines)


def page_sections(morning: Morning, figure: bytes | None) -> list[Section]:
    """The page's sections, with the picture of the night in front where there is one."""
    sections = tables(morning)
    if figure is not None:
        caption = "Episodes (green: success, grey: none, hollow: unlabelled), faults in red."
        picture = Picture("the night", figure, caption)
        sections.insert(1, Section("The night", "", [picture]))
    return sections


def _faults(morning: Morning) -> Section:
    if not morning.faults:
        return Section("Faults", "None was recorded.")
    rows = [["from", "lasted", "what"]]
    for spell in morning.faults[-LISTED:]:
        end = morning.to_ns if spell.to_ns is None else spell.to_ns
        how_long = lasted((end - spell.from_ns) * 1e-9)
        words = f"{spell.name}: {spell.what}"
        rows.append(
            [clock(spell.from_ns), how_long if spell.to_ns else f"{how_long}, goes on", words]
        )
    counts = Counter(spell.name for spell in morning.faults).most_common(4)
    text = ", ".join(f"{count} of {name}" for name, count in counts)
    if len(morning.faults) > LISTED:
        text += f"; the last {LISTED} of them:"
    return Section("Faults", text, table=rows, words=True)


def _restarts(morning: Morning) -> Section:
    title = "Processes started again"
    if morning.restarts is None:
        text = "Not known: no log of `roboreward launch` in this run; the real `ros2 launch` keeps "
        return Section(title, f"{text}its own in ~/.ros/log.")
    if not morning.restarts:
        return Section(title, "None.")
    counts = Counter(restart.node for restart in morning.restarts).most_common()
    rows = [["when", "process", "how it ended"]]
    rows += [[clock(r.stamp_ns), r.node, r.how] for r in morning.restarts[-LISTED:]]
    return Section(
        title, ", ".join(f"{name} {count}" for name, count in counts), table=rows, words=True
    )


def _episodes(morning: Morning) -> Section:
    done = morning.episodes
    tainted = [d for d in done if d.taint]
    dropped = "not known" if morning.dropped is None else str(morning.dropped)
    rows = [
        ["episodes", "number"],
        ["done", str(len(done))],
        ["tries that were dropped", dropped],
        ["tainted, which do not train", str(len(tainted))],
        ["discarded by a person", str(sum(d.discarded for d in done))],
        ["damaged on disk", str(len(morning.damaged))],
        *([f"unlabelled, {status}", str(n)] for status, n in morning.unlabelled),
        ["waiting for an answer", str(morning.asked)],
        ["waiting for an audit", str(morning.audits)],
    ]
    kinds = Counter(kind for d in tainted for kind in d.taint).most_common(5)
    text = ", ".join(f"{kind} {count}" for kind, count in kinds)
    return Section("Episodes", f"Tainted by: {text}." if text else "", table=rows)


def _success(morning: Morning) -> Section:
    known = [end for d in morning.episodes if (end := succeeded(d.row)) is not None]
    if not known:
        return Section("Success by hour", "No episode with a known end.")
    rate = wilson(sum(known), len(known))
    text = f"{_percent(rate)} of {len(known)} episodes; by the simulator's truth where there is one"
    rows = [["hour", "episodes", "success, 95 % interval"]]
    for hour in hours_of(morning):
        shown = f"{_percent(hour.rate)}, {hour.successes} of {hour.known}" if hour.known else "-"
        rows.append([clock(hour.begin_ns)[:5], str(hour.episodes), shown])
    return Section("Success by hour", f"{text}, else as the labels claim.", table=rows)


def _idle(morning: Morning) -> Section:
    total_s = (morning.to_ns - morning.from_ns) * 1e-9
    share = morning.motion_s / total_s if total_s else 0.0
    text = f"In episodes {100 * share:.0f} % of {lasted(total_s)}."
    gaps = still_of(morning)
    if not gaps:
        return Section("Robot", f"{text} It never stood still for {lasted(STILL_S)}.")
    rows = [["it stood still from", "for"]]
    rows += [[clock(a), lasted((b - a) * 1e-9)] for a, b in gaps[:5]]
    return Section("Robot", text, table=rows)


def _disk(morning: Morning) -> Section:
    text = f"{_size(morning.free_gb)} free; the run takes {_size(morning.run_gb)}"
    per_hour = morning.night_gb / morning.hours if morning.hours else 0.0
    if per_hour > 0:
        left_h = morning.free_gb / per_hour
        when = f"in {left_h:.0f} hours" if left_h < DISTANT_H else f"not within {DISTANT_H} hours"
        text += f", {_size(morning.night_gb)} of it from this night: at this rate full {when}"
    return Section("Disk", f"{text}.")


def _size(gigabytes: float) -> str:
    return f"{gigabytes:.1f} GB" if gigabytes >= 1 else f"{1e3 * gigabytes:.1f} MB"


def _percent(rate: Interval) -> str:
    return f"{100 * rate.value:.0f} % ({100 * rate.low:.0f} to {100 * rate.high:.0f})"


def _hour_of(stamp_ns: int) -> int:
    moment = datetime.fromtimestamp(stamp_ns / 1e9).replace(minute=0, second=0, microsecond=0)
    return round(moment.timestamp()) * 1_000_000_000


def unlabelled_of(rows: Sequence[EpisodeRow]) -> tuple[tuple[LabelStatus, int], ...]:
    """Episodes without a label by why."""
    counts = Counter(row.label for row in rows if row.label is not LabelStatus.LABELLED)
    return tuple(counts.most_common())

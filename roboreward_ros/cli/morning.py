# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""``roboreward report RUN --morning``: gathers what a night has left in stores and logs."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from roboreward_ros.cli import run_config
from roboreward_ros.cli.preflight import launch_in
from roboreward_ros.cli.run_files import learner_progress
from roboreward_ros.dsrl.config import load_profile
from roboreward_ros.dsrl.follow import FollowStatus
from roboreward_ros.dsrl.watch import SteeringWatch, WatchState
from roboreward_ros.episodes.reader import StoredEpisode
from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.episodes.views import LabelStatus
from roboreward_ros.errors import FormatError, RoboRewardError, StoreError
from roboreward_ros.evaluation.html import render_sections
from roboreward_ros.evaluation.morning import (
    HOUR_NS,
    Done,
    Morning,
    Restart,
    Spell,
    clock,
    lead,
    page_sections,
    text_of,
    unlabelled_of,
)
from roboreward_ros.evaluation.run_view import EpisodeRow, RunView
from roboreward_ros.files import write_atomic
from roboreward_ros.session.health import HealthEvent
from roboreward_ros.session.health_log import read_health
from roboreward_ros.session.launch_end import LaunchEnd, read_ends
from roboreward_ros.stack import StackArguments
from roboreward_ros.types import HealthLevel

PAGE_FILE = "morning.html"
LAUNCH_LOG, SESSION_LOG = "launch.log", "session_node.log"
SESSION, LAUNCH = "session_node", "launch"
READY = "ready"
"""What a node logs once it takes work."""
LOW_GB = 2.0
_LINE = re.compile(r"[A-Z]+ (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?) (.*)")
_ENDED = re.compile(r"(\w+) (was killed by \w+|ended with code -?\d+)(.*)")
_PHASE = re.compile(r"(FAULT|PAUSED|RESETTING|READY|RUNNING|IDLE|SCORING|WAIT_RESET|DONE): (.*)")
_BAD = ("FAULT", "PAUSED")


def write_morning(run_dir: Path, hours: float, now_ns: int | None = None) -> tuple[str, Path]:
    """Write ``morning.html``; returns the same as text, and where the page is.

    Args:
        run_dir: of the run.
        hours: length of the night; it ends now, or with the run's last sign of life where that
            is longer ago than a night.
        now_ns: ns since the epoch; None: the clock's.

    Raises:
        StoreError: there is no run.
        FormatError: something of it is damaged.
    """
    from roboreward_ros.evaluation.morning_figure import night

    morning = gather(run_dir, hours, time.time_ns() if now_ns is None else now_ns)
    figure = night(morning) if morning.episodes or morning.faults else None
    sections = page_sections(morning, figure)
    page = render_sections(f"{morning.name}: this morning", lead(morning), sections)
    write_atomic(run_dir / PAGE_FILE, page)
    return text_of(morning), run_dir / PAGE_FILE


def gather(run_dir: Path, hours: float, now_ns: int) -> Morning:
    """Read everything; see ``write_morning``."""
    if not (run_dir / "run.json").is_file():
        raise StoreError(
            "there is no run",
            got=str(run_dir),
            next_step="Give the folder that was given as run_dir:=.",
        )
    arguments = StackArguments.from_strings(run_config.load(run_dir))
    store, rows, damaged = EpisodeStore(run_dir), *_rows(run_dir)
    episodes = _episodes(store, rows)
    health, session = read_health(run_dir), list(_lines(run_dir / "logs" / SESSION_LOG))
    signs = [stamp_ns for d in episodes for stamp_ns in (d.from_ns, d.to_ns)]
    signs += [event.stamp_ns for event in health]
    signs += [stamp_ns for stamp_ns, _ in session]
    ends = read_ends(run_dir)
    signs += [end.stamp_ns for end in ends]
    length_ns = round(hours * HOUR_NS)
    end_ns = now_ns
    running = bool(launch_in(run_dir))
    if not running and signs and max(signs) < now_ns - length_ns:
        end_ns = max(signs)
    begin_ns = end_ns - length_ns
    if signs:  # nothing is known of the time before the run began
        begin_ns = max(begin_ns, min(min(signs), end_ns))
    tonight = [d for d in episodes if begin_ns <= d.from_ns <= end_ns]
    watch = _watch(run_dir, arguments)
    begun = [d.from_ns for d in episodes] + [at_ns for at_ns, text in session if text == READY]
    begun += [now_ns] if running else []
    faults = _faults(health, session, _given_up(ends, begun), begin_ns, end_ns, running=running)
    asked = sum(row.label in (LabelStatus.ABSTAINED, LabelStatus.ASK) for row in rows)
    audits = len(watch.audits) if watch is not None else 0
    free_gb = shutil.disk_usage(run_dir).free / 1e9
    gave_up = any(fault.name == LAUNCH and fault.to_ns is None for fault in faults)
    stopped = "" if gave_up else _stopped(session, running, end_ns)
    return Morning(
        name=run_dir.resolve().name,
        task=arguments.task,
        from_ns=begin_ns,
        to_ns=end_ns,
        running=running,
        needs=_needs(faults, watch, asked, free_gb, damaged, stopped),
        faults=tuple(faults),
        restarts=_restarts(run_dir, begin_ns, end_ns),
        episodes=tuple(tonight),
        dropped=_dropped(session, begin_ns, end_ns) if session else None,
        unlabelled=unlabelled_of(rows),
        asked=asked,
        audits=audits,
        free_gb=free_gb,
        run_gb=_bytes([run_dir]) / 1e9,
        night_gb=_bytes([store.root / d.row.episode_id for d in tonight]) / 1e9,
        learner=_learner(run_dir, len(rows), watch),
        damaged=tuple(damaged),
    )


def _rows(run_dir: Path) -> tuple[list[EpisodeRow], list[str]]:
    """Rows of the episodes that can be read, and the names of the others."""
    store = EpisodeStore(run_dir)
    damaged = []
    for name in store.ids():
        try:
            store.open(name).truth()
        except (FormatError, StoreError):
            damaged.append(name)
    return RunView(run_dir, leave_out=damaged).rows(), damaged


def _episodes(store: EpisodeStore, rows: Sequence[EpisodeRow]) -> list[Done]:
    found = []
    for row in rows:
        stored: StoredEpisode = store.open(row.episode_id)
        stamps, summary = stored.stamps_ns(), stored.summary
        found.append(Done(row, stamps[0], stamps[-1], summary.taint, summary.discarded))
    return found


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Lines of a node's log that carry a time: ns since the epoch, and their text."""
    if not path.is_file():
        return
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            if found := _LINE.match(line):
                stamp = datetime.fromisoformat(found[1])
                yield round(stamp.timestamp() * 1e9), found[2].rstrip()


def _faults(
    health: Sequence[HealthEvent],
    session: Sequence[tuple[int, str]],
    given_up: Sequence[Spell],
    begin_ns: int,
    end_ns: int,
    *,
    running: bool,
) -> list[Spell]:
    """Spells of trouble, from the health log, the session's own phases and launches' ends."""
    found = list(given_up)
    open_spells: dict[str, Spell] = {}
    for event in health:
        reason = event.reason
        if reason.node == SESSION and reason.level is HealthLevel.WARN:
            continue  # it starts, or waits for a person
        if event.raised:
            earlier = open_spells.get(reason.name)
            began = earlier.from_ns if earlier is not None else reason.since_ns
            open_spells[reason.name] = Spell(reason.name, reason.what, began, None, reason.do)
        elif (spell := open_spells.pop(reason.name, None)) is not None:
            found.append(Spell(spell.name, spell.what, spell.from_ns, event.stamp_ns, spell.do))
    last_ns = max((stamp_ns for stamp_ns, _ in session), default=end_ns)
    found += [  # a stack that ended took its trouble along
        spell if running else Spell(spell.name, spell.what, spell.from_ns, last_ns)
        for spell in open_spells.values()
    ]
    own = [spell for spell in found if spell.name.startswith(SESSION)]
    found += [s for s in _phases(session, running=running) if not any(_meet(s, o) for o in own)]
    inside = [s for s in found if s.from_ns <= end_ns and (s.to_ns or end_ns) >= begin_ns]
    return sorted(inside, key=lambda spell: spell.from_ns)


def _given_up(ends: Sequence[LaunchEnd], begun: Sequence[int]) -> list[Spell]:
    """Launches that gave up, each until the session began again; ``begun``: ns since the epoch."""
    do = "Look at the arm and at logs/; launch it again to go on."
    return [
        Spell(LAUNCH, end.words, end.stamp_ns, min(later, default=None), do)
        for end in ends
        for later in [[at_ns for at_ns in begun if at_ns > end.stamp_ns]]
    ]


def _meet(first: Spell, second: Spell) -> bool:
    """Whether two spells overlap."""
    ends = [spell.to_ns if spell.to_ns is not None else 1 << 63 for spell in (first, second)]
    return first.from_ns <= ends[1] and second.from_ns <= ends[0]


def _phases(session: Sequence[tuple[int, str]], *, running: bool) -> list[Spell]:
    """FAULT and PAUSED of the session; a person's own hold is no fault."""
    found: list[Spell] = []
    since: tuple[int, str] | None = None
    for stamp_ns, text in session:
        phase = _PHASE.match(text)
        if phase is None:
            continue
        if since is not None:
            found.append(Spell("session", since[1], since[0], stamp_ns))
        bad = phase[1] in _BAD and not phase[2].startswith("held")
        since = (stamp_ns, phase[2]) if bad else None
    if since is not None:
        end_ns = None if running else session[-1][0]
        found.append(Spell("session", since[1], since[0], end_ns))
    return found


def _dropped(session: Sequence[tuple[int, str]], begin_ns: int, end_ns: int) -> int:
    """Tries of episodes beyond those that were kept."""
    armed: list[str] = []
    for stamp_ns, text in session:
        if begin_ns <= stamp_ns <= end_ns and (found := re.match(r"RUNNING: running (\w+)", text)):
            armed.append(found[1])
    return len(armed) - len(set(armed))


def _restarts(run_dir: Path, begin_ns: int, end_ns: int) -> tuple[Restart, ...] | None:
    path = run_dir / "logs" / LAUNCH_LOG
    if not path.is_file():
        return None
    found = []
    for stamp_ns, text in _lines(path):
        ended = _ENDED.match(text)
        if ended and begin_ns <= stamp_ns <= end_ns:
            found.append(Restart(stamp_ns, ended[1], f"{ended[2]}{ended[3]}"))
    return tuple(found)


def _watch(run_dir: Path, arguments: StackArguments) -> WatchState | None:
    """Audits that wait, and what holds weights back; None where it cannot be worked out."""
    try:
        config = load_profile(arguments.profile)
        return SteeringWatch(run_dir, config, arguments.seed).look(FollowStatus())
    except RoboRewardError:
        return None


def _learner(run_dir: Path, episodes: int, watch: WatchState | None) -> str:
    try:
        progress = learner_progress(run_dir)
    except FormatError as error:
        return str(error)
    actors = sorted((run_dir / "policies").glob("actor_*.safetensors"))
    text = f"{progress.grad_steps} updates over {episodes} episodes"
    if actors:
        given_ns = actors[-1].stat().st_mtime_ns
        text += f"; newest actor {int(actors[-1].stem.split('_')[1])}, given out {clock(given_ns)}"
    else:
        text += "; no actor was given out yet"
    if watch is None:
        return f"{text}; whether weights are held back cannot be worked out."
    compared = watch.report.comparison
    nothing = "nothing to compare steering with yet"
    word = watch.report.message if compared.steered_n and compared.base_n else nothing
    return f"{text}; {watch.alarm or word}."


def _stopped(session: Sequence[tuple[int, str]], running: bool, end_ns: int) -> str:
    """Why nothing runs, where nothing does; "" where that is as it should be."""
    if running or not session:
        return ""
    stamp_ns, text = session[-1]
    phases = [text for _, text in session if _PHASE.match(text)]
    if phases and phases[-1].startswith("DONE"):
        return ""
    return f"nothing runs since {clock(min(stamp_ns, end_ns))}: {text}. Launch it again to go on."


def _needs(
    faults: Sequence[Spell],
    watch: WatchState | None,
    asked: int,
    free_gb: float,
    damaged: Sequence[str],
    stopped: str,
) -> tuple[str, ...]:
    found = [stopped] if stopped else []
    found += [f"{s.name}: {s.what}. {s.do}".strip() for s in faults if s.to_ns is None]
    if watch is not None and watch.alarm:
        found.append(f"{watch.alarm}. Decide on the console.")
    if damaged:
        names = ", ".join(damaged[:3])
        found.append(f"damaged: {names}; {len(damaged)} in all: roboreward episodes verify.")
    if free_gb < LOW_GB:
        found.append(f"the disk has {free_gb:.1f} GB left: free space.")
    if asked:
        found.append(f"{counted(asked)} for an answer on the console.")
    if watch is not None and watch.audits:
        found.append(f"{counted(len(watch.audits))} for an audit on the console.")
    return tuple(found)


def counted(n: int) -> str:
    """``1 episode waits``, ``2 episodes wait``."""
    return "1 episode waits" if n == 1 else f"{n} episodes wait"


def _bytes(folders: Sequence[Path]) -> int:
    return sum(
        path.stat().st_size
        for folder in folders
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink()
    )

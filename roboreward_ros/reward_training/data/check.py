# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Judges a folder in the labelled layout: every row, every video, and what leaks between splits.

Rows go through a database on disk, so memory does not grow with their number.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from roboreward_ros.episodes.exchange.labelled_layout import (
    METADATA,
    SPLITS,
    Fault,
    LayoutRow,
    OnProblem,
    Problem,
    find_table,
    read_table,
)
from roboreward_ros.episodes.exchange.video import nominal_rate, probe
from roboreward_ros.errors import ConfigError, FormatError
from roboreward_ros.reward_training.data.content import file_sha256

_SCHEMA = """
CREATE TABLE rows (split TEXT, id TEXT, subset TEXT, task TEXT, reward INTEGER, sha TEXT, fps REAL,
                   place TEXT);
CREATE TABLE videos (path TEXT PRIMARY KEY, sha TEXT, fps REAL, fault TEXT);
CREATE INDEX rows_of_id ON rows (split, id);
CREATE INDEX rows_of_video ON rows (split, sha);
CREATE INDEX rows_of_task ON rows (split, task);
"""
OTHER = "against"


@dataclass(frozen=True, slots=True)
class Leak:
    """What one part of the data knows of another.

    Attributes:
        learned: part that is trained on.
        judged: part that judges.
        rows: of the judging part.
        same_video: of them, whose video, or the video that it was cut from, was learned.
        same_sentence: of them, whose sentence was learned.
    """

    learned: str
    judged: str
    rows: int
    same_video: int
    same_sentence: int


@dataclass(slots=True)
class Verdict:
    """What a check found.

    Attributes:
        levels: usable rows by split and reward.
        subsets: usable rows by subset.
        rates: usable rows by rate, Hz.
        faults: problems by kind.
        leaks: between the splits.
    """

    levels: dict[str, Counter[int]] = field(default_factory=dict)
    subsets: Counter[str] = field(default_factory=Counter)
    rates: Counter[float] = field(default_factory=Counter)
    faults: Counter[Fault] = field(default_factory=Counter)
    leaks: list[Leak] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """Nothing is wrong and no video is in two splits."""
        return not self.faults and not any(leak.same_video for leak in self.leaks)

    def as_json(self) -> dict[str, object]:
        """As plain values."""
        return {
            "clean": self.clean,
            "rows": {split: dict(sorted(found.items())) for split, found in self.levels.items()},
            "subsets": dict(sorted(self.subsets.items())),
            "fps": {f"{rate:g}": count for rate, count in sorted(self.rates.items())},
            "problems": {fault.value: count for fault, count in sorted(self.faults.items())},
            "contamination": [
                {
                    "train": leak.learned,
                    "test": leak.judged,
                    "rows": leak.rows,
                    "same_video": leak.same_video,
                    "same_sentence": leak.same_sentence,
                }
                for leak in self.leaks
            ],
        }


def check(
    folder: Path,
    against: Sequence[Path] = (),
    *,
    decode: bool = True,
    on_problem: OnProblem = lambda _: None,
    on_row: Callable[[int], object] = lambda _: None,
) -> Verdict:
    """Look at every row of every split.

    Args:
        folder: in the labelled layout.
        against: folders whose test split (or only table) the splits here must not know.
        decode: decode every video to its end; else only its header is read.
        on_problem: told of everything that is wrong.
        on_row: told how many rows were looked at.

    Raises:
        ConfigError: there is no table.
    """
    tables = _tables(folder)
    verdict = Verdict()

    def note(problem: Problem) -> None:
        verdict.faults[problem.fault] += 1
        on_problem(problem)

    with _database() as database:
        count = 0
        for split, table in tables:
            for row in read_table(table, note):
                _add(database, split, row, decode, note)
                count += 1
                on_row(count)
        _duplicates(database, note)
        _rates(database, note)
        others = []
        for number, other in enumerate(against):
            name = f"{OTHER} {other.name}"
            if name in others:
                name = f"{name} ({number})"
            others.append(name)
            for row in read_table(find_table(other, "test"), _not_ours):
                _add(database, name, row, False, _not_ours)
        _count(database, verdict, [split for split, _ in tables])
        splits = [split for split, _ in tables]
        pairs = [(a, b) for k, a in enumerate(splits) for b in splits[k + 1 :]]
        pairs += [(split, name) for name in others for split in splits]
        verdict.leaks = [_leak(database, learned, judged) for learned, judged in pairs]
    return verdict


def count_rows(folder: Path) -> int:
    """Lines of all tables; raises ConfigError where there is none."""
    count = 0
    for _, table in _tables(folder):
        with table.open("rb") as lines:
            count += sum(1 for _ in lines)
    return count


def _tables(folder: Path) -> list[tuple[str, Path]]:
    """Tables by split; ``all`` where the folder has no splits."""
    tables = [(split, folder / split / METADATA) for split in SPLITS]
    tables = [(split, path) for split, path in tables if path.is_file()]
    return tables or [("all", find_table(folder, "train"))]


def _not_ours(problem: Problem) -> None:
    """The other folder's faults are its own affair; its usable rows are compared."""
    del problem


@contextmanager
def _database() -> Iterator[sqlite3.Connection]:
    with (
        tempfile.TemporaryDirectory(prefix="roboreward_check_") as folder,
        closing(sqlite3.connect(Path(folder) / "rows.sqlite")) as database,
    ):
        database.execute("PRAGMA synchronous=OFF")  # it lives no longer than this process
        database.execute("PRAGMA journal_mode=OFF")
        database.executescript(_SCHEMA)
        yield database


def _add(
    database: sqlite3.Connection, split: str, row: LayoutRow, decode: bool, note: OnProblem
) -> None:
    found = database.execute(
        "SELECT sha, fps, fault FROM videos WHERE path = ?", (str(row.path),)
    ).fetchone()
    if found is None:
        try:
            fps = probe(row.path).fps if decode else nominal_rate(row.path)
            found = (file_sha256(row.path), fps, "")
        except FormatError as error:
            found = ("", 0.0, str(error))
        database.execute("INSERT INTO videos VALUES (?, ?, ?, ?)", (str(row.path), *found))
    sha, fps, fault = found
    if fault:
        note(Problem(Fault.DAMAGED, row.place, str(fault)))
        return
    values = (split, row.id, row.subset, row.task.lower(), row.reward)
    content = row.video_sha256 or sha
    database.execute(
        "INSERT INTO rows VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (*values, content, fps, row.place)
    )


def _duplicates(database: sqlite3.Connection, note: OnProblem) -> None:
    """Rows that repeat an id of their split; the first one stays."""
    repeated = database.execute(
        "SELECT rowid, id, place FROM rows AS a WHERE EXISTS (SELECT 1 FROM rows AS b "
        "WHERE b.split = a.split AND b.id = a.id AND b.rowid < a.rowid) ORDER BY rowid"
    ).fetchall()
    for rowid, key, place in repeated:
        note(Problem(Fault.DUPLICATE, place, key))
        database.execute("DELETE FROM rows WHERE rowid = ?", (rowid,))


def _rates(database: sqlite3.Connection, note: OnProblem) -> None:
    """Rows whose video has another rate than most of its subset."""
    usual: dict[str, float] = {}
    for subset, fps, _ in database.execute(
        "SELECT subset, fps, COUNT(*) AS n FROM rows GROUP BY subset, fps ORDER BY subset, n DESC, "
        "fps"
    ):
        usual.setdefault(subset, fps)
    for subset, most in usual.items():
        odd = database.execute(
            "SELECT place, fps FROM rows WHERE subset = ? AND fps != ?", (subset, most)
        )
        for place, fps in odd:
            detail = f"{fps:g} Hz, most of {subset} has {most:g} Hz"
            note(Problem(Fault.MIXED_FPS, place, detail))


def _count(database: sqlite3.Connection, verdict: Verdict, splits: Sequence[str]) -> None:
    grouped = "SELECT split, reward, subset, fps, COUNT(*) FROM rows GROUP BY 1, 2, 3, 4"
    for split, reward, subset, fps, count in database.execute(grouped):
        if split not in splits:
            continue
        verdict.levels.setdefault(split, Counter())[reward] += count
        verdict.subsets[subset] += count
        verdict.rates[fps] += count
    if not verdict.levels:
        raise ConfigError("no row of this data set can be used", got=dict(verdict.faults))


def _leak(database: sqlite3.Connection, learned: str, judged: str) -> Leak:
    def count(condition: str) -> int:
        query = f"SELECT COUNT(*) FROM rows AS b WHERE b.split = ?{condition}"
        values = (judged, learned) if condition else (judged,)
        return int(database.execute(query, values).fetchone()[0])

    same = " AND EXISTS (SELECT 1 FROM rows AS a WHERE a.split = ? AND a.{0} = b.{0})"
    return Leak(learned, judged, count(""), count(same.format("sha")), count(same.format("task")))

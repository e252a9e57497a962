# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A node that talks all night does not fill the disk."""

from pathlib import Path

from roboreward_ros.cli.log_file import LogFile


def test_a_full_log_moves_aside_and_the_newest_lines_stay(tmp_path: Path) -> None:
    path = tmp_path / "node.log"
    lines = [f"line {number:05}\n" for number in range(1000)]
    with LogFile(path, full_bytes=1100) as log:
        for line in lines:
            log.write(line)
    older = tmp_path / "node.log.1"
    assert {entry.name for entry in tmp_path.iterdir()} == {path.name, older.name}
    kept = older.read_text() + path.read_text()
    assert 1100 < len(kept) <= 2200
    assert kept == "".join(lines)[-len(kept) :]


def test_a_log_goes_on_where_it_ended(tmp_path: Path) -> None:
    for word in ("one\n", "two\n"):
        with LogFile(tmp_path / "node.log") as log:
            log.write(word)
    assert (tmp_path / "node.log").read_text() == "one\ntwo\n"


def test_a_line_longer_than_the_log_is_kept(tmp_path: Path) -> None:
    with LogFile(tmp_path / "node.log", full_bytes=4) as log:
        log.write("a long line\n")
    assert (tmp_path / "node.log").read_text() == "a long line\n"


def test_a_disk_that_takes_nothing_stops_nobody_and_a_line_comes_when_it_does(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    with LogFile(folder / "node.log", full_bytes=8) as log:
        log.write("one\n")
        folder.rename(tmp_path / "elsewhere")
        log.write("too long\n")
        folder.mkdir()
        log.write("two\n")
    assert (folder / "node.log").read_text() == "two\n"

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from roboreward_ros.episodes.ledger import OPERATOR, Ledger, ledger_path
from roboreward_ros.episodes.lines import LineWriter, decode_line, encode_line
from roboreward_ros.errors import ConfigError, FormatError, StoreError
from roboreward_ros.types import (
    LabelRecord,
    Provenance,
    RewardFailure,
    Score,
    ScoreKind,
    ScoreScale,
)

WRITER = """
import sys
from roboreward_ros.episodes.ledger import Ledger
from roboreward_ros.types import LabelRecord, Provenance, RewardFailure
ledger = Ledger(sys.argv[1], "w")
while True:
    print(ledger.append(LabelRecord(-1, "e", RewardFailure("x" * 300, Provenance("s")), 1)).seq,
          flush=True)
"""


def score(value=3.0, episode_id="ep_000000"):
    outcome = Score(value, ScoreScale.RUBRIC, ScoreKind.NONE, Provenance("ground_truth"))
    return LabelRecord(-1, episode_id, outcome, 17)


@pytest.fixture
def written(run_dir):
    ledger = Ledger(run_dir, "w")
    for value in (1, 2, 3):
        ledger.append(score(value))
    ledger.close()
    return run_dir


def test_records_get_their_place_and_come_back(run_dir):
    ledger = Ledger(run_dir, "w")
    stored = [ledger.append(score(value)) for value in (1, 5)]
    assert [r.seq for r in stored] == [0, 1]
    assert Ledger(run_dir).records() == tuple(stored)
    assert Ledger(run_dir).records(1) == (stored[1],)
    assert Ledger(run_dir).records(99) == ()


def test_a_reader_follows_the_writer(run_dir):
    reader = Ledger(run_dir)
    assert reader.records() == ()
    ledger = Ledger(run_dir, "w")
    assert reader.records() == ()
    record = ledger.append(score())
    assert reader.records() == (record,)


def test_the_file_goes_on_after_a_restart(written):
    ledger = Ledger(written, "w")
    assert ledger.cut_bytes == 0
    assert ledger.append(score(4)).seq == 3
    assert len(Ledger(written).records()) == 4


def test_two_writers_are_refused_and_other_producers_are_not(run_dir):
    first = Ledger(run_dir, "w")
    with pytest.raises(StoreError, match=f"pid {os.getpid()}"):
        Ledger(run_dir, "w")
    Ledger(run_dir, "w", OPERATOR).append(score())
    first.append(score())


def test_a_reader_cannot_append(written):
    with pytest.raises(StoreError, match="reading"):
        Ledger(written).append(score())


def test_only_an_earlier_record_can_be_retracted(written):
    ledger = Ledger(written, "w")
    failure = RewardFailure("taken back", Provenance("human"))
    with pytest.raises(StoreError, match="earlier"):
        ledger.append(LabelRecord(-1, "ep_000000", failure, 1, retracts=3))
    assert ledger.append(LabelRecord(-1, "ep_000000", failure, 1, retracts=2)).retracts == 2


def test_what_is_no_number_is_refused_before_the_file(written):
    size = ledger_path(written).stat().st_size
    outcome = RewardFailure("x", Provenance("s"), latency_s=float("nan"))
    ledger = Ledger(written, "w")
    with pytest.raises(ConfigError, match="JSON"):
        ledger.append(LabelRecord(-1, "ep_000000", outcome, 1))
    assert ledger_path(written).stat().st_size == size


@pytest.mark.parametrize("length", [1, 9, 40, 200])
def test_a_torn_tail_is_ignored_by_readers_and_cut_by_the_writer(written, length, caplog):
    path = ledger_path(written)
    whole = path.read_bytes()
    path.write_bytes(whole + encode_line({"seq": 3})[:-1].ljust(length, b"x")[:length])
    assert len(Ledger(written).records()) == 3
    ledger = Ledger(written, "w")
    assert ledger.cut_bytes == length
    assert "unfinished line" in caplog.text
    assert ledger.append(score()).seq == 3
    assert len(Ledger(written).records()) == 4
    assert [p for p in path.parent.iterdir() if ".torn-" in p.name]


def test_zeros_of_a_power_cut_are_cut_although_a_newline_follows(written):
    path = ledger_path(written)
    path.write_bytes(path.read_bytes() + b"\0" * 100 + b"}\n")
    ledger = Ledger(written, "w")
    assert ledger.cut_bytes == 102
    assert ledger.append(score()).seq == 3


def test_every_flipped_byte_of_a_middle_line_is_named(written):
    path = ledger_path(written)
    data = path.read_bytes()
    lines = data.split(b"\n")
    start = len(lines[0]) + 1 + len(lines[1]) + 1
    for at in range(start, start + len(lines[2])):
        flipped = bytearray(data)
        flipped[at] ^= 1
        if b"\n" in (bytes(flipped[at : at + 1]), data[at : at + 1]):
            continue
        path.write_bytes(flipped)
        with pytest.raises(FormatError, match=r"line 3.*backup"):
            Ledger(written)
    with pytest.raises(FormatError, match="line 3"):
        Ledger(written, "w")
    path.write_bytes(data)
    assert len(Ledger(written, "w").records()) == 3


def test_a_removed_line_is_noticed(written):
    path = ledger_path(written)
    lines = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join(lines[:2] + lines[3:]))
    with pytest.raises(FormatError, match="out of order"):
        Ledger(written)


def test_a_file_that_shrinks_under_a_reader_is_noticed(written):
    reader = Ledger(written)
    os.truncate(ledger_path(written), 10)
    with pytest.raises(FormatError, match="shorter"):
        reader.records()


def test_a_newer_or_foreign_file_is_refused(run_dir):
    path = ledger_path(run_dir)
    LineWriter(path, "roboreward ledger", 2).close()
    with pytest.raises(FormatError, match="newer"):
        Ledger(run_dir)
    path.unlink()
    LineWriter(path, "roboreward marks", 1).close()
    with pytest.raises(FormatError, match="another kind"):
        Ledger(run_dir)


def test_a_line_is_json_that_other_tools_read():
    import json

    line = encode_line({"text": 'quotes " and \\ and é', "n": 1})
    assert json.loads(line)["record"]["n"] == 1
    assert decode_line(line[:-1], "line", "") == {"text": 'quotes " and \\ and é', "n": 1}


def test_a_killed_writer_loses_nothing_it_acknowledged(run_dir):
    run_dir.mkdir()
    for kill_after in (1, 7, 40):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(run_dir)], stdout=subprocess.PIPE, text=True
        )
        for _ in range(kill_after):
            process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        rest = process.communicate()[0].split()
        records = Ledger(run_dir, "w")
        assert len(records.records()) > int(rest[-1] if rest else 0)
        assert [r.seq for r in records.records()] == list(range(len(records.records())))
        records.close()


def test_an_unwritable_folder_is_a_clear_error(tmp_path: Path):
    (tmp_path / "ledger").write_text("a file where a folder should be")
    with pytest.raises(StoreError, match="cannot be written"):
        Ledger(tmp_path, "w")


def test_a_full_disk_leaves_the_ledger_as_it_was(written, monkeypatch):
    ledger = Ledger(written, "w")
    before = ledger_path(written).read_bytes()

    def full(fd):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", full)
        with pytest.raises(StoreError, match=r"No space left.*not stored"):
            ledger.append(score())
    assert ledger_path(written).read_bytes() == before
    assert ledger.append(score()).seq == 3
    assert len(Ledger(written).records()) == 4

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A file that many processes write a line at a time."""

import os

import pytest

from roboreward_ros.clock import FakeClock
from roboreward_ros.episodes.lines import LineReader, LineWriter, append_record
from roboreward_ros.errors import LockedError, StoreError

KIND, FORMAT = "test", 1


def test_a_writer_is_waited_for(tmp_path):
    path = tmp_path / "lines.jsonl"
    holder = LineWriter(path, KIND, FORMAT)

    class Patience(FakeClock):
        def sleep(self, duration_s):
            super().sleep(duration_s)
            if self.steady_ns() > 1e9:
                holder.close()

    clock = Patience()
    append_record(path, KIND, FORMAT, {"n": 1}, clock)
    assert clock.steady_ns() > 1e9
    assert LineReader(path, KIND, FORMAT).poll() == [{"n": 1}]


def test_one_that_stays_is_named_after_two_seconds(tmp_path):
    path, clock = tmp_path / "lines.jsonl", FakeClock()
    holder = LineWriter(path, KIND, FORMAT)
    with pytest.raises(LockedError, match="another process; got 'pid"):
        append_record(path, KIND, FORMAT, {"n": 1}, clock)
    assert clock.steady_ns() == pytest.approx(2e9)
    holder.close()


def test_a_folder_that_cannot_be_written_is_told_at_once(tmp_path):
    (tmp_path / "file").write_text("")
    clock = FakeClock()
    with pytest.raises(StoreError, match="cannot be written"):
        append_record(tmp_path / "file" / "lines.jsonl", KIND, FORMAT, {"n": 1}, clock)
    assert clock.steady_ns() == 0


@pytest.mark.parametrize("refused", ["pwrite", "fdatasync"])
def test_a_full_disk_is_told_at_once_and_holds_no_lock(tmp_path, monkeypatch, refused):
    path, clock = tmp_path / "lines.jsonl", FakeClock()

    def full(*args):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, refused, full)
        with pytest.raises(StoreError, match="No space left") as error:
            append_record(path, KIND, FORMAT, {"n": 1}, clock)
    assert not isinstance(error.value, LockedError)
    append_record(path, KIND, FORMAT, {"n": 2}, clock)
    assert clock.steady_ns() == 0
    assert LineReader(path, KIND, FORMAT).poll() == [{"n": 2}]

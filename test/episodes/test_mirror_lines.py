# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A mirror knows the number of its lines without reading them all again for each that comes."""

from pathlib import Path

import pytest

from roboreward_ros.episodes import mirror as mirror_module
from roboreward_ros.episodes.ledger import Ledger
from roboreward_ros.episodes.mirror import Mirror
from roboreward_ros.errors import FormatError
from roboreward_ros.testing.fake_rewards import FakeSource
from roboreward_ros.types import LabelRecord

NAME = "ledger/ledger.jsonl"
RUN = "a" * 32


@pytest.fixture
def lines(tmp_path):
    ledger = Ledger(tmp_path / "run", "w")
    for k in range(20):
        ledger.append(LabelRecord(-1, f"ep_{k:06d}", FakeSource().answer(), 0))
    ledger.close()
    return (tmp_path / "run" / NAME).read_bytes().splitlines(keepends=True)


def test_each_line_is_read_back_once_and_its_place_is_checked(tmp_path, monkeypatch, lines):
    read = []

    def counting(path: Path, offset: int = 0) -> bytes:
        data = path.read_bytes()[offset:]
        read.append(len(data))
        return data

    monkeypatch.setattr(mirror_module, "_read", counting)
    mirror, size = Mirror(tmp_path / "mirror", RUN), 0
    for line in lines:
        size = mirror.append(NAME, size, line)
    assert size == sum(map(len, lines))
    assert sum(read) <= size, "the whole file once, in pieces"
    with pytest.raises(FormatError, match="out of order"):
        mirror.append(NAME, size, lines[-1])
    assert mirror.append(NAME, size - len(lines[-1]), lines[-1]) == size, "sent twice"
    mirror.close()
    # One that was opened again begins with what lies there.
    again = Mirror(tmp_path / "mirror", RUN)
    with pytest.raises(FormatError, match="line 22, is out of order"):
        again.append(NAME, size, lines[-1])
    again.close()

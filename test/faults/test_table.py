# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The pages about faults are whole: every fault that can be caused has a row, every test exists."""

import re
from pathlib import Path

import pytest

from roboreward_ros.rehearsal.faults import FaultKind

ROOT = Path(__file__).parents[2]
TABLE = (ROOT / "docs/explanation/faults.md").read_text(encoding="utf-8")
REHEARSE = (ROOT / "docs/how-to/rehearse.md").read_text(encoding="utf-8")


def rows(text: str) -> list[list[str]]:
    """Cells of each row of each table."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


@pytest.mark.parametrize("kind", FaultKind)
def test_every_fault_has_a_row(kind: FaultKind) -> None:
    firsts = " ".join(cells[0] for cells in rows(TABLE) + rows(REHEARSE))
    assert f"`{kind}`" in firsts


def test_every_row_names_a_test_that_exists() -> None:
    tested = 0
    for cells in rows(TABLE):
        if len(cells) != 4 or cells[3] in ("tests", "---"):
            continue
        named = re.findall(r"`([^`]+)`", cells[3])
        assert named or cells[3] == "the same", cells[0]
        for name in named:
            assert (ROOT / "test" / f"{name}.py").is_file(), f"{cells[0]}: {name}"
        tested += 1
    assert tested > 50

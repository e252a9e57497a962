# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A launch that gave up is told once, and not at every try of what starts it again."""

from pathlib import Path

from roboreward_ros.session.launch_end import (
    ENDS_FILE,
    LaunchEnd,
    add_end,
    end_to_tell,
    read_ends,
)

S = 10**9
WHY = "session_node died 4 times"


def test_what_was_written_is_read_and_a_torn_line_is_left_out(tmp_path: Path) -> None:
    assert read_ends(tmp_path) == []
    ends = [LaunchEnd(k, f"{k}-9", WHY) for k in range(2)]
    add_end(tmp_path, ends[0])
    with (tmp_path / ENDS_FILE).open("a") as file:
        file.write('[1]\n{"stamp_ns": "?"}\n')
    add_end(tmp_path, ends[1])
    with (tmp_path / ENDS_FILE).open("a") as file:
        file.write('{"stamp_ns"')
    assert read_ends(tmp_path) == ends
    assert ends[0].words == "session ended by the launch: session_node died 4 times"


def test_another_launchs_end_is_not_told_again() -> None:
    ends = [LaunchEnd(0, "12-34", WHY)]
    assert end_to_tell(ends, "12-34", 300.0) == ends[0]
    assert end_to_tell(ends, "12-99", 300.0) is None, "this one was asked to stop"
    assert end_to_tell([], "12-34", 300.0) is None


def test_launches_that_give_up_again_and_again_are_told_no_more_often_than_asked() -> None:
    ends = [LaunchEnd(40 * k * S, f"{k}-0", WHY) for k in range(20)]
    told = [k for k in range(20) if end_to_tell(ends[: k + 1], ends[k].launcher, 300.0) is not None]
    assert told == [0, 8, 16]
    set_back = [*ends, LaunchEnd(0, "20-0", WHY)]
    assert end_to_tell(set_back, "20-0", 300.0) is not None, "the wall clock was set back"

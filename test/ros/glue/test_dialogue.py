# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How a person's work at the terminal ends."""

import pytest
from rclpy.logging import get_logging_directory

from roboreward_ros.errors import PersonLeftError, RobotError
from roboreward_ros.ros.dialogue import LEFT_EXIT_CODE, end_of


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (PersonLeftError(), LEFT_EXIT_CODE, "the person left"),
        (RobotError("the arm refused", got="no answer"), 1, "the arm refused; got 'no answer'"),
        (OSError(28, "No space left on device"), 1, "[Errno 28] No space left on device"),
    ],
)
def test_what_was_foreseen_is_told_in_its_own_words(error, code, told):
    def work():
        raise error

    log = []
    assert end_of(work, log.append) == (code, told)
    assert not log


def test_a_fault_of_the_program_is_named_as_one_and_its_traceback_logged():
    def work():
        return 1 // 0, ""

    log = []
    code, told = end_of(work, log.append)
    assert code == 1
    assert "a fault of the program: ZeroDivisionError" in told
    assert f"in {get_logging_directory()}" in told
    assert "in work" in log[0]


def test_the_work_names_its_own_end():
    assert end_of(lambda: (0, "done"), print) == (0, "done")

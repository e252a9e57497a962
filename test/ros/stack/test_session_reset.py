# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A program lays out the scene of an arm, through the whole session."""

import sys

import pytest
from session_stack import Stack

pytestmark = pytest.mark.ros


@pytest.fixture
def stack(ros, tmp_path):
    return Stack(ros, tmp_path)


def test_a_program_lays_out_the_scene_before_each_episode(ros, stack, tmp_path):
    done = tmp_path / "done"
    code = f"import os;open(r'{done}','a').write(os.environ['ROBOREWARD_EPISODE']+' ')"
    program = {"reset_command": f'{sys.executable} -c "{code}"', "reset_confirm": False}
    stack.up().start(auto_reset=False, episodes=2, **program)
    ros.spin_until(lambda: len(stack.ids) == 2, "two episodes")
    assert done.read_text() == "ep_000000 ep_000001 "


def test_a_hold_ends_the_program_and_the_arm_does_not_move(ros, stack):
    program = {"reset_command": "sleep 600", "reset_confirm": False}
    stack.up().start(auto_reset=False, episodes=1, **program)
    stack.until("RESETTING")
    assert stack.call("hold").success
    stack.until("PAUSED")
    assert stack.arm.seeds == []

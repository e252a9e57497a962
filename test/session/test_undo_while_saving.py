# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A label ends an episode; until it is saved the label can be taken back, and given again."""

import pytest

from roboreward_ros.session import events as ev
from roboreward_ros.session.events import Phase
from roboreward_ros.session.machine import MachineConfig, SessionMachine
from roboreward_ros.session.plan import PlanConfig

ID = "ep_000000"


@pytest.fixture
def saving():
    """An episode that a person has ended and that is not on disk yet."""
    made = SessionMachine(MachineConfig(), PlanConfig("open the drawer", episodes=2), committed=0)
    for event in (ev.Start(), ev.ResetDone(ID), ev.Begun(ID), ev.Judge("s", operator="ann")):
        made.handle(event)
    assert made.phase is Phase.RUNNING
    return made


def labels(machine):
    return [c for c in machine.handle(ev.Committed(ID)) if isinstance(c, ev.WriteLabel)]


@pytest.mark.parametrize("undo", [ev.Undo(), ev.Undo("ann"), ev.Undo("ann", ID)])
def test_the_label_of_an_episode_that_is_being_saved_is_taken_back(saving, undo):
    assert saving.handle(undo) == []
    assert "without a label" in saving.message
    assert labels(saving) == []


def test_another_label_after_that_holds_and_ends_nothing_twice(saving):
    saving.handle(ev.Undo())
    assert saving.handle(ev.Judge("f", operator="ann")) == []
    assert labels(saving) == [ev.WriteLabel(ID, "f", "ann")]


@pytest.mark.parametrize("undo", [ev.Undo("bob"), ev.Undo("ann", "ep_000007")])
def test_what_somebody_else_said_or_of_another_episode_is_looked_for_on_disk(saving, undo):
    asked = ev.WriteLabel(undo.episode_id, "u", undo.operator)
    assert saving.handle(undo) == [asked]
    assert labels(saving) == [ev.WriteLabel(ID, "s", "ann")]


def test_a_second_undo_takes_back_the_label_before_it(saving):
    saving.handle(ev.Undo())
    assert saving.handle(ev.Undo()) == [ev.WriteLabel("", "u", "")]

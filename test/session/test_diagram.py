# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
import pytest

from roboreward_ros.session.diagram import Edges, edges, mermaid, verb_table
from roboreward_ros.session.events import VERBS, Phase


@pytest.fixture(scope="module")
def found() -> Edges:
    return edges()


def test_the_walk_reaches_every_phase(found: Edges):
    assert {end for _, end in found} == set(Phase)


def test_the_walk_finds_what_the_machine_does_and_nothing_else(found: Edges):
    assert found[Phase.WAIT_RESET, Phase.RESETTING] == {"confirm_reset"}
    assert "saved" in found[Phase.RUNNING, Phase.SCORING]
    assert (Phase.IDLE, Phase.RUNNING) not in found


def test_the_drawing_has_an_arrow_for_every_change_of_phase_in_a_fixed_order(found: Edges):
    drawing = mermaid(found)
    assert drawing.count(" --> ") == 1 + sum(start is not end for start, end in found)
    assert mermaid(dict(reversed(found.items()))) == drawing


def test_the_table_has_a_row_for_each_verb():
    assert [row.split("`")[1] for row in verb_table()[2:]] == list(VERBS)

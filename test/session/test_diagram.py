# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
from roboreward_ros.session.diagram import edges, mermaid, verb_table
from roboreward_ros.session.events import VERBS, Phase


def test_the_drawing_reaches_every_phase_and_is_the_same_each_time():
    drawing = mermaid()
    assert {end for _, end in edges()} == set(Phase)
    assert mermaid() == drawing


def test_the_drawing_has_what_the_machine_does_and_nothing_else():
    found = edges()
    assert found[Phase.WAIT_RESET, Phase.RESETTING] == {"confirm_reset"}
    assert "saved" in found[Phase.RUNNING, Phase.SCORING]
    assert not {pair for pair in found if pair == (Phase.IDLE, Phase.RUNNING)}


def test_the_table_has_a_row_for_each_verb():
    assert [row.split("`")[1] for row in verb_table()[2:]] == list(VERBS)

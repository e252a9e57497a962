# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
import pytest

from roboreward_ros.session.sentences import nearest, remark

KNOWN = ("open the drawer", "put the mushroom on the cloth", "stack the blocks")


@pytest.mark.parametrize("text", KNOWN)
def test_a_sentence_of_the_run_needs_no_remark(text):
    assert remark(text, KNOWN) == ""
    assert nearest(text, KNOWN).same


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("open drawer", KNOWN[0]),
        ("Open the drawer", KNOWN[0]),
        ("please open the drawer.", KNOWN[0]),
        ("put the mushroom onto the cloth", KNOWN[1]),
        ("stack blocks", KNOWN[2]),
    ],
)
def test_other_words_for_a_known_task_are_pointed_out(text, meant):
    assert f"“{meant}”" in remark(text, KNOWN)


@pytest.mark.parametrize("text", ["fold the towel", "pick up the carrot"])
def test_a_task_that_no_episode_had_is_said_to_be_new(text):
    assert "No episode of this run" in remark(text, KNOWN)


@pytest.mark.parametrize(("text", "known"), [("", KNOWN), ("  ", KNOWN), ("anything", ())])
def test_nothing_to_compare_gives_no_remark(text, known):
    assert remark(text, known) == ""

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from roboreward_ros.errors import CheckpointError, ConfigError
from roboreward_ros.policies.text import Vocabulary

TASKS = ("open the drawer", "put the mushroom on the cloth")


def test_bags_are_word_frequencies():
    vocabulary = Vocabulary(TASKS)
    assert vocabulary.words == ("cloth", "drawer", "mushroom", "on", "open", "put", "the")
    bags = vocabulary.bags(TASKS)
    np.testing.assert_allclose(bags.sum(axis=1), 1, atol=1e-6)
    assert bags[1, vocabulary.words.index("the")] == pytest.approx(2 / 6)


def test_case_punctuation_and_spaces_do_not_matter():
    vocabulary = Vocabulary(TASKS)
    assert vocabulary.canonical("  Open the  drawer. ") == "open the drawer"
    np.testing.assert_array_equal(
        vocabulary.bags(["Open, the drawer!"]), vocabulary.bags(["open the drawer"])
    )


@pytest.mark.parametrize("sentence", ["close the drawer", "open drawer", "", "the drawer open"])
def test_another_sentence_is_refused_by_name(sentence: str):
    with pytest.raises(CheckpointError, match="open the drawer") as caught:
        Vocabulary(TASKS).bags([sentence])
    assert repr(sentence) in str(caught.value)


@pytest.mark.parametrize("tasks", [(), ("!",), ("open the drawer", "Open the drawer.")])
def test_tasks_must_be_distinct_sentences(tasks: tuple[str, ...]):
    with pytest.raises(ConfigError):
        Vocabulary(tasks)

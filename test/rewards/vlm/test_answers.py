# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
import math

import numpy as np
import pytest

from roboreward_ros.errors import ConfigError, RewardSourceError
from roboreward_ros.rewards.vlm.answers import Estimate, answer
from roboreward_ros.rewards.vlm.parsers import (
    OutOfRange,
    Parsed,
    Unreadable,
    read_completion,
    read_contrast,
    read_progress,
    read_rubric,
)

LEVELS = (1, 2, 3, 4, 5)


def given(masses, off=0.0):
    """An answer with these masses, ``off`` of the whole outside."""
    logits = np.log(np.maximum(masses, 1e-300) / np.sum(masses) * (1 - off))
    return answer(LEVELS, logits, 0.0)


def test_estimates_and_uncertainty():
    found = given([0.1, 0.2, 0.3, 0.1, 0.3], off=0.25)
    assert found.probabilities == pytest.approx((0.1, 0.2, 0.3, 0.1, 0.3))
    assert found.expected == pytest.approx(3.3)
    assert found.argmax == 3
    assert found.median == 3
    assert found.off_answer_mass == pytest.approx(0.25)
    assert found.entropy == pytest.approx(1.5048, abs=1e-4)
    assert given([1, 1, 1, 1, 1]).entropy == pytest.approx(math.log(5))
    assert given([0, 0, 0, 0, 1]).entropy == pytest.approx(0, abs=1e-9)
    for estimate in Estimate:
        assert given([0, 0, 0, 0, 1]).value(estimate) == 5


@pytest.mark.parametrize(
    ("masses", "median"),
    [([0.5, 0, 0, 0, 0.5], 1), ([0.49, 0, 0, 0, 0.51], 5), ([0.2, 0.2, 0.2, 0.2, 0.2], 3)],
)
def test_the_median_is_the_least_absolute_error(masses, median):
    found = given(masses)
    assert found.median == median
    errors = [np.dot(found.probabilities, np.abs(np.array(LEVELS) - level)) for level in LEVELS]
    assert errors[int(found.median) - 1] == pytest.approx(min(errors))


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_broken_logits_are_an_error_and_no_score(bad):
    with pytest.raises(RewardSourceError, match="not finite"):
        answer(LEVELS, np.array([0, 0, bad, 0, 0.0]), 1.0)
    with pytest.raises(RewardSourceError, match="not finite"):
        answer(LEVELS, np.zeros(5), bad)
    with pytest.raises(ConfigError, match="levels"):
        answer((1, 1, 2, 3, 4), np.zeros(5), 1.0)


@pytest.mark.parametrize("text", ["ANSWER: 4", "answer: 4", " ANSWER:4\n", "ANSWER: 4."])
def test_the_papers_answer_is_read(text):
    assert read_rubric(text) == Parsed(4.0)


@pytest.mark.parametrize(
    "text", ["ANSWER: 50", "ANSWER: 0", "ANSWER: -1", "ANSWER: 6", "ANSWER: 3.5", "ANSWER: 10"]
)
def test_an_answer_out_of_range_is_an_error(text):
    assert isinstance(read_rubric(text), OutOfRange)


@pytest.mark.parametrize(
    "text",
    ["", "4", "four", "ANSWER:", "ANSWER: four", "The drawer is open. ANSWER: 4", "ANSWER: 4 or 5",
     "ANSWER: 4\nANSWER: 5", "ANSWER 4", "SCORE: 4", "ANSWER: <score>", "ANSWER: 4/5",
     "ANSWER: NaN", "ANSWER: 1e9", "<score>-25.0.0.5.6"],
)  # fmt: skip
def test_anything_else_is_unreadable(text):
    assert isinstance(read_rubric(text), Unreadable)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ('{"completion_progress": 0.4}', Parsed(0.4)),
        ('The arm holds it. ```json\n{"completion_progress": "0.4"}\n```', Parsed(0.4)),
        ('{"completion_progress": 1}', Parsed(1.0)),
        ('{"completion_progress": 50}', OutOfRange),
        ('{"completion_progress": -0.1}', OutOfRange),
        ('{"completion_progress": 0.45}', OutOfRange),
        ('{"completion_progress": NaN}', OutOfRange),
        ('{"completion_progress": "NA"}', Unreadable),
        ('{"completion_progress": true}', Unreadable),
        ('{"completion_progress": 0.4} {"completion_progress": 0.6}', Unreadable),
        ('{"progress": 0.4}', Unreadable),
        ("0.4", Unreadable),
        ("completion_progress: 0.4", Unreadable),
        ('{"completion_progress": 0.4', Unreadable),
        ("", Unreadable),
    ],
)
def test_progress(text, wanted):
    found = read_progress(text)
    assert found == wanted if isinstance(wanted, Parsed) else isinstance(found, wanted)


def test_completion_and_contrast():
    assert read_completion('{"task_completed": "yes"}') == Parsed(1.0)
    assert read_completion('{"task_completed": "No"}') == Parsed(0.0)
    assert isinstance(read_completion('{"task_completed": "maybe"}'), Unreadable)
    assert isinstance(read_completion("yes"), Unreadable)
    assert read_contrast('B is nearer. {"more_complete_image": "ImageB"}') == Parsed(1.0)
    assert read_contrast('{"more_complete_image": "ImageA"}') == Parsed(-1.0)
    assert isinstance(read_contrast('{"more_complete_image": "both"}'), Unreadable)
    assert isinstance(read_contrast("ImageA is worse than ImageB"), Unreadable)

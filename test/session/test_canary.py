# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from roboreward_ros.errors import ConfigError
from roboreward_ros.session.canary import Outcome, Verdict, blocks, capital, compare, kills


def play(rng, base, steered, count=200, every=5):
    canary = [(k + 1) % every == 0 for k in range(count)]
    return [
        Outcome(k, c, bool(rng.random() < (base if c else steered))) for k, c in enumerate(canary)
    ]


def test_a_block_is_a_canary_and_the_steered_episodes_up_to_the_next():
    text = "0 1 c1 1 1 0 0 c0 1 c1 0"
    outcomes = [Outcome(k, w[0] == "c", w[-1] == "1") for k, w in enumerate(text.split())]
    assert blocks(outcomes) == [0.5 - 1.0, 1.0 - 0.0]
    assert blocks(outcomes[::-1]) == blocks(outcomes), "the index decides, not the order"


def test_two_canaries_in_a_row_make_no_block():
    outcomes = [Outcome(0, True, True), Outcome(1, True, False), Outcome(2, False, True)]
    assert blocks(outcomes) == []


def test_without_evidence_there_is_no_verdict():
    assert capital([]) == 1.0
    assert compare([]).verdict is Verdict.OPEN
    assert np.isnan(compare([]).base_rate)


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_looking_all_the_time_the_wrong_verdict_stays_below_its_error(rate):
    rng = np.random.default_rng(3)
    runs = 400
    verdicts = [compare(play(rng, rate, rate), 0.05).verdict for _ in range(runs)]
    for wrong in (Verdict.WORSE, Verdict.BETTER):
        assert verdicts.count(wrong) <= 0.05 * runs + 3 * np.sqrt(0.05 * 0.95 * runs)


def test_what_is_plainly_worse_or_better_is_found():
    rng = np.random.default_rng(4)
    worse = [compare(play(rng, 0.8, 0.2)).verdict for _ in range(30)]
    better = [compare(play(rng, 0.2, 0.9)).verdict for _ in range(30)]
    assert worse.count(Verdict.WORSE) >= 28
    assert better.count(Verdict.BETTER) >= 28


def test_rates_and_counts_are_those_of_the_outcomes():
    found = compare([Outcome(0, True, True), Outcome(1, False, False), Outcome(2, False, True)])
    assert (found.base_n, found.base_rate, found.steered_n, found.steered_rate) == (1, 1.0, 2, 0.5)


def test_an_error_that_is_no_probability_is_refused():
    with pytest.raises(ConfigError, match=r"0\.7"):
        compare([], 0.7)


@pytest.mark.parametrize(
    ("form", "base", "killed"),
    [((0, 20), (15, 20), True), ((8, 20), (9, 20), False), ((0, 20), (1, 20), False)],
)
def test_a_noise_form_is_refused_only_where_it_plainly_kills_the_base(form, base, killed):
    assert kills(form, base) is killed

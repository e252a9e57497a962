# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
from roboreward_ros.episodes.labels import key_record, undo_record
from roboreward_ros.episodes.ledger import OPERATOR, Ledger
from roboreward_ros.episodes.promoted import promote
from roboreward_ros.episodes.tally import Counts, Tally
from roboreward_ros.types import (
    Abstain,
    AbstainReason,
    LabelRecord,
    Provenance,
    RewardFailure,
    Score,
    ScoreKind,
    ScoreScale,
)

SOURCE = Provenance("vlm")


def score(value):
    return Score(value, ScoreScale.RUBRIC, ScoreKind.NONE, SOURCE)


def test_counts_follow_the_ledgers(tmp_path):
    tally = Tally(tmp_path)
    assert tally.counts(["a"]) == Counts()
    promote(tmp_path, "vlm", ScoreScale.RUBRIC)
    ledger = Ledger(tmp_path, "w")
    operator = Ledger(tmp_path, "w", OPERATOR)
    outcomes = {
        "a": score(5.0),
        "b": score(4.0),
        "c": Abstain(AbstainReason.ENTROPY, SOURCE),
        "d": RewardFailure("hung", SOURCE),
    }
    for episode_id, outcome in outcomes.items():
        ledger.append(LabelRecord(-1, episode_id, outcome, 1))
    assert tally.counts("abcde") == Counts("vlm", 2, 1, 1, 1)
    operator.append(key_record("s", "c", 2, "ada"))
    assert tally.counts("abcde") == Counts("vlm", 3, 0, 1, 2)
    operator.append(undo_record(operator.records(), 3, "ada"))
    assert tally.counts("abcde") == Counts("vlm", 2, 1, 1, 1)
    assert tally.counts("a") == Counts("vlm", 1, 0, 0, 1)
    ledger.close()
    operator.close()

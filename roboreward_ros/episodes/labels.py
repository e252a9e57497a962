# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The operator's keys as records of the ledger: s, f, 1..5 and taking the last one back."""

from __future__ import annotations

from collections.abc import Sequence

from roboreward_ros.errors import ConfigError, SessionError
from roboreward_ros.types import (
    LabelRecord,
    Provenance,
    RewardFailure,
    Score,
    ScoreKind,
    ScoreScale,
)

SUCCESS, FAILURE = "s", "f"
LEVELS = ("1", "2", "3", "4", "5")
KEYS = (SUCCESS, FAILURE, *LEVELS)
HUMAN = "human"


def key_record(key: str, episode_id: str, stamp_ns: int, operator: str) -> LabelRecord:
    """What pressing ``key`` says about an episode.

    A failure is stored as "at most 4"; a view decides between that and the source's score.

    Args:
        key: one of :data:`KEYS`.
        episode_id: which.
        stamp_ns: when, ns since the epoch.
        operator: who; "" becomes "operator".

    Raises:
        ConfigError: another key.
    """
    if key not in KEYS:
        raise ConfigError("this key is no label", got=key, allowed=KEYS)
    value = {SUCCESS: 5.0, FAILURE: 4.0}.get(key) or float(key)
    score = Score(value, ScoreScale.RUBRIC, ScoreKind.NONE, Provenance(HUMAN), text=key)
    return LabelRecord(-1, episode_id, score, stamp_ns, operator=operator or "operator")


def undo_record(
    records: Sequence[LabelRecord], stamp_ns: int, operator: str, episode_id: str = ""
) -> LabelRecord:
    """A record that takes back the newest label that still holds.

    Args:
        records: the whole operator ledger.
        stamp_ns: when, ns since the epoch.
        operator: who; only their own labels are taken back ("" : anybody's).
        episode_id: only labels of this episode ("" : of any).

    Raises:
        SessionError: there is nothing to take back.
    """
    gone = {record.retracts for record in records}
    for record in reversed(records):
        mine = not operator or record.operator == operator
        about = not episode_id or record.episode_id == episode_id
        if mine and about and record.retracts < 0 and record.seq not in gone:
            outcome = RewardFailure("taken back by the operator", Provenance(HUMAN))
            who = operator or record.operator
            return LabelRecord(
                -1, record.episode_id, outcome, stamp_ns, retracts=record.seq, operator=who
            )
    raise SessionError(
        "there is no label to take back",
        got=episode_id or operator or "any episode",
        next_step="Press s, f or 1-5 to label the last episode.",
    )

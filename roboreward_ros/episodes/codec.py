# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Labels and episode headers to and from JSON; outcomes are in ``roboreward_ros.types.codec``."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from roboreward_ros.types import EndCause, EpisodeMeta, EpisodeSummary, LabelRecord
from roboreward_ros.types.codec import (
    Fields,
    JsonObject,
    JsonValue,
    from_text,
    outcome_from_json,
    outcome_to_json,
    recorded_outcome,
    to_text,
)

__all__ = [
    "Fields",
    "JsonObject",
    "JsonValue",
    "from_text",
    "label_from_json",
    "label_to_json",
    "meta_from_json",
    "meta_to_json",
    "outcome_from_json",
    "outcome_to_json",
    "summary_from_json",
    "summary_to_json",
    "to_text",
]


def label_to_json(record: LabelRecord) -> JsonObject:
    return {
        "seq": record.seq,
        "episode_id": record.episode_id,
        "stamp_ns": record.stamp_ns,
        "shadow": record.shadow,
        "retracts": record.retracts,
        "operator": record.operator,
        "outcome": outcome_to_json(record.outcome),
    }


def label_from_json(values: Mapping[str, JsonValue], where: str) -> LabelRecord:
    """Inverse of :func:`label_to_json`; an impossible score is a failure (``recorded_outcome``).

    Raises:
        FormatError: anything else, with ``where``.
    """
    fields = Fields(values, where)
    episode_id = fields.text("episode_id")
    return LabelRecord(
        seq=fields.integer("seq"),
        episode_id=episode_id,
        outcome=recorded_outcome(fields.object("outcome"), f"{where} ({episode_id})"),
        stamp_ns=fields.integer("stamp_ns"),
        shadow=fields.flag("shadow"),
        retracts=fields.integer("retracts"),
        operator=fields.text("operator"),
    )


def meta_to_json(meta: EpisodeMeta) -> JsonObject:
    return dataclasses.asdict(meta)


def meta_from_json(values: Mapping[str, JsonValue], where: str) -> EpisodeMeta:
    fields = Fields(values, where)
    return EpisodeMeta(
        episode_id=fields.text("episode_id"),
        index=fields.integer("index"),
        task=fields.text("task"),
        seed=fields.integer("seed"),
        max_steps=fields.integer("max_steps"),
        control_hz=fields.number("control_hz"),
        robot=fields.text("robot"),
        policy_id=fields.text("policy_id"),
        chunk_size=fields.integer("chunk_size"),
        created_ns=fields.integer("created_ns"),
        canary=fields.flag("canary"),
    )


def summary_to_json(summary: EpisodeSummary) -> JsonObject:
    """Header and end; ``discarded`` is left out, the marks file knows it."""
    return {
        "meta": meta_to_json(summary.meta),
        "n_steps": summary.n_steps,
        "end_cause": summary.end_cause.value,
        "complete": summary.complete,
        "taint": list(summary.taint),
        "policy_version": summary.policy_version,
    }


def summary_from_json(values: Mapping[str, JsonValue], where: str) -> EpisodeSummary:
    fields = Fields(values, where)
    return EpisodeSummary(
        meta=meta_from_json(fields.object("meta"), where),
        n_steps=fields.integer("n_steps"),
        end_cause=fields.enum("end_cause", EndCause),
        complete=fields.flag("complete"),
        taint=fields.texts("taint"),
        policy_version=fields.integer("policy_version"),
    )

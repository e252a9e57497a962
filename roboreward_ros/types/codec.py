# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Reward outcomes to and from JSON, for ledger and wire alike; errors name the field."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from enum import StrEnum
from typing import TypeAlias, TypeVar

from roboreward_ros.errors import ConfigError, FormatError
from roboreward_ros.types.reward import (
    Abstain,
    AbstainReason,
    Provenance,
    RewardFailure,
    RewardOutcome,
    Score,
    ScoreKind,
    ScoreScale,
)

_LOG = logging.getLogger(__name__)
JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"
JsonObject: TypeAlias = "dict[str, JsonValue]"

_Enum = TypeVar("_Enum", bound=StrEnum)


def to_text(value: JsonValue) -> str:
    """Compact JSON on one line; raises ConfigError for NaN, infinities and foreign types."""
    try:
        return json.dumps(value, allow_nan=False, separators=(",", ":"), ensure_ascii=False)
    except (TypeError, ValueError) as error:
        raise ConfigError(
            "a value cannot be stored as JSON", got=str(error), allowed="finite numbers, text"
        ) from None


def from_text(text: str | bytes, where: str) -> JsonObject:
    """Parse one JSON object; raises FormatError that names ``where``."""
    try:
        value: JsonValue = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{where} is not JSON", got=str(error)) from None
    if not isinstance(value, dict):
        raise FormatError(f"{where} is not a JSON object", got=type(value).__name__)
    return value


class Fields:
    """Typed access to a JSON object; every miss is a FormatError with place and name."""

    def __init__(self, values: Mapping[str, JsonValue], where: str) -> None:
        self._values = values
        self._where = where

    def _fail(self, name: str, allowed: str) -> FormatError:
        got = type(self._values[name]).__name__ if name in self._values else "nothing"
        return FormatError(f"{self._where}: field '{name}' is wrong", got=got, allowed=allowed)

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def text(self, name: str) -> str:
        value = self._values.get(name)
        if not isinstance(value, str):
            raise self._fail(name, "text")
        return value

    def integer(self, name: str) -> int:
        value = self._values.get(name)
        if not isinstance(value, int) or isinstance(value, bool):
            raise self._fail(name, "an integer")
        return value

    def number(self, name: str) -> float:
        value = self._values.get(name)
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise self._fail(name, "a number")
        return self._float(name, value)

    def flag(self, name: str) -> bool:
        value = self._values.get(name)
        if not isinstance(value, bool):
            raise self._fail(name, "true or false")
        return value

    def numbers(self, name: str) -> tuple[float, ...]:
        value = self._values.get(name)
        if not isinstance(value, list):
            raise self._fail(name, "a list of numbers")
        items = []
        for item in value:
            if not isinstance(item, int | float) or isinstance(item, bool):
                raise self._fail(name, "a list of numbers")
            items.append(self._float(name, item))
        return tuple(items)

    def _float(self, name: str, value: float) -> float:
        try:
            return float(value)
        except OverflowError:  # an integer of hundreds of digits
            raise self._fail(name, "a number that fits a float") from None

    def integers(self, name: str) -> tuple[int, ...]:
        value = self._values.get(name)
        if not isinstance(value, list) or not all(type(item) is int for item in value):
            raise self._fail(name, "a list of integers")
        return tuple(item for item in value if isinstance(item, int))

    def objects(self, name: str) -> tuple[Fields, ...]:
        value = self._values.get(name)
        if not isinstance(value, list):
            raise self._fail(name, "a list of objects")
        items = [item for item in value if isinstance(item, dict)]
        if len(items) != len(value):
            raise self._fail(name, "a list of objects")
        return tuple(Fields(item, f"{self._where}: {name}") for item in items)

    def missing(self, name: str) -> bool:
        """Whether the field is absent or null."""
        return self._values.get(name) is None

    def texts(self, name: str) -> tuple[str, ...]:
        value = self._values.get(name)
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self._fail(name, "a list of texts")
        return tuple(str(item) for item in value)

    def object(self, name: str) -> JsonObject:
        value = self._values.get(name)
        if not isinstance(value, dict):
            raise self._fail(name, "an object")
        return value

    def fields(self, name: str) -> Fields:
        return Fields(self.object(name), f"{self._where}: {name}")

    def enum(self, name: str, kind: type[_Enum]) -> _Enum:
        value = self.text(name)
        try:
            return kind(value)
        except ValueError:
            raise FormatError(
                f"{self._where}: field '{name}' is unknown", got=value, allowed=tuple(kind)
            ) from None


def _floats(values: tuple[float, ...]) -> list[JsonValue]:
    return [float(value) for value in values]


def _provenance(value: Provenance) -> JsonObject:
    return {
        "source": value.source,
        "model": value.model,
        "config_hash": value.config_hash,
        "frames_hash": value.frames_hash,
    }


def _provenance_from(fields: Fields) -> Provenance:
    names = ("source", "model", "config_hash", "frames_hash")
    return Provenance(*(fields.text(name) for name in names))


def outcome_to_json(outcome: RewardOutcome) -> JsonObject:
    """Score, Abstain or RewardFailure as an object whose ``outcome`` names the class."""
    body: JsonObject = {
        "provenance": _provenance(outcome.provenance),
        "latency_s": float(outcome.latency_s),
    }
    if isinstance(outcome, Score):
        return body | {
            "outcome": "score",
            "value": float(outcome.value),
            "scale": outcome.scale.value,
            "kind": outcome.kind.value,
            "levels": _floats(outcome.levels),
            "probabilities": _floats(outcome.probabilities),
            "off_answer_mass": float(outcome.off_answer_mass),
            "text": outcome.text,
            "per_step": _floats(outcome.per_step),
        }
    if isinstance(outcome, Abstain):
        return body | {
            "outcome": "abstain",
            "reason": outcome.reason.value,
            "detail": outcome.detail,
            "levels": _floats(outcome.levels),
            "probabilities": _floats(outcome.probabilities),
            "text": outcome.text,
        }
    return body | {"outcome": "failure", "message": outcome.message}


def outcome_from_json(values: Mapping[str, JsonValue], where: str = "outcome") -> RewardOutcome:
    """Inverse of :func:`outcome_to_json`; raises FormatError for anything else."""
    try:
        return _outcome(Fields(values, where), where)
    except ConfigError as error:
        raise FormatError(f"{where} holds an impossible score", got=str(error)) from None


def recorded_outcome(values: Mapping[str, JsonValue], where: str) -> RewardOutcome:
    """As :func:`outcome_from_json`, of what somebody has recorded before.

    A score that is not finite or beyond its scale is the failure that it should have been recorded
    as: no reward, to be tried again. What else was recorded is worth no less for it.

    Raises:
        FormatError: anything else than an outcome.
    """
    fields = Fields(values, where)
    try:
        return _outcome(fields, where)
    except ConfigError as error:
        message = f"{where} holds an impossible score: {error}"
        _LOG.error("%s", message)
        return RewardFailure(message, _provenance_from(fields.fields("provenance")))


def _outcome(fields: Fields, where: str) -> RewardOutcome:
    """Raises FormatError, and ConfigError for a score that cannot be."""
    provenance = _provenance_from(fields.fields("provenance"))
    latency_s = fields.number("latency_s")
    name = fields.text("outcome")
    if name == "score":
        return Score(
            value=fields.number("value"),
            scale=fields.enum("scale", ScoreScale),
            kind=fields.enum("kind", ScoreKind),
            provenance=provenance,
            levels=fields.numbers("levels"),
            probabilities=fields.numbers("probabilities"),
            off_answer_mass=fields.number("off_answer_mass"),
            latency_s=latency_s,
            text=fields.text("text"),
            per_step=fields.numbers("per_step"),
        )
    if name == "abstain":
        return Abstain(
            reason=fields.enum("reason", AbstainReason),
            provenance=provenance,
            detail=fields.text("detail"),
            levels=fields.numbers("levels"),
            probabilities=fields.numbers("probabilities"),
            latency_s=latency_s,
            text=fields.text("text"),
        )
    if name == "failure":
        return RewardFailure(fields.text("message"), provenance, latency_s)
    raise FormatError(
        f"{where} is of an unknown kind", got=name, allowed=("score", "abstain", "failure")
    )

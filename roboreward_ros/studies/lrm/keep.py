# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""``completion > 0.5 and steps < 40``: which rollouts to keep, as a small language of its own.

Names, numbers, comparisons (also chained), ``and``, ``or``, ``not`` and parentheses; nothing can be
called, looked up or assigned. Python's parser reads it and nothing of it is ever run as Python.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from roboreward_ros.errors import ConfigError

LONGEST = 400
_NEXT = "Write something like: completion>0.5"
_COMPARE: Mapping[type[ast.cmpop], Callable[[float, float], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_Number = Callable[[Mapping[str, float]], float]
_Test = Callable[[Mapping[str, float]], bool]


@dataclass(frozen=True, slots=True)
class Keep:
    """A condition on the facts of a rollout.

    Attributes:
        text: as it was written.
        names: facts that it asks for.
    """

    text: str
    names: frozenset[str]
    _test: _Test

    def __call__(self, facts: Mapping[str, float]) -> bool:
        """Whether to keep a rollout; ``facts`` has all of ``names``."""
        return self._test(facts)


def parse_keep(text: str, allowed: Collection[str]) -> Keep:
    """Read a condition.

    Args:
        text: the condition.
        allowed: names of facts.

    Raises:
        ConfigError: not a condition in this language, or an unknown name.
    """
    if len(text) > LONGEST:
        raise _refused("too long", f"{len(text)} characters", f"at most {LONGEST}")
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise _refused("not readable", text, str(error)) from None
    reader = _Reader(text, frozenset(allowed))
    test = reader.test(tree.body)
    if not reader.names:
        raise _refused("the same for all rollouts", text, f"a condition on {sorted(allowed)}")
    return Keep(text, frozenset(reader.names), test)


class _Reader:
    """Turns a syntax tree into closures; whatever it does not know is refused."""

    def __init__(self, text: str, allowed: frozenset[str]) -> None:
        self._text = text
        self._allowed = allowed
        self.names: set[str] = set()

    def test(self, node: ast.expr) -> _Test:
        if isinstance(node, ast.BoolOp):
            parts = [self.test(value) for value in node.values]
            if isinstance(node.op, ast.And):
                return lambda facts: all(part(facts) for part in parts)
            return lambda facts: any(part(facts) for part in parts)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            inner = self.test(node.operand)
            return lambda facts: not inner(facts)
        if isinstance(node, ast.Compare):
            return self._compare(node)
        raise self._unknown(node)

    def _compare(self, node: ast.Compare) -> _Test:
        sides = [self._number(side) for side in (node.left, *node.comparators)]
        unknown = [op for op in node.ops if type(op) not in _COMPARE]
        if unknown:
            raise self._unknown(node)
        checks = [_COMPARE[type(op)] for op in node.ops]

        def holds(facts: Mapping[str, float]) -> bool:
            values = [side(facts) for side in sides]
            return all(
                check(a, b) for check, a, b in zip(checks, values[:-1], values[1:], strict=True)
            )

        return holds

    def _number(self, node: ast.expr) -> _Number:
        if isinstance(node, ast.Name):
            if node.id not in self._allowed:
                raise _refused("about something unknown", node.id, sorted(self._allowed))
            name = node.id
            self.names.add(name)
            return lambda facts: facts[name]
        sign = 1.0
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            node, sign = node.operand, -1.0
        if isinstance(node, ast.Constant) and type(node.value) in (int, float):
            value = sign * float(node.value)  # type: ignore[arg-type]
            if math.isfinite(value):
                return lambda _: value
        raise self._unknown(node)

    def _unknown(self, node: ast.expr) -> ConfigError:
        part = ast.get_source_segment(self._text.strip(), node) or self._text
        return _refused(
            "not a comparison of names and numbers", part, "and, or, not, < <= > >= == !="
        )


def _refused(what: str, got: str, allowed: object) -> ConfigError:
    return ConfigError(
        f"the condition of --keep is {what}", got=got, allowed=str(allowed), next_step=_NEXT
    )

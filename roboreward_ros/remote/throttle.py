# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A token's check that does not go on for ever with an address that guesses."""

from __future__ import annotations

import hashlib
import hmac
import threading
from collections import OrderedDict
from typing import TypeVar

from roboreward_ros.clock import Clock

FORGET_S = 60.0
_REMEMBERED = 1024
_T = TypeVar("_T")


class Throttle:
    """Compares tokens in constant time, so many different wrong ones a minute and address.

    One that is shown again is the same guess: a browser or a robot that holds a stale token asks
    often, and must not shut out the person beside it. An address that has shown the right one is
    let in with it also while somebody there guesses.

    Thread-safe.

    Args:
        token: the right one.
        most: different wrong ones in ``FORGET_S`` before an address is not listened to.
        clock: by which they are forgotten.
    """

    def __init__(self, token: bytes, most: int, clock: Clock) -> None:
        self._token = token
        self._most = most
        self._clock = clock
        self._lock = threading.Lock()
        self._wrong: OrderedDict[str, dict[bytes, int]] = OrderedDict()
        self._known: OrderedDict[str, None] = OrderedDict()

    def check(self, address: str, shown: bytes) -> bool | None:
        """Whether it is the right one; None for an address that is not listened to."""
        now_ns = self._clock.steady_ns()
        with self._lock:
            past = self._wrong.pop(address, {})
            past = {k: then for k, then in past.items() if now_ns - then < FORGET_S * 1e9}
            full = len(past) >= self._most
            right = (not full or address in self._known) and hmac.compare_digest(shown, self._token)
            if right:
                _remember(self._known, address, None)
            elif not full:
                past.setdefault(hashlib.sha256(shown).digest(), now_ns)
            if past:
                _remember(self._wrong, address, past)
        return None if full and not right else right


def _remember(table: OrderedDict[str, _T], address: str, value: _T) -> None:
    table[address] = value
    table.move_to_end(address)
    while len(table) > _REMEMBERED:
        table.popitem(last=False)

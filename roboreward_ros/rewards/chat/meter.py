# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What questions have cost, and the cap on it."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from pathlib import Path

from roboreward_ros.errors import FormatError, RewardSourceError
from roboreward_ros.files import write_atomic
from roboreward_ros.rewards.chat.endpoint import EndpointConfig
from roboreward_ros.types.codec import Fields, JsonObject, from_text, to_text

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Spent:
    """Totals of one meter: requests answered, tokens both ways, cost in the prices' currency."""

    requests: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cost: float = 0.0


class CostMeter:
    """Adds up what an endpoint reports. Safe to use from threads.

    Args:
        config: prices, cap and file.

    Raises:
        RewardSourceError: the file with the total cannot be read.
    """

    def __init__(self, config: EndpointConfig) -> None:
        self._config = config
        self._file = Path(config.cost_file).expanduser() if config.cost_file else None
        self._mutex = threading.Lock()
        self._spent = self._read()

    @property
    def spent(self) -> Spent:
        return self._spent

    def require_budget(self) -> None:
        """Raises RewardSourceError once the cap is reached."""
        cap = self._config.cost_cap
        if cap and self._spent.cost >= cap:
            raise RewardSourceError(
                "the cost cap of the endpoint is reached",
                got=f"{self._spent.cost:.4f} spent in {self._spent.requests} requests",
                allowed=f"cost_cap {cap:g}",
                next_step="Raise cost_cap, or change to another source; the episode stays "
                "unlabelled and can be scored later.",
            )

    def add(self, usage: Fields | None) -> None:
        """Count one answered request.

        Raises:
            RewardSourceError: a cap is set, but the endpoint does not say what it charges for.
            FormatError: the usage is not what the protocol says.
        """
        if usage is None:
            if self._config.cost_cap:
                raise RewardSourceError(
                    "the endpoint reports no usage, so the cost cap cannot hold",
                    next_step="Set cost_cap: 0, or use an endpoint that reports usage.",
                )
            tokens_in = tokens_out = 0
        else:
            tokens_in = usage.integer("prompt_tokens")
            tokens_out = 0
            if not usage.missing("completion_tokens"):
                tokens_out = usage.integer("completion_tokens")
        price = tokens_in * self._config.price_in + tokens_out * self._config.price_out
        with self._mutex:
            before = self._spent
            self._spent = Spent(
                before.requests + 1,
                before.tokens_in + tokens_in,
                before.tokens_out + tokens_out,
                before.cost + price / 1e6,
            )
            self._write()
        _LOG.info("%d + %d tokens; %s", tokens_in, tokens_out, self.line())

    def line(self) -> str:
        """The total for people."""
        spent, cap = self._spent, self._config.cost_cap
        text = f"{spent.requests} requests, {spent.tokens_in} + {spent.tokens_out} tokens"
        if self._config.price_in or self._config.price_out:
            text += f", cost {spent.cost:.4f}" + (f" of {cap:g}" if cap else "")
        return text

    def _read(self) -> Spent:
        if self._file is None or not self._file.exists():
            return Spent()
        try:
            fields = Fields(from_text(self._file.read_bytes(), str(self._file)), str(self._file))
            return Spent(
                fields.integer("requests"),
                fields.integer("tokens_in"),
                fields.integer("tokens_out"),
                fields.number("cost"),
            )
        except (OSError, FormatError) as error:
            raise RewardSourceError(
                "the endpoint's cost_file cannot be read",
                got=str(error),
                next_step="Repair or remove it; without it the count begins at 0.",
            ) from None

    def _write(self) -> None:
        if self._file is None:
            return
        spent = self._spent
        total: JsonObject = {
            "requests": spent.requests,
            "tokens_in": spent.tokens_in,
            "tokens_out": spent.tokens_out,
            "cost": spent.cost,
        }
        try:
            write_atomic(self._file, to_text(total))
        except OSError as error:
            raise RewardSourceError(
                "the endpoint's cost_file cannot be written", got=str(error)
            ) from None

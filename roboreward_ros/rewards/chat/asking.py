# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A session with one endpoint: checked at the start, metered, one question at a time."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Sequence

from roboreward_ros.clock import Clock
from roboreward_ros.errors import FormatError, RewardSourceError
from roboreward_ros.rewards.chat.client import ChatClient, with_extra
from roboreward_ros.rewards.chat.endpoint import EndpointConfig
from roboreward_ros.rewards.chat.meter import CostMeter
from roboreward_ros.rewards.chat.reply import Reply, read_reply
from roboreward_ros.types.codec import JsonObject, JsonValue

_LOG = logging.getLogger(__name__)
_SHARE = 0.95  # of the deadline: our own message is to arrive before the guard's
_CHECK_S = 10.0


class Conversation:
    """Asks the model of an endpoint.

    Args:
        config: the endpoint.
        clock: measures deadlines.

    Raises:
        RewardSourceError: see ``ChatClient`` and ``CostMeter``.
    """

    def __init__(self, config: EndpointConfig, clock: Clock | None = None) -> None:
        self.config = config
        self.meter = CostMeter(config)
        self._client = ChatClient(config, clock)

    @property
    def identity(self) -> str:
        """Model and host, for provenance."""
        return f"{self.config.model}@{self.config.host}"

    def check(self) -> None:
        """Ask which models are offered, where the endpoint tells.

        Raises:
            RewardSourceError: not reachable, the token is refused, or the model is not offered.
        """
        try:
            listed = self._client.get("/models", min(_CHECK_S, _SHARE * self.config.timeout_s))
        except RewardSourceError as error:
            if "status 404" in str(error) or "status 405" in str(error):
                return  # not every hosted endpoint has a list
            raise
        names: list[str] = []
        with contextlib.suppress(FormatError):
            from roboreward_ros.types.codec import Fields

            names = [item.text("id") for item in Fields(listed, "models").objects("data")]
        if names and self.config.model not in names:
            raise RewardSourceError(
                f"{self.config.host} does not offer this model",
                got=self.config.model,
                allowed=names[:20],
            )

    def ask(
        self,
        parts: Sequence[JsonValue],
        *,
        system: str = "",
        lead: str = "",
        max_tokens: int,
        logprobs: bool = False,
        fields: JsonObject | None = None,
    ) -> Reply:
        """The answer to one message.

        Args:
            parts: the user's message.
            system: system message; "" for none.
            lead: beginning of the reply that the model goes on from; "" for none.
            max_tokens: of the reply.
            logprobs: also ask for token probabilities.
            fields: further fields of the request.

        Raises:
            RewardSourceError: the cap is reached, or see ``ChatClient.post``.
            FormatError: not a chat completion.
        """
        self.meter.require_budget()
        messages: list[JsonValue] = []
        if system:
            messages.append({"role": "system", "content": system})
        messages.append({"role": "user", "content": list(parts)})
        body: JsonObject = {
            "model": self.config.model,
            "messages": messages,
            "max_tokens": max_tokens,
            "temperature": 0,
        }
        if lead:
            messages.append({"role": "assistant", "content": lead})
            body |= {"add_generation_prompt": False, "continue_final_message": True}
        if logprobs:
            body |= {"logprobs": True, "top_logprobs": self.config.top_logprobs}
        body = with_extra({**body, **(fields or {})}, self.config.extra_fields())
        content = self._client.post("/chat/completions", body, _SHARE * self.config.timeout_s)
        reply = read_reply(content, self.config.host)
        self.meter.add(reply.usage)
        return reply

    def close(self) -> None:
        """Close the connections; idempotent."""
        self._client.close()

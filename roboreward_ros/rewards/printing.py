# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Models that look at text and images in turn and print an answer: local ones, or served ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from roboreward_ros.errors import RewardSourceError
from roboreward_ros.rewards.chat.asking import Conversation
from roboreward_ros.rewards.chat.endpoint import EndpointConfig
from roboreward_ros.rewards.chat.media import image_part
from roboreward_ros.rewards.vlm.prompt import IMAGE_TRIPLE, chat
from roboreward_ros.rewards.vlm.settings import ModelConfig
from roboreward_ros.types import ImageU8
from roboreward_ros.types.codec import JsonValue

if TYPE_CHECKING:
    from roboreward_ros.rewards.vlm.backend import Backend


class Printer(Protocol):
    """Answers a question in words."""

    @property
    def identity(self) -> str:
        """Model, for provenance."""

    @property
    def factor(self) -> int:
        """Multiple that height and width of an image must be, pixels."""

    def ask(self, parts: Sequence[str | ImageU8]) -> str:
        """What is printed for texts and images ``[H, W, 3]`` in this order."""

    def close(self) -> None:
        """Free the model or the connection; idempotent."""


class LocalPrinter:
    """A model in this process, greedy.

    Args:
        config: weights, system message and length of the answer.
        hint: what to download, for the message when nothing is configured.

    Raises:
        RewardSourceError: no weights configured, or they cannot be loaded.
    """

    def __init__(self, config: ModelConfig, hint: str) -> None:
        if not config.model:
            raise RewardSourceError(
                "no weights are configured: the option 'model' is empty",
                next_step=f"{hint} Then set 'model' (and 'revision' for a Hub id), or via: api.",
            )
        from roboreward_ros.rewards.vlm.backend import Backend
        from roboreward_ros.rewards.vlm.weights import load

        self._config = config
        self._backend: Backend | None = Backend(load(config))
        self._backend.self_check()

    @property
    def identity(self) -> str:
        return self._open().weights.identity

    @property
    def factor(self) -> int:
        return self._open().patching.factor

    def ask(self, parts: Sequence[str | ImageU8]) -> str:
        backend = self._open()
        text = "".join(part if isinstance(part, str) else IMAGE_TRIPLE for part in parts)
        prompt = chat(text, self._config.system, backend.family)
        images = [part for part in parts if not isinstance(part, str)]
        return backend.generate(backend.encode(prompt, images=images), self._config.max_new_tokens)

    def close(self) -> None:
        self._backend = None

    def _open(self) -> Backend:
        if self._backend is None:
            raise RewardSourceError("the model was closed")
        return self._backend


class ServedPrinter:
    """A model behind an endpoint.

    Args:
        config: the endpoint; its ``max_tokens`` bounds the answer.
        factor: see ``Printer.factor``.

    Raises:
        RewardSourceError: not configured, not reachable, or the model is not offered.
    """

    def __init__(self, config: EndpointConfig, factor: int = 2) -> None:
        self._talk = Conversation(config)
        self._factor = factor
        try:
            self._talk.check()
        except BaseException:
            self._talk.close()
            raise

    @property
    def identity(self) -> str:
        return self._talk.identity

    @property
    def factor(self) -> int:
        return self._factor

    def ask(self, parts: Sequence[str | ImageU8]) -> str:
        content: list[JsonValue] = [
            {"type": "text", "text": part} if isinstance(part, str) else image_part(part)
            for part in parts
        ]
        reply = self._talk.ask(content, max_tokens=self._talk.config.max_tokens)
        return reply.text

    @property
    def cost(self) -> float:
        """What was spent so far, in the currency of the endpoint's prices."""
        return self._talk.meter.spent.cost

    def spent(self) -> str:
        """Requests, tokens and cost so far, for people."""
        return self._talk.meter.line()

    def close(self) -> None:
        self._talk.close()

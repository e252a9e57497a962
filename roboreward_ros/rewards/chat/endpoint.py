# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Where a model is served, what that server can do, and what it may cost."""

from __future__ import annotations

import ipaddress
import math
import re
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from roboreward_ros.errors import ConfigError
from roboreward_ros.types.codec import JsonObject, from_text

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Media(StrEnum):
    """How frames are sent."""

    MP4 = "mp4"  # one H.264 file: understood wherever video is, with the codec's losses
    JPEG_LIST = "jpeg_list"  # one video item of comma-joined JPEGs (vLLM of 2026-04 and later)
    IMAGES = "images"  # one image item a frame: for models without video


@dataclass(frozen=True, slots=True)
class EndpointConfig:
    """One endpoint.

    Attributes:
        base_url: up to and including the version, such as http://127.0.0.1:8000/v1.
        model: name under which the server offers the model.
        token_env: environment variable that holds the bearer token; "" for none. The token itself
            never stands in a configuration, a record or a log.
        plain_token: send the token over http to another machine (readable on the way).
        verify_tls: check the server's certificate.
        ca_file: PEM file of the only certificates to trust; "" for the system's.
        media: see ``Media``.
        vllm_fields: send vLLM's fields that keep all frames and their times as they are.
        prefill: the server continues a begun reply (vLLM, SGLang; hosted models rarely).
        logprobs: the server returns token probabilities; without them a printed answer is parsed.
        top_logprobs: how many tokens a position; hosted servers allow 5 to 20.
        max_tokens: of a reply that is not prefilled.
        extra: JSON object over the request's body; null removes a field.
        timeout_s: deadline of one score, retries included, s.
        retries: after 408, 429, 5xx, cut and refused connections.
        backoff_s: first pause, s; doubles, with jitter, up to 30 s; Retry-After goes before it.
        price_in: of a million prompt tokens, in any currency.
        price_out: of a million reply tokens.
        cost_cap: stop asking when this much was spent; 0 for no cap.
        cost_file: keeps the total over restarts; "" counts from 0 in every process.
    """

    base_url: str = ""
    model: str = ""
    token_env: str = ""
    plain_token: bool = False
    verify_tls: bool = True
    ca_file: str = ""
    media: Media = Media.MP4
    vllm_fields: bool = False
    prefill: bool = False
    logprobs: bool = False
    top_logprobs: int = 20
    max_tokens: int = 24
    extra: str = ""
    timeout_s: float = 60.0
    retries: int = 4
    backoff_s: float = 0.5
    price_in: float = 0.0
    price_out: float = 0.0
    cost_cap: float = 0.0
    cost_file: str = ""

    def __post_init__(self) -> None:
        for name, low, high in (
            ("top_logprobs", 1, 1000),
            ("max_tokens", 1, 100_000),
            ("timeout_s", 0.1, 86_400),
            ("retries", 0, 100),
            ("backoff_s", 0, 60),
            ("price_in", 0, math.inf),
            ("price_out", 0, math.inf),
            ("cost_cap", 0, math.inf),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise ConfigError(
                    f"{name} is out of range", got=value, allowed=f"{low:g}..{high:g}"
                )
        if self.cost_cap and not (self.price_in or self.price_out):
            raise ConfigError(
                "a cost cap needs prices",
                got=f"cost_cap {self.cost_cap:g}, prices 0",
                next_step="Set price_in and price_out (of a million tokens).",
            )
        if self.token_env and not _VARIABLE.fullmatch(self.token_env):
            raise ConfigError(  # the value is not repeated: it may be the token itself
                "token_env is not the name of an environment variable",
                allowed="a name such as VLM_TOKEN, never the token",
            )
        self.extra_fields()
        if self.base_url:
            self._check_url()

    def _check_url(self) -> None:
        parts = urlsplit(self.base_url)
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ConfigError(
                "base_url holds more than scheme, host, port and path",
                allowed="http(s)://HOST[:PORT]/v1; tokens come from token_env",
            )
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError(
                "base_url is not a URL", got=self.base_url, allowed="http(s)://HOST[:PORT]/v1"
            )
        in_clear = self.token_env and parts.scheme == "http" and not self.plain_token
        if in_clear and not _is_loopback(parts.hostname):
            raise ConfigError(
                "the token would cross the network unencrypted",
                got=self.base_url,
                allowed="https, or http to this machine",
                next_step="Use https (ca_file for one's own certificate), an ssh tunnel, or "
                "set plain_token: true.",
            )

    @property
    def url(self) -> str:
        """Without a slash at its end."""
        return self.base_url.rstrip("/")

    @property
    def host(self) -> str:
        """Host and port, for messages and provenance."""
        return urlsplit(self.base_url).netloc

    def extra_fields(self) -> JsonObject:
        """``extra`` as an object; raises ConfigError."""
        if not self.extra.strip():
            return {}
        try:
            return from_text(self.extra, "extra")
        except Exception as error:
            raise ConfigError("extra is not a JSON object", got=str(error)) from None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

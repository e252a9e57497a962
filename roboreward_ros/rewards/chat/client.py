# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Asks an endpoint: one deadline over everything, retries within it, and nothing leaks the token.

The transport (TLS, proxies, pools) is httpx's.
"""

from __future__ import annotations

import datetime as dt
import email.utils
import logging
import math
import os
import random
import ssl
from typing import TYPE_CHECKING

from roboreward_ros.clock import Clock, SystemClock
from roboreward_ros.errors import FormatError, RewardSourceError
from roboreward_ros.rewards.chat.endpoint import EndpointConfig
from roboreward_ros.types.codec import JsonObject, JsonValue, from_text, to_text

if TYPE_CHECKING:
    import httpx

_LOG = logging.getLogger(__name__)
_MAX_REPLY = 8 << 20
_MAX_PAUSE_S = 30.0
_AGAIN = {408, 429, 500, 502, 503, 504}
_SHOWN = 300


class _TryAgainError(Exception):
    """One attempt failed in a way that may pass.

    Args:
        why: for people.
        wait_s: what the server asked for, s; None where it did not.
    """

    def __init__(self, why: str, wait_s: float | None = None) -> None:
        super().__init__(why)
        self.wait_s = wait_s


class ChatClient:
    """A connection pool to one endpoint. Safe to use from threads.

    Args:
        config: the endpoint.
        clock: measures deadlines and waits.

    Raises:
        RewardSourceError: no endpoint configured, the token's variable is not set, or the
            certificates cannot be read.
    """

    def __init__(self, config: EndpointConfig, clock: Clock | None = None) -> None:
        import httpx

        self.config = config
        self._clock = clock or SystemClock()
        self._token = _token(config)
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        self._http: httpx.Client = httpx.Client(
            headers=headers, verify=_tls(config), follow_redirects=False
        )

    def close(self) -> None:
        """Close the pool; idempotent."""
        self._http.close()

    def get(self, path: str, deadline_s: float) -> JsonObject:
        """The JSON object at ``path``; raises as ``post``."""
        return self._request("GET", path, None, deadline_s)

    def post(self, path: str, body: JsonObject, deadline_s: float) -> JsonObject:
        """The JSON object that ``path`` answers to ``body``.

        Raises:
            RewardSourceError: refused, not JSON, or no answer within ``deadline_s``, retries
                included.
        """
        return self._request("POST", path, to_text(body).encode(), deadline_s)

    def _request(self, method: str, path: str, body: bytes | None, deadline_s: float) -> JsonObject:
        start = self._clock.steady_ns()
        attempt = 0
        while True:
            left_s = deadline_s - (self._clock.steady_ns() - start) / 1e9
            try:
                return self._once(method, path, body, max(left_s, 1e-3))
            except _TryAgainError as error:
                pause_s = self._pause_s(attempt, error.wait_s)
                left_s = deadline_s - (self._clock.steady_ns() - start) / 1e9
                attempt += 1
                if attempt > self.config.retries or pause_s >= left_s:
                    raise RewardSourceError(
                        f"no answer from {self.config.host} after {attempt} "
                        f"attempt{'s' if attempt > 1 else ''}",
                        got=str(error),
                        next_step="The episode stays unlabelled and is scored when the endpoint "
                        "is back.",
                    ) from None
                _LOG.warning("%s: %s; again in %.1f s", self.config.host, error, pause_s)
                self._clock.sleep(pause_s)

    def _pause_s(self, attempt: int, asked_s: float | None) -> float:
        if asked_s is not None:
            return asked_s
        longest = min(self.config.backoff_s * 2.0**attempt, _MAX_PAUSE_S)
        return random.uniform(longest / 2, longest)

    def _once(self, method: str, path: str, body: bytes | None, left_s: float) -> JsonObject:
        import httpx

        end_ns = self._clock.steady_ns() + round(left_s * 1e9)
        request = self._http.build_request(
            method,
            self.config.url + path,
            content=body,
            headers={"Content-Type": "application/json"} if body is not None else {},
            timeout=httpx.Timeout(left_s),
        )
        try:
            response = self._http.send(request, stream=True)
            try:
                content = self._read(response, end_ns)
            finally:
                response.close()
        except httpx.TimeoutException as error:
            why = f"nothing came for {left_s:.1f} s ({type(error).__name__})"
            raise _TryAgainError(self._clean(why)) from None
        except httpx.TransportError as error:
            raise _TryAgainError(self._clean(f"{type(error).__name__}: {error}")) from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise RewardSourceError(
                f"{self.config.host} cannot be asked",
                got=self._clean(f"{type(error).__name__}: {error}"),
            ) from None
        return self._judge(response, content)

    def _read(self, response: httpx.Response, end_ns: int) -> bytes:
        content = bytearray()
        for piece in response.iter_bytes():
            content += piece
            if len(content) > _MAX_REPLY:
                raise RewardSourceError(
                    f"{self.config.host} answers too much", allowed=f"{_MAX_REPLY} bytes"
                )
            if self._clock.steady_ns() > end_ns:
                raise _TryAgainError("the answer came too slowly")
        return bytes(content)

    def _judge(self, response: httpx.Response, content: bytes) -> JsonObject:
        status = response.status_code
        if status in _AGAIN:
            wait_s = _retry_after_s(response.headers.get("Retry-After"), self._clock)
            raise _TryAgainError(f"status {status}: {self._excerpt(content)}", wait_s)
        if status in (401, 403):
            variable = self.config.token_env
            raise RewardSourceError(
                f"{self.config.host} refuses the token",
                got=f"status {status}: {self._excerpt(content)}",
                next_step=f"Check the value of the environment variable {variable}."
                if variable
                else "Name the environment variable that holds the token in token_env.",
            )
        if status != 200:
            raise RewardSourceError(
                f"{self.config.host} refuses the request",
                got=f"status {status}: {self._excerpt(content)}",
                next_step="Check base_url (it ends in /v1 mostly), model, and what the server can "
                "do (media, prefill, logprobs, vllm_fields).",
            )
        try:
            return from_text(content, f"the answer of {self.config.host}")
        except FormatError:
            raise RewardSourceError(
                f"{self.config.host} answered something that is no JSON object",
                got=self._excerpt(content),
                next_step="Check base_url: a web page answers where no chat endpoint is.",
            ) from None

    def _excerpt(self, content: bytes) -> str:
        text = " ".join(self._clean(content.decode("utf-8", "replace")).split())
        return text[:_SHOWN] or "(empty)"

    def _clean(self, text: str) -> str:
        """Servers like to repeat what they were sent; the token is not for logs."""
        return text.replace(self._token, "***") if self._token else text


def _token(config: EndpointConfig) -> str:
    if not config.base_url or not config.model:
        raise RewardSourceError(
            "no endpoint is configured: 'base_url' or 'model' is empty",
            next_step="Set both, for example base_url: http://127.0.0.1:8000/v1 and the name under "
            "which the server offers the model (docs/how-to/serve-a-reward-model.md).",
        )
    if not config.token_env:
        return ""
    token = os.environ.get(config.token_env, "").strip()
    if not token:
        raise RewardSourceError(
            "the endpoint's token is not set",
            got=f"environment variable {config.token_env} is empty",
            next_step="Export it before the start; it never belongs into a file of the run.",
        )
    if not (token.isascii() and token.isprintable()):
        raise RewardSourceError(
            f"the value of {config.token_env} is no token", allowed="printable ASCII characters"
        )
    return token


def _tls(config: EndpointConfig) -> ssl.SSLContext | bool:
    if not config.verify_tls:
        return False
    if not config.ca_file:
        return True
    try:
        return ssl.create_default_context(cafile=config.ca_file)
    except (OSError, ssl.SSLError) as error:
        raise RewardSourceError(
            "ca_file cannot be read", got=f"{config.ca_file}: {error}", allowed="a PEM file"
        ) from None


def _retry_after_s(value: str | None, clock: Clock) -> float | None:
    """Seconds that a Retry-After header asks for (a number or a date); None without one."""
    if not value:
        return None
    try:
        seconds = float(value)
        return max(seconds, 0.0) if math.isfinite(seconds) else None
    except ValueError:
        pass
    try:
        date = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=dt.UTC)
    return max(date.timestamp() - clock.now_ns() / 1e9, 0.0)


def with_extra(body: JsonObject, extra: JsonObject) -> JsonObject:
    """``body`` with the fields of ``extra``; null removes one."""
    merged: dict[str, JsonValue] = {**body, **extra}
    return {key: value for key, value in merged.items() if value is not None or key not in extra}

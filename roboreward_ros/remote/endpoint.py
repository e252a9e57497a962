# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Where another host is found, and how it is trusted."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from roboreward_ros.errors import ConfigError
from roboreward_ros.remote.secrets import check_token_place, is_loopback, read_token

_FORM = "wss://HOST:PORT, or ws://127.0.0.1:PORT for a tunnel on this machine"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One host that serves.

    Attributes:
        url: wss://HOST:PORT; ws:// only to this machine (an ssh tunnel).
        ca_file: PEM file of the only certificates to trust, such as the host's own; "" for the
            system's.
        token_env: environment variable that holds the token.
        token_file: file that holds the token, readable by its owner alone; instead of token_env.
        via: HOST:PORT to connect to instead, the near end of a tunnel; certificates are still those
            of ``url``. "" for none.
        dead_s: silence after which a connection is given up, s.
        max_message: largest message that is taken, bytes.
    """

    url: str
    ca_file: str = ""
    token_env: str = ""
    token_file: str = ""
    via: str = ""
    dead_s: float = 6.0
    max_message: int = 64 << 20

    def __post_init__(self) -> None:
        check_token_place(self.token_env, self.token_file)
        if not 0.2 <= self.dead_s <= 600:
            raise ConfigError("dead_s is out of range", got=self.dead_s, allowed="0.2..600")
        if not 1 << 16 <= self.max_message <= 1 << 30:
            raise ConfigError(
                "max_message is out of range", got=self.max_message, allowed=f"{1 << 16}..{1 << 30}"
            )
        parts = urlsplit(self.url)
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ConfigError("url holds more than scheme, host and port", allowed=_FORM)
        try:
            port = parts.port
        except ValueError:
            port = None
        path = parts.path not in ("", "/")
        if parts.scheme not in ("ws", "wss") or not parts.hostname or not port or path:
            raise ConfigError("url is not that of a host", got=self.url, allowed=_FORM)
        if self.via and not self._via_is_one():
            raise ConfigError("via is not a host and its port", got=self.via, allowed="HOST:PORT")
        places = (parts.hostname, self.address[0])
        if parts.scheme == "ws" and not all(is_loopback(place) for place in places):
            raise ConfigError(
                "images and token would cross the network unencrypted",
                got=f"{self.url} via {self.via}" if self.via else self.url,
                allowed=_FORM,
                next_step="Use wss:// with ca_file (make one: roboreward serve certificate).",
            )

    def _via_is_one(self) -> bool:
        try:
            host, port = self.address
        except ValueError:
            return False
        return bool(host and port) and self.via == f"{host}:{port}"

    @property
    def host(self) -> str:
        """Name or address."""
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        return urlsplit(self.url).port or 0

    @property
    def address(self) -> tuple[str, int]:
        """What is connected to."""
        there = urlsplit(f"//{self.via}") if self.via else urlsplit(self.url)
        return there.hostname or "", there.port or 0

    @property
    def name(self) -> str:
        """Host and port, for messages."""
        return f"{self.host}:{self.port}"

    @property
    def encrypted(self) -> bool:
        return self.url.startswith("wss:")

    def token(self) -> str:
        """Read it now; raises ConfigError."""
        return read_token(self.token_env, self.token_file)

    def tls(self) -> ssl.SSLContext | None:
        """TLS 1.3 with the certificates to trust; None on this machine. Raises ConfigError."""
        if not self.encrypted:
            return None
        ca_file = str(Path(self.ca_file).expanduser()) if self.ca_file else None
        try:
            context = ssl.create_default_context(cafile=ca_file)
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(
                "ca_file cannot be read", got=f"{self.ca_file}: {error}", allowed="a PEM file"
            ) from None
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        return context

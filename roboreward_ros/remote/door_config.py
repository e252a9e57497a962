# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Where a host listens, what it takes to get in, and how much anyone may send."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

from roboreward_ros.clock import Clock
from roboreward_ros.errors import ConfigError
from roboreward_ros.remote.secrets import (
    check_token_place,
    is_loopback,
    read_private,
    read_token,
)


@dataclass(frozen=True, slots=True)
class DoorConfig:
    """A door. On this machine alone it needs nothing; on a network token and certificate.

    Attributes:
        bind: address to listen on; 0.0.0.0 for all of this machine.
        port: TCP port; 0 takes a free one.
        cert_file: PEM certificate (chain) to serve with.
        key_file: its private key, readable by its owner alone.
        token_env: environment variable that holds the token.
        token_file: file that holds it, readable by its owner alone; instead of token_env.
        max_peers: askers at a time.
        max_strangers: connections at a time that have not shown the token yet.
        max_message: largest message that is taken, bytes.
        bytes_per_s: of one asker; one that sends faster is read more slowly.
        messages_per_s: likewise.
        open_s: a stranger's time for all handshakes, s.
        dead_s: silence after which a connection is given up, s.
    """

    bind: str = "127.0.0.1"
    port: int = 8650
    cert_file: str = ""
    key_file: str = ""
    token_env: str = ""
    token_file: str = ""
    max_peers: int = 8
    max_strangers: int = 8
    max_message: int = 64 << 20
    bytes_per_s: float = 200e6
    messages_per_s: float = 2000.0
    open_s: float = 5.0
    dead_s: float = 6.0

    def __post_init__(self) -> None:
        check_token_place(self.token_env, self.token_file)
        for name, low, high in (
            ("port", 0, 65_535),
            ("max_peers", 1, 1000),
            ("max_strangers", 1, 1000),
            ("max_message", 1 << 16, 1 << 30),
            ("bytes_per_s", 1e3, 1e12),
            ("messages_per_s", 1, 1e6),
            ("open_s", 0.2, 60),
            ("dead_s", 0.2, 600),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise ConfigError(
                    f"{name} is out of range", got=value, allowed=f"{low:g}..{high:g}"
                )
        if bool(self.cert_file) != bool(self.key_file):
            raise ConfigError("a certificate needs its key", allowed="cert_file and key_file")
        if is_loopback(self.bind):
            return
        missing = [] if self.token_env or self.token_file else ["token"]
        missing += [] if self.cert_file else ["certificate"]
        if missing:
            raise ConfigError(
                f"{self.bind} can be reached by others, and there is no {' and no '.join(missing)}",
                allowed="127.0.0.1, or token and certificate",
                next_step="roboreward serve token FILE; roboreward serve certificate FOLDER HOST",
            )

    def token(self) -> str:
        """Read it now; raises ConfigError."""
        return read_token(self.token_env, self.token_file)

    def tls(self) -> ssl.SSLContext | None:
        """TLS 1.3 with the certificate; None without one. Raises ConfigError."""
        if not self.cert_file:
            return None
        cert_file, key_file = (Path(p).expanduser() for p in (self.cert_file, self.key_file))
        read_private(key_file)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        try:
            context.load_cert_chain(cert_file, key_file)
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(
                "certificate and key cannot be used",
                got=str(error),
                allowed="PEM files that belong together",
                next_step="Make them with: roboreward serve certificate FOLDER HOST",
            ) from None
        return context

    def rate(self, clock: Clock) -> Rate:
        """The allowance of one asker."""
        return Rate(self.bytes_per_s, self.messages_per_s, clock)


class Rate:
    """Allows a second's worth at once, then so much a second; who wants more waits.

    Args:
        bytes_per_s: bytes.
        messages_per_s: messages.
        clock: sleeps.
    """

    def __init__(self, bytes_per_s: float, messages_per_s: float, clock: Clock) -> None:
        self._seconds_a_byte = 1 / bytes_per_s
        self._seconds_a_message = 1 / messages_per_s
        self._clock = clock
        self._free_ns = clock.steady_ns()

    def spend(self, size: int) -> None:
        """Account for one message of ``size`` bytes; sleeps while too much was spent."""
        now_ns = self._clock.steady_ns()
        cost_s = max(size * self._seconds_a_byte, self._seconds_a_message)
        self._free_ns = max(self._free_ns, now_ns - 1_000_000_000) + round(cost_s * 1e9)
        if self._free_ns > now_ns:
            self._clock.sleep((self._free_ns - now_ns) / 1e9)

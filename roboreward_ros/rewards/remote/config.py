# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which host scores, and what it is expected to be."""

from __future__ import annotations

from dataclasses import dataclass

from roboreward_ros.errors import ConfigError
from roboreward_ros.remote.endpoint import Endpoint
from roboreward_ros.types import ScoreScale


@dataclass(frozen=True, slots=True)
class RemoteConfig:
    """A reward host.

    Attributes:
        url: wss://HOST:PORT; ws:// only to this machine (a tunnel); "" is an error that says how.
        ca_file: the host's certificate, the only one to trust; "" for the system's authorities.
        token_env: environment variable that holds the token.
        token_file: file that holds it, readable by its owner alone; instead of token_env.
        via: HOST:PORT to connect to instead: the near end of a tunnel to url; "" for none.
        source: what the host must serve; "" for anything.
        scale: range of its scores; another one is refused.
        dense: whether it gives a value for every step; otherwise it is refused.
        timeout_s: deadline of one score, uploads and reconnections included, s.
        connect_s: longest wait for the host at the start, s. More than a minute: a reward_node that
            dies while the host is away is started again until the host is back.
        live_s: longest wait for the value of a running episode's step, s.
        dead_s: silence after which a connection is given up, s.
    """

    url: str = ""
    ca_file: str = ""
    token_env: str = ""
    token_file: str = ""
    via: str = ""
    source: str = ""
    scale: ScoreScale = ScoreScale.RUBRIC
    dense: bool = False
    timeout_s: float = 60.0
    connect_s: float = 75.0
    live_s: float = 1.0
    dead_s: float = 6.0

    def __post_init__(self) -> None:
        for name, high in (("timeout_s", 86_400), ("connect_s", 3600), ("live_s", 60)):
            value = getattr(self, name)
            if not 0.01 <= value <= high:
                raise ConfigError(f"{name} is out of range", got=value, allowed=f"0.01..{high}")
        if self.url:
            self.endpoint()

    def endpoint(self) -> Endpoint:
        """Where; raises ConfigError."""
        return Endpoint(
            self.url, self.ca_file, self.token_env, self.token_file, self.via, self.dead_s
        )

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A policy served to other hosts."""

from __future__ import annotations

import threading
from collections import OrderedDict

import numpy as np

from roboreward_ros.errors import ConfigError, FormatError
from roboreward_ros.policies.remote import dialect
from roboreward_ros.protocols import Policy
from roboreward_ros.remote.door import Peer
from roboreward_ros.remote.packet import Packet
from roboreward_ros.types import Float32Array
from roboreward_ros.types.codec import JsonValue

KEPT_BYTES = 64 << 20


class PolicyService:
    """Answers several askers with one policy (protocol ``remote.door.Service``).

    Args:
        policy: any; asked from one thread at a time.
        kept: bytes of features that are kept for ``decode``.
    """

    name = dialect.SERVICE

    def __init__(self, policy: Policy, kept: int = KEPT_BYTES) -> None:
        self.policy = policy
        self._limit = kept
        self._lock = threading.Lock()
        self._rows: OrderedDict[str, Float32Array] = OrderedDict()
        self._size = 0

    def join(self, peer: Peer, hello: Packet) -> PolicySession:
        del peer
        dialect.check_dialect(hello, "hello")
        return PolicySession(self)

    def encode(self, packet: Packet) -> Float32Array:
        images, proprio, tasks = dialect.read_encode(packet)
        with self._lock:
            features = self.policy.encode(images, proprio, tasks)
            self._keep(features)
        return features

    def keep(self, features: Float32Array) -> None:
        with self._lock:
            self._keep(features)

    def decode(self, packet: Packet) -> Float32Array | list[int]:
        """Actions, or the places of features that are not here."""
        names, noise = dialect.read_decode(packet)
        with self._lock:
            missing = [place for place, name in enumerate(names) if name not in self._rows]
            if missing:
                return missing
            rows = [self._rows[name] for name in names]
            if not rows or len({row.shape for row in rows}) > 1:
                raise ConfigError("features have the wrong shape", got=f"{len(rows)} rows")
            return self.policy.decode(np.stack(rows), noise)

    def _keep(self, features: Float32Array) -> None:
        if features.ndim != 2 or features.nbytes > self._limit:
            raise ConfigError("features have the wrong shape", got=features.shape, allowed="[B, F]")
        for row in features:
            name = dialect.name_of(row)
            if name not in self._rows:
                self._size += row.nbytes
            self._rows[name] = row.copy()
            self._rows.move_to_end(name)
        while self._size > self._limit:
            _, old = self._rows.popitem(last=False)
            self._size -= old.nbytes


class PolicySession:
    """One connection (protocol ``remote.door.Session``)."""

    def __init__(self, service: PolicyService) -> None:
        self._service = service

    def welcome(self) -> Packet:
        return dialect.welcome(self._service.policy.spec)

    def take(self, packet: Packet) -> Packet | None:
        match packet.kind:
            case dialect.ENCODE:
                return dialect.numbers(dialect.FEATURES, self._service.encode(packet))
            case dialect.KEEP:
                self._service.keep(dialect.read_numbers(packet, dialect.KEEP))
                return Packet(dialect.KEPT)
            case dialect.DECODE:
                found = self._service.decode(packet)
                if isinstance(found, list):
                    return Packet(dialect.MISSING, {"places": list[JsonValue](found)})
                return dialect.numbers(dialect.ACTIONS, found)
        raise FormatError("an asker does not say this", got=packet.kind)

    def close(self) -> None:
        """Features belong to nobody."""

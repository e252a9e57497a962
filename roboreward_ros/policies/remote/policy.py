# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A policy whose network runs on another host (``roboreward serve policy``)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from roboreward_ros.clock import Clock
from roboreward_ros.errors import (
    CheckpointError,
    ConfigError,
    FormatError,
    LinkError,
    RefusedError,
)
from roboreward_ros.policies.remote import dialect
from roboreward_ros.policies.remote.folder import RemotePolicyConfig, read_folder
from roboreward_ros.remote.link import Link
from roboreward_ros.remote.packet import Packet
from roboreward_ros.types import Float32Array, FloatArray, ImageU8, PolicySpec

LOOK_S = 10.0
"""Longest wait of a command that only looks whether the host is there, s."""
_ROUNDS = 3


class RemotePolicy:
    """Asks for features and actions (protocol ``Policy``); one thread at a time.

    Bit-equal to the policy on its host with a lossless coding. A question whose answer does not
    come in time raises LinkError, and what may still be on its way is dropped with the connection.

    Args:
        folder: made by ``roboreward policy connect``.
        clock: measures deadlines.
        limit_s: wait for the host no longer than this, s.

    Raises:
        CheckpointError: damaged, or the host serves another policy now.
        ConfigError: token or certificate cannot be read.
        LinkError: the host cannot be reached or does not let us in.
    """

    def __init__(self, folder: Path, clock: Clock | None = None, limit_s: float = math.inf) -> None:
        self._config, self._spec = read_folder(folder)
        self._link = Link(
            self._config.endpoint(folder), dialect.SERVICE, dialect.hello(), self._welcome, clock
        )
        try:
            self._link.connect(min(self._config.connect_s, limit_s))
        except BaseException:
            self._link.close()
            raise

    @property
    def spec(self) -> PolicySpec:
        return self._spec

    @property
    def link(self) -> Link:
        """The connection; for its figures."""
        return self._link

    def _welcome(self, packet: Packet) -> None:
        found = dialect.read_welcome(packet)
        if found != self._spec:
            raise CheckpointError(
                f"the host at {self._config.url} serves another policy",
                got=found.policy_id,
                allowed=self._spec.policy_id,
                next_step="Start the right one there, or make a new folder for this one.",
            )

    def encode(
        self, images: Sequence[ImageU8], proprio: FloatArray, tasks: Sequence[str]
    ) -> Float32Array:
        """Frozen conditioning ``[B, F]``; see ``protocols.Policy``. Raises LinkError too."""
        question = dialect.encode(images, proprio, tasks, self._config.coding)
        return self._numbers(self._ask(question), dialect.FEATURES)

    def decode(self, features: Float32Array, noise: Float32Array) -> Float32Array:
        """Unclipped actions ``[B, P, 7]``; see ``protocols.Policy``. Raises LinkError too.

        Features that came from the host are not sent back to it.
        """
        if features.ndim != 2:
            raise ConfigError("features have the wrong shape", got=features.shape, allowed="[B, F]")
        question = dialect.decode(features, noise)
        for _ in range(_ROUNDS):
            reply = self._ask(question)
            if reply.kind != dialect.MISSING:
                return self._numbers(reply, dialect.ACTIONS)
            self._ask(dialect.numbers(dialect.KEEP, features))
        raise LinkError(f"{self._config.url} forgets features as fast as they come")

    def close(self) -> None:
        """Drop the connection; idempotent."""
        self._link.close()

    def _ask(self, packet: Packet) -> Packet:
        try:
            return self._link.ask(packet, self._config.timeout_s)
        except RefusedError as error:
            raise _as_it_was(error) from None
        except LinkError as error:
            self._link.drop(str(error))
            raise

    def _numbers(self, reply: Packet, kind: str) -> Float32Array:
        try:
            return dialect.read_numbers(reply, kind)
        except FormatError as error:
            raise RefusedError(f"{self._config.url} answers nonsense", got=str(error)) from None


def _as_it_was(error: RefusedError) -> Exception:
    """What the policy itself raised, where it did."""
    kinds = {"CheckpointError": CheckpointError, "ConfigError": ConfigError}
    kind = kinds.get(error.kind)
    return error if kind is None else kind(str(error))


def fetch_spec(config: RemotePolicyConfig) -> PolicySpec:
    """Ask a host what it serves.

    Raises:
        ConfigError: token or certificate cannot be read.
        LinkError: it cannot be reached or does not let us in.
    """
    found: list[PolicySpec] = []

    def note(packet: Packet) -> None:
        found.append(dialect.read_welcome(packet))

    link = Link(config.endpoint(Path()), dialect.SERVICE, dialect.hello(), note)
    try:
        link.connect(min(config.connect_s, LOOK_S))
    finally:
        link.close()
    return found[-1]

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The newest picture of each camera, for any number of viewers; old ones are never queued."""

from __future__ import annotations

import threading
from dataclasses import dataclass

CAMERA = "main"
"""The camera that the policy sees."""


@dataclass(frozen=True, slots=True)
class Picture:
    """Attributes: number: counts up with each picture; jpeg: its bytes; stamp_ns: steady time."""

    number: int
    jpeg: bytes
    stamp_ns: int


class LiveCameras:
    """Safe to use from threads: one puts, many look."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._newest: dict[str, Picture] = {}

    def put(self, camera: str, jpeg: bytes, stamp_ns: int) -> None:
        """A new picture came."""
        with self._mutex:
            before = self._newest.get(camera)
            number = before.number + 1 if before is not None else 1
            self._newest[camera] = Picture(number, jpeg, stamp_ns)

    def newest(self, camera: str) -> Picture | None:
        """The newest picture; None before the first."""
        with self._mutex:
            return self._newest.get(camera)

    def names(self) -> tuple[str, ...]:
        """Cameras that have sent something."""
        with self._mutex:
            return tuple(self._newest)

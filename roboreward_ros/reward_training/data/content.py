# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What makes two videos one: the bytes of a file, or the pixels of frames."""

from __future__ import annotations

import hashlib
from pathlib import Path

from roboreward_ros.types import ImageU8


def file_sha256(path: Path) -> str:
    """sha256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class FramesHash:
    """sha256 over the pixels and sizes of frames in order; independent of any encoder."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self.frames = 0

    def add(self, image: ImageU8) -> None:
        """One frame ``[H, W, 3]`` uint8 RGB."""
        self._hash.update(repr(image.shape).encode())
        self._hash.update(image.tobytes())
        self.frames += 1

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Identity of what a source looked at."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence


def frames_hash(frames: Sequence[bytes]) -> str:
    """sha256 over the frames' lengths and bytes; what a score's provenance carries."""
    digest = hashlib.sha256()
    for frame in frames:
        digest.update(len(frame).to_bytes(8, "little"))
        digest.update(frame)
    return digest.hexdigest()

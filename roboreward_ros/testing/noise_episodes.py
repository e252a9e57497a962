# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Committed episodes of noise: pictures that differ and do not compress, and nothing to see."""

from __future__ import annotations

import io

import numpy as np

from roboreward_ros.protocols import EpisodeStore
from roboreward_ros.testing.conformance_episode_store import make_meta, make_report
from roboreward_ros.types import EndCause

TASK = "open the drawer"


def noise_jpeg(rng: np.random.Generator, side: int = 96) -> bytes:
    """A picture ``[side, side, 3]`` of noise."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(rng.integers(0, 256, (side, side, 3), dtype=np.uint8)).save(buffer, "JPEG")
    return buffer.getvalue()


def write_noise(store: EpisodeStore, index: int, steps: int) -> list[bytes]:
    """Commit episode ``index``; its frames, ``steps + 1`` of them."""
    writer = store.create(make_meta(index, task=TASK, max_steps=steps))
    rng = np.random.default_rng(index)
    frames = [noise_jpeg(rng) for _ in range(steps + 1)]
    for step, frame in enumerate(frames):
        if step:
            writer.add_step(step - 1, make_report(step))
        writer.add_observation(step, 200_000_000 * step, frame, np.zeros(7), np.zeros(6))
    writer.commit(EndCause.TIME)
    return frames

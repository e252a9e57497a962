# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The last n observations of an episode, for policies that decide from more than one."""

from __future__ import annotations

from collections import deque

import numpy as np

from roboreward_ros.errors import ConfigError
from roboreward_ros.types import FloatArray, ImageU8, PolicySpec


class ObservationHistory:
    """Collects what a decision will see; one episode each.

    At an episode's start, and where an observation could not be had, the next newer one stands in
    its place, as these policies were trained.

    Args:
        spec: of the policy.
    """

    def __init__(self, spec: PolicySpec) -> None:
        self._length = spec.observation_steps
        self._chunk = spec.chunk_size
        self._kept: deque[tuple[int, ImageU8, FloatArray]] = deque(maxlen=self._length)

    def wants(self, step: int) -> bool:
        """Whether a decision after ``step`` will see it: its picture is needed."""
        return self._chunk - step % self._chunk < self._length

    def add(self, step: int, image: ImageU8, proprio: FloatArray) -> None:
        """Keep the picture ``[H, W, 3]`` and the proprioception ``[7]`` of a step."""
        if self._length > 1:
            self._kept.append((step, image, proprio))

    def seen(self, step: int, image: ImageU8, proprio: FloatArray) -> tuple[ImageU8, FloatArray]:
        """What the decision at ``step`` sees.

        Returns:
            Picture and proprioception as given for one observation, otherwise ``[n, H, W, 3]`` and
            ``[n, 7]``, oldest first.

        Raises:
            ConfigError: pictures of different sizes.
        """
        if self._length == 1:
            return image, proprio
        known = {at: (kept, state) for at, kept, state in self._kept}
        known[step] = (image, proprio)
        rows: list[tuple[ImageU8, FloatArray]] = []
        for at in range(step, step - self._length, -1):
            rows.append(known.get(at, rows[-1] if rows else (image, proprio)))
        pictures = [picture for picture, _ in reversed(rows)]
        if any(picture.shape != image.shape for picture in pictures):
            raise ConfigError(
                "pictures of one history differ in size",
                got=[picture.shape for picture in pictures],
                allowed=str(image.shape),
            )
        return np.stack(pictures), np.stack([state for _, state in reversed(rows)])

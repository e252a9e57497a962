# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What every Camera must do. Subclass ``CameraConformance`` and override ``make_camera``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
import pytest

from roboreward_ros.errors import CameraError
from roboreward_ros.protocols import Camera


class CameraConformance:
    """Tests over one Camera.

    Attributes:
        timeout_s: within which a working camera gives a frame.
    """

    timeout_s = 10.0

    @pytest.fixture
    def make_camera(self) -> Callable[[], Camera]:
        raise NotImplementedError("give the suite a function that makes a closed camera")

    @pytest.fixture
    def camera(self, make_camera: Callable[[], Camera]) -> Iterator[Camera]:
        camera = make_camera()
        camera.open()
        yield camera
        camera.close()

    def test_frames_are_rgb_bytes_of_one_size(self, camera: Camera) -> None:
        frames = [camera.read(self.timeout_s) for _ in range(3)]
        assert {frame.image.shape for frame in frames} == {frames[0].image.shape}
        assert all(frame.image.dtype == np.uint8 for frame in frames)
        assert all(frame.camera for frame in frames)

    def test_stamps_go_forward(self, camera: Camera) -> None:
        stamps = [camera.read(self.timeout_s).stamp_ns for _ in range(4)]
        assert all(a < b for a, b in pairwise(stamps))

    def test_frames_are_not_overwritten_by_later_ones(self, camera: Camera) -> None:
        first = camera.read(self.timeout_s)
        kept = first.image.copy()
        for _ in range(3):
            camera.read(self.timeout_s)
        np.testing.assert_array_equal(first.image, kept)

    def test_reading_a_closed_camera_raises(self, make_camera: Callable[[], Camera]) -> None:
        camera = make_camera()
        with pytest.raises(CameraError, match="open"):
            camera.read(self.timeout_s)

    def test_closing_twice_and_opening_again(self, make_camera: Callable[[], Camera]) -> None:
        camera = make_camera()
        camera.close()
        for _ in range(2):
            camera.open()
            camera.read(self.timeout_s)
            camera.close()
            camera.close()
        with pytest.raises(CameraError, match="open"):
            camera.read(self.timeout_s)

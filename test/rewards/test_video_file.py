# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Video files: which frames are kept, at which size, and what is refused."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from roboreward_ros.errors import ConfigError, RewardSourceError
from roboreward_ros.rewards.video_file import VideoFileConfig, read_video
from roboreward_ros.testing.grey_video import write_video


def indices(request):
    pixels = [np.asarray(Image.open(io.BytesIO(frame))).mean() for frame in request.frames]
    return [round(value / 2) for value in pixels]


def test_a_faster_file_is_thinned_and_keeps_its_first_and_last_frame(tmp_path):
    path = write_video(tmp_path / "a.mp4", 40)
    request = read_video(path, " open the drawer ")
    assert (request.control_hz, request.task) == (10.0, "open the drawer")
    assert np.abs(np.array(indices(request)) - [*range(0, 40, 2), 39]).max() <= 1
    assert request.stamps_ns[-1] == pytest.approx(39 / 20 * 1e9)


def test_a_slow_file_keeps_every_frame(tmp_path):
    request = read_video(write_video(tmp_path / "a.mp4", 7, fps=5), "lift")
    assert (len(request.frames), request.control_hz) == (7, 5.0)


def test_a_long_file_is_thinned_evenly_to_the_bound(tmp_path):
    path = write_video(tmp_path / "a.mp4", 100, fps=10)
    request = read_video(path, "lift", VideoFileConfig(max_frames=16))
    assert len(request.frames) <= 16
    kept = indices(request)
    assert kept[0] <= 1
    assert kept[-1] >= 98
    steps = np.diff(kept[:-1])
    assert steps.max() - steps.min() <= 2


def test_large_frames_are_shrunk_to_the_bound(tmp_path):
    path = write_video(tmp_path / "a.mp4", 3, size=(3840, 2160))
    request = read_video(path, "lift", VideoFileConfig(max_pixels=10_000))
    width, height = Image.open(io.BytesIO(request.frames[0])).size
    assert width * height <= 10_100
    assert width / height == pytest.approx(16 / 9, rel=0.05)


def test_a_single_frame_is_a_video(tmp_path):
    assert len(read_video(write_video(tmp_path / "a.mp4", 1), "lift").frames) == 1


def test_what_is_no_video_is_refused_with_its_name(tmp_path):
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"not a video at all")
    with pytest.raises(RewardSourceError, match=r"broken\.mp4"):
        read_video(broken, "lift")
    whole = write_video(tmp_path / "whole.mp4", 40)
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole.read_bytes()[:600])
    with pytest.raises(RewardSourceError, match=r"cut\.mp4"):
        read_video(cut, "lift")
    with pytest.raises(ConfigError, match="no such video"):
        read_video(tmp_path / "absent.mp4", "lift")
    with pytest.raises(ConfigError, match="task is empty"):
        read_video(whole, "  ")

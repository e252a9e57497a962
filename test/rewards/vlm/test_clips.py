# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
import io
import tracemalloc

import numpy as np
import pytest
from PIL import Image

from roboreward_ros.errors import ConfigError, RewardSourceError
from roboreward_ros.rewards.vlm.clips import Clip, ClipConfig, Sampling, decode, frame_size, select
from roboreward_ros.testing.conformance_reward_source import jpeg

GRID = ClipConfig(Sampling.GRID, fps=2.0, max_frames=32)


@pytest.mark.parametrize("n_frames", [2, 3, 7, 40, 311, 10_000])
@pytest.mark.parametrize("sampling", Sampling)
def test_the_first_and_the_true_last_frame_are_always_in(n_frames, sampling):
    config = ClipConfig(sampling, fps=2.0, max_frames=32)
    found = select(n_frames, 5.0, config)
    assert found.indices[0] == 0
    assert found.indices[-1] == n_frames - 1
    assert list(found.indices) == sorted(set(found.indices))
    assert len(found.indices) <= 32
    assert found.times_s == tuple(index / 5 for index in found.indices)


def test_uniform_takes_the_rate_and_its_bounds():
    config = ClipConfig(fps=2.0, min_frames=4, max_frames=16)
    assert len(select(10, 5.0, config).indices) == 4  # 2 s
    assert len(select(30, 5.0, config).indices) == 12  # 6 s
    assert len(select(300, 5.0, config).indices) == 16
    assert select(3, 5.0, config).indices == (0, 1, 2)
    assert select(1, 5.0, config).indices == (0,)
    assert select(30, 5.0, config).stable == 0
    assert select(30, 5.0, config).seconds_per_frame == pytest.approx(0.5)


def test_the_grid_of_a_longer_episode_begins_with_that_of_a_shorter_one():
    longest = select(60, 5.0, GRID)
    assert longest.indices[:5] == (0, 3, 5, 8, 10)
    for n_frames in range(1, 60):
        shorter = select(n_frames, 5.0, GRID)
        count = shorter.stable
        assert shorter.indices[:count] == longest.indices[:count]
        assert shorter.times_s[:count] == longest.times_s[:count]
        assert len(shorter.indices) - count in (0, 1)
        assert shorter.seconds_per_frame == 0.5


def test_the_grid_of_a_very_long_episode_halves_its_rate():
    found = select(10_000, 5.0, GRID)
    assert len(found.indices) <= 32
    ratio = np.log2(found.seconds_per_frame / 0.5)
    assert ratio == round(ratio) > 0
    steps = np.diff(found.indices[: found.stable])
    assert set(steps.tolist()) == {round(found.seconds_per_frame * 5)}


def test_the_grid_is_never_finer_than_the_frames():
    found = select(6, 5.0, ClipConfig(Sampling.GRID, fps=30.0))
    assert found.indices == (0, 1, 2, 3, 4, 5)
    assert found.seconds_per_frame == 0.2


@pytest.mark.parametrize(
    ("n_frames", "hz"), [(0, 5.0), (-1, 5.0), (5, 0.0), (5, float("nan")), (5, float("inf"))]
)
def test_an_impossible_episode_is_said(n_frames, hz):
    with pytest.raises(RewardSourceError):
        select(n_frames, hz, ClipConfig())


@pytest.mark.parametrize(
    "options",
    [{"fps": 0.0}, {"fps": float("nan")}, {"min_frames": 0}, {"min_frames": 9, "max_frames": 8},
     {"min_frames": 1, "max_frames": 1}, {"frame_pixels": 10}],
)  # fmt: skip
def test_impossible_settings_are_said(options):
    with pytest.raises(ConfigError):
        ClipConfig(**options)


@pytest.mark.parametrize(
    ("height", "width", "wanted"),
    [(256, 256, (256, 256)), (192, 320, (192, 320)), (480, 640, (224, 288)),
     (2160, 3840, (192, 320)), (32, 32, (32, 32)), (20, 20, (32, 32)), (64, 4000, (32, 2016))],
)  # fmt: skip
def test_frame_size_depends_on_the_source_only(height, width, wanted):
    size = frame_size(height, width, 65_536, 32)
    assert size == wanted
    assert size[0] * size[1] <= 65_536


def test_a_size_that_cannot_be_reached_is_said():
    with pytest.raises(RewardSourceError, match="size"):
        frame_size(100, 100, 1024, 64)


def test_decoding_keeps_order_and_size():
    frames = [jpeg(40 * k, 40) for k in range(5)]
    pixels = decode(frames, (0, 2, 4), 65_536, 16)
    assert pixels.shape == (3, 32, 32, 3)
    assert pixels.dtype == np.uint8
    assert np.abs(pixels.mean(axis=(1, 2, 3)) - [0, 80, 160]).max() < 2


def test_only_chosen_frames_are_decoded():
    frames = [b"no image"] * 10_000
    frames[0] = frames[-1] = jpeg(10)
    assert decode(frames, (0, 9_999), 65_536, 16).shape == (2, 32, 32, 3)
    with pytest.raises(RewardSourceError, match="frame 5 cannot be decoded"):
        decode(frames, (0, 5), 65_536, 16)


def test_a_truncated_or_grey_frame():
    whole = jpeg(99, 64)
    with pytest.raises(RewardSourceError, match="cannot be decoded"):
        decode([whole[: len(whole) // 2]], (0,), 65_536, 16)
    buffer = io.BytesIO()
    Image.new("L", (64, 64), 7).save(buffer, "PNG")
    assert decode([buffer.getvalue()], (0,), 65_536, 16).shape == (1, 64, 64, 3)


def test_large_frames_cost_one_decoded_image_at_a_time():
    buffer = io.BytesIO()
    Image.new("RGB", (1920, 1080), (9, 9, 9)).save(buffer, "JPEG")
    frames = [buffer.getvalue()] * 12
    tracemalloc.start()
    pixels = decode(frames, range(12), 65_536, 32)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert pixels.shape == (12, 192, 320, 3)
    assert peak < 12 * 1920 * 1080 * 3 / 2


def test_an_image_of_absurd_size_is_refused_unread():
    buffer = io.BytesIO()
    Image.new("1", (9000, 9000)).save(buffer, "PNG")
    with pytest.raises(RewardSourceError, match="too large"):
        decode([buffer.getvalue()], (0,), 65_536, 32)


def test_a_clip_checks_itself():
    frames = np.zeros((2, 32, 32, 3), np.uint8)
    assert Clip(frames, (0.0, 1.0), 1.0).size == (32, 32)
    for times, stable in (((0.0,), 0), ((0.0, 1.0), 3), ((), 0)):
        with pytest.raises(ConfigError):
            Clip(frames, times, 1.0, stable)

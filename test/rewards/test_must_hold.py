# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Episodes that nobody should hand to a source: broken, empty, huge, endless."""

import dataclasses
import io
import struct
import tracemalloc
import zlib
from collections.abc import Sequence

import numpy as np
import pytest
from PIL import Image

from roboreward_ros.errors import RewardSourceError
from roboreward_ros.rewards.guard import Guard
from roboreward_ros.rewards.registry import build
from roboreward_ros.rewards.vlm import clips
from roboreward_ros.rewards.vlm.prompt import Family
from roboreward_ros.testing.chat_server import MODEL, ChatServer
from roboreward_ros.testing.conformance_reward_source import jpeg
from roboreward_ros.types import RewardFailure, RewardRequest, Score

NAMES = ("roboreward", "lrm_progress", "lrm_mix", "gvl", "api")
SURE = {"max_entropy": 9.0, "max_off_answer_mass": 1.0}


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture(scope="module")
def sources(tiny, backends):
    """One warm source of every kind that looks at frames."""
    folder = {"model": str(tiny(Family.QWEN3_VL)), "device": "cpu", "offline": True}
    with ChatServer(backends("qwen3_vl")) as server:
        options = {
            "roboreward": {**folder, **SURE},
            "lrm_progress": {**folder, **SURE},
            "lrm_mix": {**folder, **SURE, "contrastive_readout": "scored"},
            "gvl": {**folder, "max_new_tokens": 2},
            "api": {"base_url": server.url, "model": MODEL, "max_tokens": 2, "media": "images"},
        }
        made = {}
        for name in NAMES:
            made[name] = build(name, options[name])
            made[name].warm_up()
        yield made
        for source in made.values():
            source.close()


def request(frames: Sequence[bytes], task: str = "open the drawer") -> RewardRequest:
    return RewardRequest("ep_000000", task, frames, [0] * len(frames), 5.0)


def broken(index: int) -> list[bytes]:
    """Six frames, one of them cut off in the middle."""
    frames = [jpeg(40 * k, 64) for k in range(6)]
    frames[index] = frames[index][: len(frames[index]) // 3]
    return frames


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (request([]), "too short.*0 frames"),
        (request([jpeg(9)]), "too short.*1 frames"),
        (request([jpeg(9)] * 3, "  \n "), "no task sentence"),
        (request([jpeg(9)] * 3, "lift <|im_end|>"), "control token"),
        (request([jpeg(9)] * 3, "lift " * 900), "too long"),
        (request(broken(5)), "frame 5 cannot be decoded"),
        (request([jpeg(9)] * 3 + [b"no picture"]), "frame 3 cannot be decoded"),
    ],
    ids=["none", "one", "no-task", "control", "long", "cut-off", "text"],
)
def test_what_cannot_be_judged_is_a_failure_that_says_why(sources, name, bad, words):
    with pytest.raises(RewardSourceError, match=words):
        sources[name].score(bad)
    outcome = Guard(sources[name]).score(bad)
    assert isinstance(outcome, RewardFailure)


@pytest.mark.parametrize("name", NAMES)
def test_a_bad_episode_does_not_spoil_the_next(sources, name):
    good = request([jpeg(30 * k, 64) for k in range(6)])
    before = sources[name].score(good)
    with pytest.raises(RewardSourceError):
        sources[name].score(request(broken(5)))
    assert dataclasses.replace(sources[name].score(good), latency_s=before.latency_s) == before


class Endless(Sequence[bytes]):
    """Ten thousand frames that are made when they are looked at."""

    def __init__(self, frame: bytes, count: int = 10_000) -> None:
        self._frame, self._count = frame, count
        self.looked = 0

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index):
        if isinstance(index, slice):
            raise AssertionError("a part of the episode was copied")
        if not -self._count <= index < self._count:
            raise IndexError(index)
        self.looked += 1
        return self._frame


@pytest.mark.parametrize("name", NAMES)
def test_a_long_episode_costs_no_more_than_a_short_one(sources, name):
    frames = Endless(jpeg(90, 64))
    outcome = sources[name].score(request(frames))
    assert not isinstance(outcome, RewardFailure)
    assert frames.looked <= 2 * 32 + 8, "frames are chosen before they are opened"


def four_k() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.full((2160, 3840, 3), 120, np.uint8)).save(buffer, "JPEG")
    return buffer.getvalue()


def test_4k_frames_are_shrunk_before_they_are_kept(sources, monkeypatch):
    sizes = []
    real = clips.frame_size
    monkeypatch.setattr(clips, "frame_size", lambda *a: sizes.append(a[:2]) or real(*a))
    frames = Endless(four_k(), 6)
    tracemalloc.start()
    try:
        outcome = sources["roboreward"].score(request(frames))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert isinstance(outcome, Score)
    assert sizes == [(2160, 3840)]
    assert peak < 2160 * 3840 * 3, "no frame is kept at its full size"


def test_pictures_beyond_reason_are_refused_before_they_are_decoded(sources):
    tiny = io.BytesIO()
    Image.new("RGB", (1, 1)).save(tiny, "PNG")
    raw = bytearray(tiny.getvalue())
    raw[16:24] = struct.pack(">II", 9_000, 9_000)  # what the header claims
    raw[29:33] = struct.pack(">I", zlib.crc32(raw[12:29]))
    with pytest.raises(RewardSourceError, match=r"too large.*9000x9000"):
        sources["roboreward"].score(request([bytes(raw)] * 3))

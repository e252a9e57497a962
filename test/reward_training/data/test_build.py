# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From sources to a folder: draws, splits, corrections, and kills at any moment."""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from made import layout, options

from roboreward_ros.episodes.exchange.video import probe
from roboreward_ros.errors import ConfigError, FormatError, StoreError
from roboreward_ros.reward_training.data.build import BuildConfig, build
from roboreward_ros.reward_training.data.clip import Clip, split_of
from roboreward_ros.reward_training.data.recordings import LayoutSource


class Grey:
    """Clips of two grey frames, each of its own level."""

    def __init__(self, name, count, damaged=(), first=0):
        self.name, self.count, self.damaged, self.first = name, count, damaged, first
        self.reward = 3
        self.opened = []

    def describe(self):
        return f"{self.name}: {self.count} grey clips"

    def clips(self, on_problem):
        for k in range(self.first, self.first + self.count):
            yield Clip(f"c{k}", f"task {k % 3}", self.reward, 5.0, lambda k=k: self.frames(k))

    def frames(self, k):
        self.opened.append(k)
        if k in self.damaged:
            raise FormatError("this clip is damaged", got=k)
        level = 2 * k + len(self.name)
        return iter([np.full((16, 16, 3), level % 256, np.uint8)] * 2)


def rows(out: Path) -> list[dict]:
    return [
        json.loads(line) | {"split": table.parent.name}
        for table in sorted(out.glob("*/metadata.jsonl"))
        for line in table.read_text().splitlines()
    ]


def tables(out: Path) -> dict[str, str]:
    return {path.parent.name: path.read_text() for path in out.glob("*/metadata.jsonl")}


def test_every_row_has_its_video_and_lies_where_its_content_says(tmp_path):
    built = build([Grey("a", 12), Grey("bb", 3)], tmp_path, BuildConfig(shares=(0.5, 0.25, 0.25)))
    found = rows(tmp_path)
    assert len(found) == built.census.rows == 15
    assert built.written == 15
    for row in found:
        video = tmp_path / row["split"] / row["file_name"]
        assert probe(video).frames == row["frames"] == 2
        assert split_of(row["video_sha256"], (0.5, 0.25, 0.25)) == row["split"]
    assert Counter(row["subset"] for row in found) == {"a": 12, "bb": 3}
    assert len({row["split"] for row in found}) == 3
    card = (tmp_path / "README.md").read_text()
    assert "split: validation\n    path: val/**" in card
    assert "| a | 12 |" in card
    assert "size_categories:\n- n<1K" in card


def test_the_draw_is_equal_by_source_repeatable_and_changes_little(tmp_path):
    config = BuildConfig(per_source=5, seed=1, split="train")
    sources = [Grey("a", 40), Grey("bb", 8)]
    build(sources, tmp_path / "one", config)
    first = {row["id"] for row in rows(tmp_path / "one")}
    assert Counter(name.split("/")[0] for name in first) == {"a": 5, "bb": 5}
    build([Grey("a", 40), Grey("bb", 8)], tmp_path / "two", config)
    assert tables(tmp_path / "one") == tables(tmp_path / "two")
    build(sources, tmp_path / "three", dataclasses.replace(config, seed=2))
    assert {row["id"] for row in rows(tmp_path / "three")} != first
    build([Grey("a", 44), Grey("bb", 8)], tmp_path / "four", config)
    assert len(first - {row["id"] for row in rows(tmp_path / "four")}) <= 4


def test_every_row_is_as_likely_as_any_other(tmp_path):
    """Over 600 seeds each of ten rows is drawn 3 times in 10; 5 standard deviations are 56."""
    from roboreward_ros.reward_training.data.build import _chosen

    counts: Counter[str] = Counter()
    for seed in range(600):
        config = BuildConfig(per_source=3, seed=seed)
        counts.update(clip.id for clip, _ in _chosen([Grey("a", 10)], config, print))
    assert len(counts) == 10
    assert all(abs(count - 180) < 56 for count in counts.values())


def test_labels_are_those_of_now_and_videos_are_not_written_twice(tmp_path):
    source = Grey("a", 4)
    build([source], tmp_path, BuildConfig())
    source.reward, source.opened = 1, []
    again = build([source], tmp_path, BuildConfig())
    assert again.written == 0
    assert not source.opened
    assert {row["reward"] for row in rows(tmp_path)} == {1}
    build([Grey("a", 2)], tmp_path, BuildConfig())
    assert len(rows(tmp_path)) == 2  # what the source no longer has leaves the table


def test_other_shares_move_videos_and_leave_no_table_behind(tmp_path):
    build([Grey("a", 6)], tmp_path, BuildConfig(split="val"))
    assert set(tables(tmp_path)) == {"val"}
    built = build([Grey("a", 6)], tmp_path, BuildConfig(split="test"))
    assert set(tables(tmp_path)) == {"test"}
    assert built.written == 0
    assert not list((tmp_path / "val").rglob("*.mp4"))


def test_one_video_under_many_sentences_is_one_file_in_one_split(tmp_path):
    folder = layout(
        tmp_path / "in",
        [
            {"file_name": "s/a.mp4", "task": "x", "reward": 5},
            {"file_name": "s/a.mp4", "task": "y", "reward": 1},
            {"file_name": "s/a_attempt_1_score_2.mp4", "task": "x", "reward": 2},
        ],
    )
    build([LayoutSource(options("layout", folder))], tmp_path / "out", BuildConfig())
    found = rows(tmp_path / "out")
    assert len({row["split"] for row in found}) == 1
    assert len({row["video_sha256"] for row in found}) == 1
    assert len({row["file_name"] for row in found}) == 2
    assert "key_frames" in found[0]
    assert "key_frames" not in found[1]


@pytest.mark.parametrize("stop_at", range(5))
def test_a_kill_at_any_clip_changes_nothing_in_the_end(tmp_path, stop_at):
    build([Grey("a", 6)], tmp_path / "whole", BuildConfig())

    class Killed(BaseException):
        pass

    def kill(done):
        if done > stop_at:
            raise Killed

    with pytest.raises(Killed):
        build([Grey("a", 6)], tmp_path / "often", BuildConfig(), on_clip=kill)
    assert not rows(tmp_path / "often")  # tables appear whole, at the end
    with (tmp_path / "often" / ".videos.jsonl").open("a") as journal:
        journal.write('{"key": 12, "na')  # a kill in the middle of a line
    source = Grey("a", 6)
    build([source], tmp_path / "often", BuildConfig())
    assert len(source.opened) == 6 - (stop_at + 1)
    assert tables(tmp_path / "often") == tables(tmp_path / "whole")


def test_a_damaged_clip_stops_the_run_or_is_named(tmp_path):
    with pytest.raises(FormatError, match="damaged or truncated video: a: c1"):
        build([Grey("a", 3, damaged={1})], tmp_path, BuildConfig())
    built = build([Grey("a", 3, damaged={1})], tmp_path, BuildConfig(), keep_going=True)
    assert [row["id"] for row in rows(tmp_path)] != []
    assert built.census.rows == 2
    assert ["a: c1" in str(problem) for problem in built.problems] == [True]


def test_a_repeated_id_is_named(tmp_path):
    folder = layout(tmp_path / "in", [{"file_name": "s/a.mp4", "task": "x", "reward": 5}] * 2)
    source = LayoutSource(options("layout", folder))
    built = build([source], tmp_path / "out", BuildConfig(), keep_going=True)
    assert [problem.fault.value for problem in built.problems] == ["duplicated id"]
    assert built.census.rows == 1


def test_large_pictures_are_made_smaller_and_a_folder_keeps_to_one_size(tmp_path):
    class Large(Grey):
        def frames(self, k):
            return iter([np.full((98, 130, 3), k, np.uint8)] * 3)

    build([Large("a", 1)], tmp_path, BuildConfig(max_pixels=3200))
    video = next(tmp_path.rglob("*.mp4"))
    from roboreward_ros.episodes.exchange.video import read_frames

    assert {frame.shape for frame in read_frames(video)} == {(48, 64, 3)}
    with pytest.raises(ConfigError, match="another run"):
        build([Large("a", 1)], tmp_path, BuildConfig())


def test_what_cannot_be_built_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="share a name"):
        build([Grey("a", 1), Grey("a", 1)], tmp_path, BuildConfig())
    with pytest.raises(ConfigError, match="no labelled video"):
        build([Grey("a", 0)], tmp_path, BuildConfig())
    for wrong in ({"shares": (0.5, 0.5, 0.5)}, {"per_source": -1}, {"split": "dev"}):
        with pytest.raises(ConfigError):
            BuildConfig(**wrong)
    build([Grey("a", 1)], tmp_path, BuildConfig())
    for video in tmp_path.rglob("*.mp4"):
        video.unlink()
    with pytest.raises(StoreError, match="is gone"):
        build([Grey("a", 1)], tmp_path, BuildConfig())


def test_splits_of_many_videos_have_their_shares():
    hashes = (f"{k * 2654435761 % 2**32:08x}" + "0" * 56 for k in itertools.count())
    found = Counter(split_of(sha) for sha in itertools.islice(hashes, 4000))
    assert abs(found["train"] - 3200) < 60
    assert abs(found["test"] - 400) < 40


KILLED = """
import sys
from pathlib import Path
sys.path[:0] = sys.argv[2:]
from test_build import BuildConfig, Grey, build
print("begun", flush=True)
build([Grey("a", 40)], Path(sys.argv[1]), BuildConfig())
"""


def test_a_real_kill_leaves_nothing_that_the_next_run_trips_over(tmp_path):
    build([Grey("a", 40)], tmp_path / "whole", BuildConfig())
    out = tmp_path / "killed"
    words = [sys.executable, "-c", KILLED, str(out), str(Path(__file__).parent)]
    child = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "begun\n"
    journal = out / ".videos.jsonl"
    while child.poll() is None and (not journal.exists() or journal.stat().st_size < 500):
        os.sched_yield()
    child.send_signal(signal.SIGKILL)
    child.wait()
    source = Grey("a", 40)
    build([source], out, BuildConfig())
    assert len(source.opened) < 40
    assert tables(out) == tables(tmp_path / "whole")
    assert len(list(out.rglob("*.mp4"))) == 40

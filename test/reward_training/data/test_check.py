# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a check finds in a folder, and what leaks from one split into another."""

from __future__ import annotations

import json
import shutil

import pytest
from made import layout

from roboreward_ros.cli.main import main
from roboreward_ros.episodes.exchange.labelled_layout import Fault
from roboreward_ros.reward_training.data.check import check
from roboreward_ros.testing.grey_video import write_video

GOOD = [{"file_name": f"bridge/{k}.mp4", "task": f"task {k}", "reward": k + 1} for k in range(3)]


def test_a_sound_folder_is_clean(tmp_path, capsys):
    layout(tmp_path, GOOD)
    assert main(["reward", "data", "check", str(tmp_path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["clean"]
    assert found["rows"] == {"train": {"1": 1, "2": 1, "3": 1}}
    assert found["subsets"] == {"bridge": 3}
    assert found["fps"] == {"10": 3}
    assert main(["reward", "data", "check", str(tmp_path)]) == 0
    assert "clean" in capsys.readouterr().out


@pytest.mark.parametrize("damage", ["whole", "tail"])
def test_every_kind_of_damage_is_counted_and_named(tmp_path, damage, capsys):
    folder = layout(tmp_path, GOOD)
    video = folder / "train/bridge/1.mp4"
    content = video.read_bytes()
    video.write_bytes(content[:60] if damage == "whole" else content[: len(content) // 2])
    write_video(folder / "train/bridge/9.mp4", 6, 25, size=(32, 32))
    with (folder / "train/metadata.jsonl").open("a") as table:
        for row in (
            "{",
            json.dumps(GOOD[0]),
            json.dumps(GOOD[0] | {"file_name": "bridge/no.mp4"}),
            json.dumps(GOOD[0] | {"task": "other", "reward": 6}),
            json.dumps(GOOD[0] | {"task": ""}),
            json.dumps({"file_name": "bridge/9.mp4", "task": "x", "reward": 1}),
        ):
            table.write(row + "\n")
    problems = []
    verdict = check(folder, on_problem=problems.append)
    assert verdict.faults == {
        Fault.DAMAGED: 1,
        Fault.MALFORMED: 2,
        Fault.DUPLICATE: 1,
        Fault.MISSING: 1,
        Fault.LABEL: 1,
        Fault.MIXED_FPS: 1,
    }
    assert len(problems) == 7
    assert not verdict.clean
    named = "\n".join(map(str, problems))
    for place in ("line 2", "line 4", "line 5", "line 6", "line 7", "line 8", "line 9"):
        assert place in named
    assert "25 Hz, most of bridge has 10 Hz" in named
    assert main(["reward", "data", "check", str(folder)]) == 1
    out = capsys.readouterr().out
    assert "wrong: 2 x malformed row" in out
    assert "not clean" in out


def test_a_video_or_a_sentence_in_two_splits_is_reported(tmp_path, capsys):
    folder = layout(tmp_path / "data", GOOD)
    (folder / "test/other").mkdir(parents=True)
    shutil.copy(folder / "train/bridge/0.mp4", folder / "test/other/x.mp4")
    write_video(folder / "test/other/y.mp4", 9, 10, size=(32, 32))
    rows = [
        {"file_name": "other/x.mp4", "task": "new", "reward": 1},
        {"file_name": "other/y.mp4", "task": "Task 1", "reward": 1},
    ]
    (folder / "test/metadata.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    verdict = check(folder)
    assert [
        (x.learned, x.judged, x.rows, x.same_video, x.same_sentence) for x in verdict.leaks
    ] == [("train", "test", 2, 1, 1)]
    assert not verdict.clean
    shutil.rmtree(folder / "test")
    bench = layout(tmp_path / "bench", [GOOD[0] | {"task": "z"}], "test")
    shutil.copy(folder / "train/bridge/2.mp4", bench / "test/bridge/0.mp4")
    words = ["reward", "data", "check", str(folder), "--quick", "--against", str(bench)]
    assert main(words) == 1
    assert "against bench (1 rows) beside train: 1 rows of a video" in capsys.readouterr().out


def test_a_clip_and_the_video_it_was_cut_from_are_one(tmp_path):
    folder = layout(tmp_path, [GOOD[0] | {"video_sha256": "ab" * 32}])
    layout(folder, [GOOD[1] | {"video_sha256": "ab" * 32}], "val")
    assert [leak.same_video for leak in check(folder).leaks] == [1]

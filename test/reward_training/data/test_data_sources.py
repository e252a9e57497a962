# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Every kind of source: what it reads, and that nothing is left out in silence."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from made import egodex, hoi4d, layout, libero, options, read, robo_arena, robocasa

from roboreward_ros.episodes.exchange.labelled_layout import Fault
from roboreward_ros.episodes.exchange.video import probe
from roboreward_ros.errors import ConfigError, FormatError
from roboreward_ros.reward_training.data.clip import key_frames
from roboreward_ros.reward_training.data.hand_videos import EgoDexSource, Hoi4dSource
from roboreward_ros.reward_training.data.open_x import OpenXSource, known_entry
from roboreward_ros.reward_training.data.options import EDGES, Options, binned
from roboreward_ros.reward_training.data.recordings import LayoutSource
from roboreward_ros.reward_training.data.robo_arena import RoboArenaSource
from roboreward_ros.reward_training.data.simulations import LIBERO, ROBOCASA, SimulationSource
from roboreward_ros.reward_training.data.sources import KINDS, open_source
from roboreward_ros.reward_training.data.tables import TableSource
from roboreward_ros.testing.grey_video import write_video

TINY = Path(__file__).parents[2] / "episodes" / "exchange" / "tiny_bridge"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("data", "needs its kind"),
        ("zip:data", "unknown kind"),
        ("rlds:data?camera", "key=value"),
        ("rlds:/nothing", "no TFDS data set"),
        ("lerobot:/nothing", "no LeRobot data set"),
        ("layout:/nothing", "no such folder"),
        ("run:/nothing?labels=mine", "labels"),
        ("roboarena:/nothing", "no evaluation sessions"),
        ("roboarena:/nothing?edges=1,2", "four ascending"),
        ("egodex:/nothing", "no EgoDex"),
        ("hoi4d:/nothing", "HOI4D_release"),
        ("libero:/nothing", "no *.hdf5"),
        ("robocasa:/nothing?colour=red", "unknown options"),
        ("videos:/nothing.csv", "no such table"),
    ],
)
def test_a_wrong_source_is_refused_by_name(text, named):
    with pytest.raises(ConfigError) as raised:
        open_source(text)
    assert named in str(raised.value)


def test_every_kind_is_described_and_reads_its_path():
    assert len(KINDS) == 10
    assert Options.parse("videos:a/b.csv?edges=1,2,3,4&name=x").values == {
        "edges": "1,2,3,4",
        "name": "x",
    }


def test_the_open_x_table_knows_the_published_subsets():
    assert known_entry("bridge_dataset").camera == "observation/image_0"
    assert known_entry("bridge").camera == "observation/image"
    assert known_entry("austin_sirius_dataset_converted_externally_to_rlds").fps == 20
    assert known_entry("droid").failures == "failure"
    assert known_entry("kukaberra") is None


def test_open_x_episodes_are_successes_under_their_instruction():
    source = OpenXSource(options("rlds", TINY, camera="observation/image_1", fps=5))
    clips, problems = read(source)
    assert not problems
    assert [clip.task for clip in clips] == [f"put the pot on plate {k}" for k in range(3)]
    assert {(clip.reward, clip.fps) for clip in clips} == {(5, 5.0)}
    assert [len(list(clip.frames())) for clip in clips] == [4, 5, 6]
    assert clips[2].columns["origin"] == "/data/2.npy"


def test_an_open_x_data_set_needs_its_camera_and_rate():
    with pytest.raises(ConfigError, match="which camera"):
        OpenXSource(options("rlds", TINY))
    with pytest.raises(ConfigError, match="rate is not known"):
        OpenXSource(options("rlds", TINY, camera="observation/image_0"))
    with pytest.raises(ConfigError, match="no such split"):
        OpenXSource(options("rlds", TINY, camera="observation/image_0", fps=5, split="test"))


def test_roboarena_scores_are_binned_and_odd_ones_named(tmp_path):
    scores = {"A": 0.0, "B": 0.5, "C": 1, "D": 1.5, "E": None, "F": True}
    source = RoboArenaSource(options("roboarena", robo_arena(tmp_path, scores)))
    assert "1: 0-12.5 %" in source.describe()
    clips, problems = read(source)
    assert [clip.reward for clip in clips] == [1, 3, 5]
    assert clips[1].columns == {"progress": 0.5, "policy": "policyB"}
    assert {problem.fault for problem in problems} == {Fault.LABEL}
    assert len(problems) == 3
    other = RoboArenaSource(options("roboarena", tmp_path, edges="20,51,80,100"))
    assert [clip.reward for clip in read(other)[0]] == [1, 2, 5]


def test_an_edge_belongs_to_the_level_above():
    assert [binned(p, EDGES) for p in (0, 12.4, 12.5, 50, 87.4, 87.5, 100)] == [1, 1, 2, 3, 4, 5, 5]


def test_a_roboarena_session_without_video_or_sentence_is_named(tmp_path):
    folder = robo_arena(tmp_path, {"A": 1.0})
    source = RoboArenaSource(options("roboarena", folder, camera="right"))
    clips, problems = read(source)
    assert not clips
    assert problems[0].fault is Fault.MISSING
    (folder / "evaluation_sessions/s1/metadata.yaml").write_text("policies: {}")
    _, problems = read(source)
    assert problems[0].fault is Fault.MALFORMED


def test_libero_is_turned_upright_and_robocasa_is_not(tmp_path):
    source = SimulationSource(options("libero", libero(tmp_path / "a.hdf5")), LIBERO)
    clips, problems = read(source)
    assert not problems
    assert [(clip.id, clip.task) for clip in clips] == [
        ("a.hdf5/demo_0", "open the drawer"),
        ("a.hdf5/demo_1", "open the drawer"),
    ]
    frames = list(clips[1].frames())
    assert len(frames) == 5
    assert (frames[0][0] == 255).all()
    assert not frames[0][1:].any()
    source = SimulationSource(options("robocasa", robocasa(tmp_path / "b.hdf5")), ROBOCASA)
    clips, problems = read(source)
    assert [clip.task for clip in clips] == ["close the fridge"]
    assert "no sentence" in str(problems[0])
    blind = SimulationSource(options("robocasa", tmp_path / "b.hdf5", camera="top"), ROBOCASA)
    assert "robot0_agentview_left_image" in str(read(blind)[1][0])


def test_a_damaged_hdf5_file_is_named(tmp_path):
    libero(tmp_path / "a.hdf5")
    (tmp_path / "b.hdf5").write_bytes((tmp_path / "a.hdf5").read_bytes()[:300])
    clips, problems = read(SimulationSource(options("libero", tmp_path), LIBERO))
    assert len(clips) == 2
    assert [problem.fault for problem in problems] == [Fault.DAMAGED]


def test_egodex_says_what_was_carried_out(tmp_path):
    clips, problems = read(EgoDexSource(options("egodex", egodex(tmp_path))))
    assert [(clip.id, clip.task, clip.fps) for clip in clips] == [
        ("fold_towel/0", "unfold the towel", 30.0)
    ]
    assert problems[0].fault is Fault.MISSING


@pytest.mark.parametrize("duration", [4.0, 2.0])
def test_hoi4d_actions_are_cut_out_by_their_times(tmp_path, duration):
    """Times of a file that speaks of half the length are stretched to the video's."""
    clips, problems = read(Hoi4dSource(options("hoi4d", hoi4d(tmp_path, duration))))
    assert not problems
    assert [clip.task for clip in clips] == ["pickup the bottle", "put down the bottle"]
    first = list(clips[0].frames())
    assert len(first) == 15
    assert abs(float(np.mean(first[0])) - 30) < 4  # frame 15 of the video is grey of 30
    assert clips[1].columns == {"start_s": 2.0, "end_s": 4.0}


def test_hoi4d_times_outside_the_video_are_a_fault(tmp_path):
    folder = hoi4d(tmp_path)
    path = next(folder.rglob("color.json"))
    content = json.loads(path.read_text())
    content["events"][2]["endTime"] = 9
    path.write_text(json.dumps(content))
    clips, problems = read(Hoi4dSource(options("hoi4d", folder)))
    assert not clips
    assert "times outside the video" in str(problems[0])


def test_a_table_names_files_sentences_and_one_label(tmp_path):
    write_video(tmp_path / "v.mp4", 20, 10, size=(32, 32))
    (tmp_path / "t.csv").write_text(
        "file_name,task,reward,progress,success,start_s,end_s\n"
        "v.mp4,lift it,4,,,,\n"
        "v.mp4,drop it,,0.5,,,\n"
        "v.mp4,push it,,,true,0.5,1.5\n"
        "v.mp4,pull it,,,false,,\n"
        "v.mp4,turn it,2,0.5,,,\n"
        "w.mp4,turn it,2,,,,\n"
        "v.mp4,,2,,,,\n"
        "v.mp4,hit it,2.5,,,,\n"
    )
    clips, problems = read(TableSource(options("videos", tmp_path / "t.csv")))
    assert [(clip.task, clip.reward) for clip in clips] == [
        ("lift it", 4),
        ("drop it", 3),
        ("push it", 5),
    ]
    assert len(list(clips[2].frames())) == 10
    assert clips[2].file is None
    faults = [problem.fault for problem in problems]
    assert faults == [
        Fault.LABEL,
        Fault.MALFORMED,
        Fault.MISSING,
        Fault.MALFORMED,
        Fault.LABEL,
    ]
    (tmp_path / "t.jsonl").write_text('{"file_name": "v.mp4", "task": "x", "reward": 3}\n[]\n{\n')
    clips, problems = read(TableSource(options("videos", tmp_path / "t.jsonl")))
    assert (len(clips), len(problems)) == (1, 2)


def test_a_layout_keeps_its_subsets_and_knows_the_whole_of_a_clip(tmp_path):
    folder = layout(
        tmp_path,
        [
            {"file_name": "bridge/a.mp4", "task": "x", "reward": 5},
            {"file_name": "bridge/a_attempt_1_score_2.mp4", "task": "x", "reward": 2},
            {"file_name": "droid/b.mp4", "task": "y", "reward": 9},
            {"file_name": "droid/c.mp4", "task": "z", "reward": 1, "gpt5_mini_check": "ok"},
        ],
    )
    clips, problems = read(LayoutSource(options("layout", folder)))
    assert [clip.source for clip in clips] == ["bridge", "bridge", "droid"]
    assert clips[1].content
    assert not clips[0].content
    assert clips[2].columns == {"gpt5_mini_check": "ok"}
    assert [problem.fault for problem in problems] == [Fault.LABEL]
    only = LayoutSource(options("layout", folder, subset="droid", name="mine"))
    clips, _ = read(only)
    assert [(clip.source, clip.task) for clip in clips] == [("mine", "z")]
    with pytest.raises(ConfigError, match="--split train"):
        LayoutSource(options("layout", folder, split="test"))


def test_key_frames_are_even_in_time_and_hold_both_ends():
    assert key_frames(101) == list(range(0, 101, 10))
    assert key_frames(1) == [0] * 11


def test_a_truncated_video_says_so(tmp_path):
    folder = layout(tmp_path, [{"file_name": "a/b.mp4", "task": "x", "reward": 5}])
    video = folder / "train/a/b.mp4"
    video.write_bytes(video.read_bytes()[:200])
    clips, problems = read(LayoutSource(options("layout", folder)))
    assert not clips
    assert problems[0].fault is Fault.DAMAGED
    with pytest.raises(FormatError):
        probe(video)


def test_recorded_failures_without_a_score_are_left_out_by_name():
    source = OpenXSource(options("rlds", TINY, camera="observation/image_0", fps=5))
    source.failures = "/1."  # the path of the second episode
    clips, problems = read(source)
    assert len(clips) == 2
    assert [problem.fault for problem in problems] == [Fault.UNLABELLED]
    assert "/data/1.npy" in str(problems[0])

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""LeRobot data sets out and in: what survives the way, and what is refused."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from roboreward_ros.cli.main import main
from roboreward_ros.episodes.exchange.lerobot_layout import read_info
from roboreward_ros.episodes.exchange.lerobot_read import LeRobotDataset
from roboreward_ros.episodes.exchange.lerobot_write import CAMERA
from roboreward_ros.episodes.exchange.video import write_video
from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.errors import ConfigError, FormatError
from roboreward_ros.testing.conformance_episode_store import make_meta, make_report
from roboreward_ros.types import EndCause


def grey(level, side=32):
    return np.full((side, side, 3), level, np.uint8)


@pytest.fixture
def run(tmp_path, grey_jpeg):
    """Two episodes of 5 and 7 steps; observation k of episode e is grey of 20 e + 10 k."""
    store = EpisodeStore(tmp_path / "run", "w")
    for index, steps in enumerate((5, 7)):
        writer = store.create(make_meta(index, max_steps=steps, task=f"task {index}"))
        for step in range(steps + 1):
            proprio = np.full(7, index + step / 10)
            frame = grey_jpeg(20 * index + 10 * step)
            writer.add_observation(step, step, frame, proprio, np.zeros(6))
            if step < steps:
                writer.add_step(step, make_report(step))
        writer.commit(EndCause.TIME)
    store.close()
    return tmp_path / "run"


@pytest.fixture
def grey_jpeg():
    import cv2

    return lambda level: cv2.imencode(".jpg", grey(level))[1].tobytes()


def export(run, out):
    assert main(["episodes", "export", str(run), str(out)]) == 0
    return LeRobotDataset(out)


def test_an_export_reads_back_row_by_row_and_frame_by_frame(run, tmp_path):
    dataset = export(run, tmp_path / "set")
    store = EpisodeStore(run)
    assert (dataset.info.major, dataset.info.fps, dataset.info.robot) == (3, 5.0, "wx250s")
    assert [episode.length for episode in dataset.episodes] == [5, 7]
    for index, episode in enumerate(dataset.episodes):
        stored = store.open(f"ep_{index:06d}")
        assert episode.tasks == (f"task {index}",)
        columns = dataset.columns(episode, ["observation.state", "action", "timestamp"])
        np.testing.assert_allclose(columns["observation.state"], stored.proprio()[:-1], rtol=1e-6)
        np.testing.assert_allclose(columns["action"], stored.actions(), rtol=1e-6)
        np.testing.assert_allclose(columns["timestamp"], np.arange(episode.length) / 5, atol=1e-6)
        levels = [frame.mean() for frame in dataset.frames(episode, CAMERA)]
        wanted = [20 * index + 10 * step for step in range(episode.length)]
        np.testing.assert_allclose(levels, wanted, atol=3)


def test_statistics_and_sentences_are_where_readers_look(run, tmp_path):
    export(run, tmp_path / "set")
    stats = json.loads((tmp_path / "set/meta/stats.json").read_text())
    states = np.concatenate([EpisodeStore(run).open(f"ep_{k:06d}").proprio()[:-1] for k in (0, 1)])
    np.testing.assert_allclose(stats["observation.state"]["mean"], states.mean(axis=0))
    np.testing.assert_allclose(stats["observation.state"]["std"], states.std(axis=0))
    assert np.shape(stats[CAMERA]["mean"]) == (3, 1, 1)
    tasks = pq.read_table(tmp_path / "set/meta/tasks.parquet")
    assert tasks["task"].to_pylist() == ["task 0", "task 1"]
    assert json.loads(tasks.schema.metadata[b"pandas"])["index_columns"] == ["task"]


def test_columns_that_are_no_bridge_data_are_refused(run, tmp_path, capsys):
    export(run, tmp_path / "set")
    words = ["episodes", "import", str(tmp_path / "again"), str(tmp_path / "set")]
    assert main([*words, "--action", "observation.state"]) == 2  # the gripper is no opening there
    assert "BridgeData" in capsys.readouterr().err


def test_a_version_2_set_of_bridge_data_is_imported_once(tmp_path, capsys):
    root = version_2(tmp_path / "bridge")
    for _ in range(2):
        assert main(["episodes", "import", str(tmp_path / "run"), str(root)]) == 0
    assert "0 of 2 episodes added" in capsys.readouterr().out
    store = EpisodeStore(tmp_path / "run")
    assert store.ids() == ["ep_000000", "ep_000001"]
    episode = store.open("ep_000001")
    assert (episode.summary.n_steps, episode.summary.meta.task) == (3, "lift 1")
    np.testing.assert_allclose(episode.proprio()[:, 6], 1.0)  # not the pad before it
    np.testing.assert_allclose(episode.actions()[:, 0], [0.01, 0.02, 0.03], rtol=1e-6)
    assert main(["episodes", "verify", str(tmp_path / "run")]) == 0


def version_2(root, width=8):
    """Two episodes of 4 rows in the layout of version 2.1."""
    (root / "meta").mkdir(parents=True)
    info = {
        "codebase_version": "v2.1", "robot_type": "widowx", "fps": 5, "total_episodes": 2,
        "chunks_size": 1000, "data_path": "data/chunk-{episode_chunk:03d}/"
        "episode_{episode_index:06d}.parquet", "video_path": "videos/chunk-{episode_chunk:03d}/"
        "{video_key}/episode_{episode_index:06d}.mp4",
        "features": {
            "observation.state": {"dtype": "float32", "shape": [width]},
            "action": {"dtype": "float32", "shape": [7]},
            "observation.images.image_0": {"dtype": "video", "shape": [32, 32, 3]},
        },
    }  # fmt: skip
    (root / "meta/info.json").write_text(json.dumps(info))
    lines = []
    for index in range(2):
        lines.append(json.dumps({"episode_index": index, "tasks": [f"lift {index}"], "length": 4}))
        state = np.zeros((4, width), np.float32)
        state[:, -1] = 1.0
        action = np.zeros((4, 7), np.float32)
        action[:, 0] = 0.01 * np.arange(1, 5)
        table = root / info["data_path"].format(episode_chunk=0, episode_index=index)
        video = root / info["video_path"].format(
            episode_chunk=0, episode_index=index, video_key="observation.images.image_0"
        )
        table.parent.mkdir(parents=True, exist_ok=True)
        video.parent.mkdir(parents=True, exist_ok=True)
        columns = {
            "observation.state": list(state), "action": list(action),
            "episode_index": np.full(4, index),
        }  # fmt: skip
        pq.write_table(pa.table(columns), table)
        write_video(video, [grey(40 * step) for step in range(4)], 5)
    (root / "meta/episodes.jsonl").write_text("\n".join(lines) + "\n")
    return root


def test_a_state_of_another_width_is_refused(tmp_path, capsys):
    root = version_2(tmp_path / "other", width=6)
    assert main(["episodes", "import", str(tmp_path / "run"), str(root)]) == 2
    assert "does not follow BridgeData" in capsys.readouterr().err
    assert EpisodeStore(tmp_path / "run").ids() == []


def test_a_short_video_is_named_and_what_came_before_it_stays(tmp_path, capsys):
    root = version_2(tmp_path / "set")
    video = next((root / "videos").rglob("episode_000001.mp4"))
    write_video(video, [grey(0)] * 2, 5)
    assert main(["episodes", "import", str(tmp_path / "run"), str(root)]) == 2
    assert "ends early" in capsys.readouterr().err
    assert EpisodeStore(tmp_path / "run").ids() == ["ep_000000"]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"codebase_version": "v1.6"}, "unknown version"),
        ({"fps": 0}, "fps is not positive"),
        ({"fps": "fast"}, "damaged"),
    ],
)
def test_a_header_that_is_not_understood_is_refused(tmp_path, change, named):
    root = version_2(tmp_path / "set")
    info = json.loads((root / "meta/info.json").read_text())
    (root / "meta/info.json").write_text(json.dumps(info | change))
    with pytest.raises(FormatError, match=named):
        read_info(root)


def test_a_folder_without_a_data_set_and_one_that_exists_are_refused(run, tmp_path):
    with pytest.raises(ConfigError, match="no LeRobot data set"):
        LeRobotDataset(tmp_path)
    (tmp_path / "there").mkdir()
    assert main(["episodes", "export", str(run), str(tmp_path / "there")]) == 2

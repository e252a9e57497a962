# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Other people's data and everybody's settings in hostile forms: data sets, YAML, arguments."""

import functools
import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from fuzz_edits import ODD, Target, consume, edited, hostile_json, hostile_yaml, odd_json
from fuzz_stores import sound_run
from hypothesis import strategies as st

from roboreward_ros.console.hands import load_hands
from roboreward_ros.dsrl import config as learner_profiles
from roboreward_ros.episodes.exchange.labelled_layout import read_table
from roboreward_ros.episodes.exchange.lerobot_read import LeRobotDataset
from roboreward_ros.episodes.exchange.lerobot_write import export_lerobot
from roboreward_ros.episodes.exchange.rlds_read import RldsDataset
from roboreward_ros.episodes.exchange.tfrecord import frame_record
from roboreward_ros.episodes.exchange.video import read_frames
from roboreward_ros.evaluation.benchmark.predictions import read_predictions
from roboreward_ros.policies import recipe as policy_recipes
from roboreward_ros.rehearsal.faults import load_faults
from roboreward_ros.rehearsal.script import load_script
from roboreward_ros.reward_training import config as reward_recipes
from roboreward_ros.reward_training.data.options import Options
from roboreward_ros.reward_training.data.robo_arena import RoboArenaSource
from roboreward_ros.reward_training.finetune import recipe as finetune_recipes
from roboreward_ros.rewards.config import options_from_json
from roboreward_ros.rewards.registry import SOURCES, build
from roboreward_ros.robot import profile as robots
from roboreward_ros.robot import task_profile as tasks
from roboreward_ros.stack import StackArguments, parse_assignments
from roboreward_ros.types import ImageU8

ROOT = Path(__file__).parents[2]
TINY = ROOT / "test" / "episodes" / "exchange" / "tiny_bridge" / "1.0.0"
TRAIN = "tiny_bridge-train.tfrecord-00000-of-00001"


@functools.cache
def lerobot_set() -> Path:
    """An exported data set."""
    from roboreward_ros.episodes.store import EpisodeStore

    out = Path(tempfile.mkdtemp(prefix="fuzz-lerobot-")) / "set"
    export_lerobot(list(EpisodeStore(sound_run())), decoded, out)
    return out


def decoded(jpeg: bytes) -> ImageU8:
    return np.zeros((32, 32, 3), np.uint8)  # the sound run's pictures are none


def read_lerobot(edit: tuple[str, bytes], folder: Path) -> object:
    shutil.copytree(lerobot_set(), folder / "set")
    (folder / "set" / edit[0]).write_bytes(edit[1])
    return walk_lerobot(LeRobotDataset(folder / "set"))


def walk_lerobot(dataset: LeRobotDataset) -> None:
    for episode in dataset.episodes[:2]:
        dataset.columns(episode, ["observation.state", "action"])
        for camera in dataset.info.cameras:
            consume(dataset.frames(episode, camera))


def parquet_of(columns: dict[str, object], folder: Path) -> bytes:
    """A table that may have any columns; what arrow refuses is no table."""
    path = folder / "table.parquet"
    pq.write_table(pa.table(columns), path)
    return path.read_bytes()


def rows_of(name: str) -> dict[str, list[object]]:
    return pq.read_table(lerobot_set() / name).to_pydict()


def read_lerobot_rows(columns: object, folder: Path) -> object:
    """The table of episodes with other values."""
    try:
        data = parquet_of(columns, folder)
    except (pa.ArrowException, TypeError, AttributeError, ValueError, OverflowError):
        return None  # nobody can write such a table
    return read_lerobot((EPISODES, data), folder)


EPISODES = "meta/episodes/chunk-000/file-000.parquet"


def read_rlds(edit: tuple[str, bytes], folder: Path) -> object:
    shutil.copytree(TINY, folder / "set")
    (folder / "set" / edit[0]).write_bytes(edit[1])
    dataset = RldsDataset(folder / "set")
    for split in list(dataset.description.splits)[:3]:
        for episode in dataset.episodes(split):
            _ = episode.length
            for name in list(dataset.description.steps)[:12]:
                walk_feature(episode, name)
            episode.text("language_instruction", "observation/words")
            episode.episode_text("episode_metadata/file_path")
    return None


def walk_feature(episode: object, name: str) -> None:
    """Numbers as numbers, pictures as pictures; asking for the other kind is the asker's error."""
    from roboreward_ros.errors import ConfigError

    for ask in (episode.array, lambda name: consume(episode.frames(name))):  # type: ignore[attr-defined]
        try:
            ask(name)
        except ConfigError:
            continue


@st.composite
def forged_records(draw: st.DrawFn) -> tuple[str, bytes]:
    """Records with sound checksums around any content."""
    from roboreward_ros.episodes.exchange.tfrecord import read_records

    sound = list(read_records(TINY / TRAIN))
    out = b"".join(frame_record(draw(edited(draw(st.sampled_from(sound)), 6))) for _ in range(3))
    return TRAIN, out


def named(name: str, data: st.SearchStrategy[bytes]) -> st.SearchStrategy[tuple[str, bytes]]:
    return data.map(lambda value: (name, value))


def read_labelled(data: bytes, folder: Path) -> object:
    (folder / "a.mp4").write_bytes(b"no video")
    (folder / "metadata.jsonl").write_bytes(data)
    return list(read_table(folder / "metadata.jsonl", lambda problem: str(problem)))


ROW = {"file_name": "a.mp4", "task": "t", "reward": 3, "id": "x", "subset": "s", "video_sha256": ""}
PREDICTION = {"id": "a", "subset": "s", "task": "t", "reward": 3, "output": "ANSWER: 3",
              "probabilities": [0, 0, 1, 0, 0], "latency_s": 0.1}  # fmt: skip


@functools.cache
def video() -> bytes:
    from roboreward_ros.rewards.chat.media import mp4

    return mp4(np.zeros((4, 32, 32, 3), np.uint8), 5.0)


def read_video(data: bytes, folder: Path) -> object:
    (folder / "v.mp4").write_bytes(data)
    for number, _ in enumerate(read_frames(folder / "v.mp4")):
        if number > 50:
            break
    return None


ARENA = b"language_instruction: put it there\npolicies:\n  A:\n    policy_name: p\n"


def read_arena(data: bytes, folder: Path) -> object:
    session = folder / "evaluation_sessions" / "one"
    session.mkdir(parents=True)
    (session / "metadata.yaml").write_bytes(data)
    return list(
        RoboArenaSource(Options("roboarena", folder, {})).clips(lambda problem: str(problem))
    )


def yaml_file(load: Callable[[Path], object]) -> Callable[[bytes, Path], object]:
    def read(data: bytes, folder: Path) -> object:
        path = folder / "given.yaml"
        path.write_bytes(data)
        return load(path)

    return read


def yaml_target(name: str, sound: str, load: Callable[[Path], object]) -> Target:
    data = (ROOT / "config" / sound).read_bytes()
    return Target(f"yaml: {name}", hostile_yaml(data), yaml_file(load), cost=6)


SCRIPT = b"cues:\n- {episode: 0, step: 3, verb: hold}\n- {episode: 0, verb: start, text: a}\n"
FAULTS = (
    b"faults:\n- {fault: camera_freezes, episode: 1, step: 3, steps: 4}\n"
    b"- {fault: disk_slow, node: recorder_node, amount: 0.5}\n"
    b"- {fault: parameter, node: reward_node, parameter: source=human}\n"
)


DEGRADED = {"probability": 0.1, "seed": 1}


def options_for_source(value: tuple[str, bytes], folder: Path) -> object:
    name, text = value
    return build(name, options_from_json(text.decode("utf-8", "replace"))).close()


def arguments(value: dict[str, str], folder: Path) -> object:
    words = [f"{name}:={text}" for name, text in value.items()]
    return StackArguments.from_strings(parse_assignments(words))


def assignments() -> st.SearchStrategy[dict[str, str]]:
    odd = st.sampled_from([str(value)[:200] for value in ODD])
    return st.dictionaries(
        st.sampled_from((*StackArguments.names(), "nonsense", "")), odd, max_size=5
    )


NAMES = (
    "LeRobot: info.json", "LeRobot: parquet bytes", "LeRobot: table of episodes",
    "TFDS: features.json",
    "TFDS: dataset_info.json", "TFRecord: bytes", "TFRecord: records", "labelled videos",
    "predictions", "video", "RoboArena", "yaml: learner", "yaml: robot", "yaml: task",
    "yaml: policy recipe", "yaml: reward recipe", "yaml: finetune recipe", "yaml: hands",
    "rehearsal: faults", "rehearsal: script", "source options", "launch arguments",
)  # fmt: skip


def targets() -> list[Target]:
    info = json.loads((lerobot_set() / "meta/info.json").read_bytes())
    features, about = (
        json.loads((TINY / name).read_bytes()) for name in ("features.json", "dataset_info.json")
    )
    listed = (lerobot_set() / EPISODES).read_bytes()
    lines = st.one_of(hostile_json(ROW), hostile_json(ROW).map(lambda row: row + b"\n" + row))
    return [
        Target(NAMES[0], named("meta/info.json", hostile_json(info)), read_lerobot, cost=8),
        Target(NAMES[1], named(EPISODES, edited(listed)), read_lerobot, cost=8),
        Target(NAMES[2], odd_json(rows_of(EPISODES)), read_lerobot_rows, cost=8),
        Target(NAMES[3], named("features.json", hostile_json(features)), read_rlds, cost=6),
        Target(NAMES[4], named("dataset_info.json", hostile_json(about)), read_rlds, cost=6),
        Target(NAMES[5], named(TRAIN, edited((TINY / TRAIN).read_bytes())), read_rlds, cost=6),
        Target(NAMES[6], forged_records(), read_rlds, cost=6),
        Target(NAMES[7], lines, read_labelled),
        Target(
            NAMES[8],
            hostile_json(PREDICTION),
            lambda data, folder: read_predictions(written(folder / "p.jsonl", data)),
        ),
        Target(NAMES[9], edited(video(), 6), read_video, cost=3),
        Target(NAMES[10], hostile_yaml(ARENA), read_arena, cost=2),
        yaml_target("learner", "dsrl/widowx.yaml", lambda p: learner_profiles.load_profile(str(p))),
        yaml_target("robot", "robots/wx250s.yaml", lambda p: robots.load_profile(str(p))),
        yaml_target("task", task_file(), lambda p: tasks.load_task(str(p))),
        yaml_target("policy recipe", "policies/widowx_twin.yaml", policy_recipes.load_recipe),
        yaml_target("reward recipe", "reward_training/twin_small.yaml", reward_recipes.load_recipe),
        yaml_target("finetune recipe", finetune_file(), finetune_recipes.load_finetune),
        yaml_target("hands", "hands/default.yaml", lambda p: load_hands(str(p))),
        Target(NAMES[18], hostile_yaml(FAULTS), yaml_file(load_faults), cost=6),
        Target(NAMES[19], hostile_yaml(SCRIPT), yaml_file(load_script), cost=6),
        Target(
            NAMES[20],
            st.tuples(st.sampled_from(("degraded", *SOURCES)), hostile_json(DEGRADED)),
            options_for_source,
        ),
        Target(NAMES[21], assignments(), arguments),
    ]


def written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def task_file() -> str:
    return f"tasks/{min(p.name for p in (ROOT / 'config' / 'tasks').glob('*.yaml'))}"


def finetune_file() -> str:
    return "reward_training/roboreward_v2.yaml"

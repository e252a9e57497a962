# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Folders of other people's models in hostile forms: what they say of themselves; Flax files."""

import functools
import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import msgpack
import numpy as np
import yaml
from fuzz_edits import Target, edited, hostile_json, hostile_yaml, odd_json
from hypothesis import strategies as st

from roboreward_ros.policies.adapters import lerobot
from roboreward_ros.policies.adapters.card import load_card
from roboreward_ros.policies.adapters.flax_weights import read_flax
from roboreward_ros.policies.adapters.gc_ddpm_config import parse_config
from roboreward_ros.policies.adapters.pi_zero_config import read_config as read_pi_zero
from roboreward_ros.policies.remote.folder import RemotePolicyConfig, read_folder, write_folder
from roboreward_ros.rewards.vlm.processors import read_patching
from roboreward_ros.rewards.vlm.weights import read_family, read_json
from roboreward_ros.testing.stored_layout import load_layout, write_lerobot
from roboreward_ros.types import PolicySpec

LAYOUTS = Path(__file__).parents[1] / "policies" / "layouts"
CARD = (
    b"control_hz: 5\nchunk_size: 4\nsample_steps: 8\ntasks: [open the drawer]\ngoals: {a: b.png}\n"
)
VLM = {
    "model_type": "qwen3_vl",
    "vision_config": {"patch_size": 16, "spatial_merge_size": 2, "temporal_patch_size": 2},
    "text_config": {"hidden_size": 64},
}
PROCESSOR = {"video_processor": {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}}


@functools.cache
def lerobot_folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="fuzz-lerobot-policy-"))
    write_lerobot(load_layout(LAYOUTS / "lerobot_diffusion.json"), folder)
    return folder


def layout(name: str) -> dict[str, object]:
    return load_layout(LAYOUTS / name)


@functools.cache
def remote_folder() -> bytes:
    folder = Path(tempfile.mkdtemp(prefix="fuzz-remote-"))
    spec = PolicySpec("f" * 64, 8, 4, 9, 32, 5.0)
    write_folder(folder, RemotePolicyConfig("ws://127.0.0.1:8651"), spec)
    return next(folder.iterdir()).read_bytes()


@functools.cache
def flax_file() -> bytes:
    array = np.arange(6, dtype=np.float32)
    packed = msgpack.ExtType(1, msgpack.packb(((2, 3), "float32", array.tobytes())))
    shape = {"0": 2, "1": 3}
    chunked = {"__msgpack_chunked_array__": True, "shape": shape, "chunks": {"0": packed}}
    return bytes(msgpack.packb({"params": {"a": {"kernel": packed}, "b": chunked}}))


def with_file(name: str, read: Callable[[Path], object]) -> Callable[[bytes, Path], object]:
    """A reader of a folder that holds the one file."""

    def look(data: bytes, folder: Path) -> object:
        (folder / name).write_bytes(data)
        return read(folder)

    return look


def describe_lerobot(edit: tuple[str, bytes], folder: Path) -> object:
    for path in lerobot_folder().iterdir():
        if path.name != edit[0]:
            (folder / path.name).symlink_to(path)
    (folder / edit[0]).write_bytes(edit[1])
    return lerobot.describe(folder)


def lerobot_edits() -> st.SearchStrategy[tuple[str, bytes]]:
    names = sorted(p.name for p in lerobot_folder().glob("*.json"))
    return st.sampled_from(names).flatmap(
        lambda name: hostile_json(json.loads((lerobot_folder() / name).read_bytes())).map(
            lambda data: (name, data)
        )
    )


def read_statistics(data: bytes, folder: Path) -> object:
    (folder / "pi_zero.yaml").write_text(yaml.safe_dump(layout("open_pi_zero.json")["config"]))
    (folder / "pi_zero_statistics.json").write_bytes(data)
    return read_pi_zero(folder)


def read_pi_config(data: bytes, folder: Path) -> object:
    statistics = json.dumps(layout("open_pi_zero.json")["statistics"])
    (folder / "pi_zero_statistics.json").write_text(statistics)
    (folder / "pi_zero.yaml").write_bytes(data)
    return read_pi_zero(folder)


def read_vlm(value: tuple[bytes, bytes], folder: Path) -> object:
    (folder / "config.json").write_bytes(value[0])
    (folder / "preprocessor_config.json").write_bytes(value[1])
    config = read_json(folder, "config.json")
    vision = config.get("vision_config")
    family = read_family(config, folder)
    return read_patching(folder, vision if isinstance(vision, dict) else {}, family)


def parse_gc_ddpm(value: object, folder: Path) -> object:
    return parse_config(value, 64) if isinstance(value, dict) else None


NAMES = (
    "policy: LeRobot files", "policy: pi_zero.yaml", "policy: pi_zero statistics", "policy: card",
    "policy: gc_ddpm config", "policy: remote folder", "policy: Flax file", "VLM: configs",
)  # fmt: skip


def targets() -> list[Target]:
    pi = layout("open_pi_zero.json")
    pi_yaml = yaml.safe_dump(pi["config"]).encode()
    return [
        Target(NAMES[0], lerobot_edits(), describe_lerobot, cost=4),
        Target(NAMES[1], hostile_yaml(pi_yaml), read_pi_config, cost=8),
        Target(NAMES[2], hostile_json(pi["statistics"]), read_statistics, cost=8),
        Target(NAMES[3], hostile_yaml(CARD), with_file("roboreward.yaml", load_card), cost=6),
        Target(NAMES[4], odd_json(layout("gc_ddpm_bc.json")["config"]), parse_gc_ddpm),
        Target(
            NAMES[5],
            hostile_json(json.loads(remote_folder())),
            with_file("remote_policy.json", read_folder),
        ),
        Target(
            NAMES[6],
            edited(flax_file()),
            with_file("checkpoint", lambda folder: read_flax(folder, ("params",))),
        ),
        Target(NAMES[7], st.tuples(hostile_json(VLM), hostile_json(PROCESSOR)), read_vlm, cost=2),
    ]

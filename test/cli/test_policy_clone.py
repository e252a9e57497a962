# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""``policy train --data``: from a data set on disk to a policy that the package loads."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from roboreward_ros.cli.main import ERROR_EXIT_CODE, main
from roboreward_ros.files import config_folders
from roboreward_ros.policies.loading import load_any_policy
from roboreward_ros.policies.transformer.network import TransformerNetwork
from roboreward_ros.policies.transformer.recipe import load_transformer_recipe
from roboreward_ros.policies.transformer.rows import RowStore
from roboreward_ros.testing.tiny_encoders import make_tiny_text, make_tiny_vision

BRIDGE = Path(__file__).parents[1] / "episodes" / "exchange" / "tiny_bridge"
RECIPE = {
    "network": {
        "image_size": 16, "channels": [4, 4, 4, 4], "tokens": 2, "token_dim": 4, "text_dim": 4,
        "hidden": 16, "depth": 1, "heads": 2,
    },
    "sampler": {"sample_steps": 2},
    "train": {"steps": 4, "batch_size": 4, "validation": 0.3, "save_every": 2},
    "data": {"actions": "reached"},
}  # fmt: skip


def train(folder: Path, data: str, *more: str, out: str = "policy") -> int:
    (folder / "tiny.yaml").write_text(yaml.safe_dump(RECIPE))
    words = ["policy", "train", "--data", data, "--recipe", str(folder / "tiny.yaml")]
    return main([*words, "--out", str(folder / out), *more])


def acts(folder: Path, task: str) -> np.ndarray:
    policy = load_any_policy(folder)
    features = policy.encode([np.zeros((32, 32, 3), np.uint8)], np.zeros((1, 7)), [task])
    return policy.decode(features, np.zeros((1, 4, 7), np.float32))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two short demonstrations of the twin, recorded as a run."""
    folder = tmp_path_factory.mktemp("run") / "demonstrations"
    words = ["policy", "demonstrate", str(folder), "--task", "open the drawer", "--episodes", "2"]
    assert main(words) == 0
    return folder


def test_bridgedatas_form_becomes_a_policy(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    camera = ("--camera", "observation/image_0")
    assert train(tmp_path, f"rlds:{BRIDGE}", *camera) == 0
    assert "3 episodes, 12 rows, 3 sentences" in capsys.readouterr().out
    assert np.isfinite(acts(tmp_path / "policy", "put the pot on plate 1")).all()
    said = json.loads((tmp_path / "policy" / "provenance.json").read_text())
    assert said["rows"] == 12
    assert said["held_out_loss"] > 0
    assert "--camera observation/image_0" in said["command"]
    assert list((tmp_path / "policy" / "tensorboard").glob("events*"))
    before = load_any_policy(tmp_path / "policy").spec.policy_id
    assert train(tmp_path, f"rlds:{BRIDGE}", *camera) == 0  # nothing is left to do
    assert load_any_policy(tmp_path / "policy").spec.policy_id == before
    assert train(tmp_path, f"rlds:{BRIDGE}", "--camera", "observation/image_1") == ERROR_EXIT_CODE
    assert "other rows" in capsys.readouterr().err


def test_an_exported_run_becomes_a_policy(run: Path, tmp_path: Path):
    data = tmp_path / "lerobot"
    assert main(["episodes", "export", str(run), str(data)]) == 0
    assert train(tmp_path, f"lerobot:{data}") == 0
    store = RowStore(tmp_path / "policy" / "rows")
    assert store.tasks == ("open the drawer",)
    assert np.isfinite(acts(tmp_path / "policy", "open the drawer")).all()


def test_demonstrations_are_added_once(run: Path, capsys: pytest.CaptureFixture[str]):
    words = ["policy", "demonstrate", str(run), "--task", "open the drawer", "--episodes", "2"]
    assert main(words) == 0
    assert "0 demonstrations added" in capsys.readouterr().out


def test_the_recipe_for_bridgedata_takes_pretrained_models(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The shipped recipe, made small: any sentence, published statistics, a tuned vision model."""
    shipped = yaml.safe_load(
        (config_folders("policies")[0] / "bridge_transformer.yaml").read_text()
    )
    shipped["network"] |= {"image_size": 32, "hidden": 16, "depth": 1, "heads": 2}
    shipped["train"] |= {"steps": 2, "batch_size": 4, "validation": 0.3, "workers": 1}
    text, vision = make_tiny_text(tmp_path / "bert"), make_tiny_vision(tmp_path / "dino", "dinov2")
    monkeypatch.setitem(globals(), "RECIPE", shipped)
    words = ["--camera", "observation/image_0", "--text", str(text), "--vision", str(vision)]
    assert train(tmp_path, f"rlds:{BRIDGE}", *words) == 0
    for path in (text, vision):  # the policy is whole without them
        path.rename(path.with_name("gone_" + path.name))
    assert np.isfinite(acts(tmp_path / "policy", "a sentence nobody trained on")).all()


@pytest.mark.parametrize(
    ("data", "more", "named"),
    [
        ("hdf5:somewhere", (), "rlds:FOLDER"),
        ("rlds:/nowhere", (), "/nowhere"),
        ("lerobot:/nowhere", (), "/nowhere"),
        (f"rlds:{BRIDGE}", (), "which camera"),
        (f"rlds:{BRIDGE}", ("--split", "test"), "no such split"),
        (f"rlds:{BRIDGE}", ("--text", "/nowhere"), "text model cannot be read"),
        (f"rlds:{BRIDGE}", ("--camera", "observation/image_0", "--vision", "/x"), "vision model"),
    ],
)
def test_bad_input_is_explained(tmp_path: Path, data: str, more, named: str, capsys):
    assert train(tmp_path, data, *more) == ERROR_EXIT_CODE
    assert named in capsys.readouterr().err
    assert not (tmp_path / "policy" / "rows").exists()


@pytest.mark.parametrize(
    ("name", "least", "most"),
    [("bridge_transformer", 37e6, 42e6), ("twin_transformer", 0.9e6, 1.2e6)],
)
def test_the_shipped_recipes_have_the_size_that_they_say(name: str, least: float, most: float):
    """Without the pre-trained models."""
    recipe = load_transformer_recipe(config_folders("policies")[0] / f"{name}.yaml")
    vision = {
        "model_type": "vit",
        "hidden_size": 384,
        "num_hidden_layers": 1,
        "num_attention_heads": 6,
    }
    with torch.device("meta"):
        network = TransformerNetwork(recipe.network, 768, vision)
    own = sum(v.numel() for k, v in network.named_parameters() if not k.startswith("vision.model"))
    assert least < own < most

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""``roboreward reward``: the whole way from clips to a judged model, in small."""

import json
from pathlib import Path

import pytest

from roboreward_ros.cli.main import main

RECIPE = """
shards: 1
episodes: 4
held_out: 1
model: {hidden: 48, layers: 1, heads: 4, kv_heads: 2, intermediate: 64, vision_hidden: 32,
        vision_layers: 1, vision_heads: 2, vision_intermediate: 48, frame: 64}
train:
  instructions: 2
  validate_every: 2
  validation_clips: 4
  stages:
    - {steps: 1, batch: 2}
    - {steps: 2, batch: 2, answer: 1.0, facts: 1.0}
"""


def test_it_needs_the_twin(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reward", "train"]) == 2
    assert "--sim" in capsys.readouterr().err


def test_an_unknown_recipe_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reward", "train", "--sim", "--recipe", "nothing"]) == 2
    assert "twin_small" in capsys.readouterr().err


def test_from_clips_to_a_judged_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = tmp_path / "tiny.yaml"
    recipe.write_text(RECIPE)
    out = tmp_path / "out"
    train = ["reward", "train", "--sim", "--recipe", str(recipe), "--out", str(out)]
    assert main([*train, "--episodes", "0"]) == 0
    record = json.loads((out / "model" / "training.json").read_text())
    assert record["clips"] == 12
    assert len(record["data_sha256"]) == 64
    capsys.readouterr()
    judge = ["reward", "eval", "--sim", "--model", str(out / "model"), "--json"]
    assert main([*judge, "--episodes", "3", "--data", str(tmp_path / "rollouts")]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["rollouts"] == 3
    assert report["model"] == f"model@{record['weights']}"
    own = report["sections"]["The scene's own sentence, whole episodes"]
    assert own[0]["n"] == 3
    everything = report["sections"]["Every question with truth <= 2"][0]
    assert everything["low_n"] > 60

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from roboreward_ros.cli.main import ERROR_EXIT_CODE, main
from roboreward_ros.policies.checkpoint import load_checkpoint

TINY = {
    "demonstrations": {"open the drawer": 1},
    "seed": 3,
    "network": {"image_size": 16, "channels": [4, 4, 4, 4], "hidden": 16, "blocks": 1},
    "sampler": {"sample_steps": 2},
    "train": {"steps": 4, "encoder_steps": 2, "batch_size": 8, "frozen_batch_size": 8},
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("train")
    (folder / "tiny.yaml").write_text(yaml.safe_dump(TINY))
    words = ["policy", "train", "--sim", "--recipe", str(folder / "tiny.yaml")]
    words += ["--data", str(folder / "data.npz")]
    assert main([*words, "--out", str(folder / "policy"), "--episodes", "2"]) == 0
    return folder


def test_training_leaves_a_checkpoint_that_says_where_it_came_from(trained: Path):
    provenance = load_checkpoint(trained / "policy").provenance
    assert set(provenance) == {
        "command",
        "recipe",
        "style",
        "data_sha256",
        "data_steps",
        "versions",
        "success",
    }
    assert provenance["recipe"]["seed"] == 3
    measured = provenance["success"]["open the drawer"]
    assert {name: row["n"] for name, row in measured.items()} == {"prior": 2, "zero": 2}


def test_training_again_gives_the_same_policy(trained: Path):
    words = ["policy", "train", "--sim", "--recipe", str(trained / "tiny.yaml")]
    assert main([*words, "--out", str(trained / "again"), "--episodes", "0"]) == 0
    words += ["--data", str(trained / "data.npz")]
    assert main([*words, "--out", str(trained / "other"), "--episodes", "0", "--seed", "4"]) == 0
    first, again, other = (load_checkpoint(trained / n) for n in ("policy", "again", "other"))
    assert again.policy_id == first.policy_id
    assert again.provenance["data_sha256"] == first.provenance["data_sha256"]
    assert other.policy_id != first.policy_id
    assert other.provenance["command"].endswith("--seed 4")


def test_eval_prints_a_table_with_intervals(trained: Path, capsys: pytest.CaptureFixture[str]):
    words = ["policy", "eval", "--sim", "--policy", str(trained / "policy"), "--episodes", "1"]
    assert main(words) == 0
    printed = capsys.readouterr().out
    assert "open the drawer" in printed
    assert "95 % interval" in printed
    assert "w = 0" in printed
    assert main([*words, "--json", "--noise", "zero"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["tasks"]["open the drawer"]["zero"]["n"] == 1


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["train"], "--sim"),
        (["eval"], "--sim"),
        (["train", "--sim", "--recipe", "nonsense"], "nonsense"),
        (["eval", "--sim", "--policy", "/nowhere/policy"], "/nowhere/policy"),
        (["eval", "--sim", "--episodes", "0"], "--episodes"),
    ],
)
def test_bad_input_is_explained(words, text, capsys: pytest.CaptureFixture[str]):
    assert main(["policy", *words]) == ERROR_EXIT_CODE
    assert text in capsys.readouterr().err


@pytest.mark.parametrize("task", ["juggle the torches", "put the mushroom on the cloth"])
def test_a_task_the_policy_does_not_know_is_named(trained, task, capsys):
    words = ["policy", "eval", "--sim", "--policy", str(trained / "policy"), "--task", task]
    assert main(words) == ERROR_EXIT_CODE
    assert task in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--out", "here"], ["--data", "here/data.npz"]])
def test_a_place_that_cannot_be_written_is_refused_before_training(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
):
    monkeypatch.chdir(tmp_path)
    Path("here").write_text("a file")
    assert main(["policy", "train", "--sim", *words]) == 2
    assert (
        f"folder of {words[0]} cannot be made; got 'here: File exists'" in capsys.readouterr().err
    )
    assert Path("here").read_text() == "a file"

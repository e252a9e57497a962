# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Whole trainings in small: killed and resumed, spread over processes, published and asked."""

import json
import signal
from pathlib import Path

import pytest
import torch
import yaml
from finetune_toy import in_a_child, recipe, training, write_layout
from torch.distributed import TCPStore

from roboreward_ros.cli.main import main
from roboreward_ros.errors import CheckpointError, ConfigError
from roboreward_ros.files import config_folders
from roboreward_ros.protocols import RewardSource
from roboreward_ros.reward_training.finetune.publish import publish
from roboreward_ros.rewards.registry import build
from roboreward_ros.rewards.video_file import read_video
from roboreward_ros.testing.tiny_vlm import TinySize, make_tiny_vlm
from roboreward_ros.types import Score

SMALL = TinySize(hidden=32, layers=2, vision_hidden=32, vision_layers=1)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_layout(tmp_path_factory.mktemp("labelled") / "data")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_vlm(tmp_path_factory.mktemp("model") / "base", size=SMALL)


def weights(out: Path) -> dict[str, torch.Tensor]:
    content = torch.load(out / "training" / "state.pt", weights_only=True)
    return content["model"]


@pytest.mark.timeout(300)
def test_a_killed_training_goes_on_to_the_same_weights_bit_for_bit(
    model: Path, data: Path, tmp_path: Path
) -> None:
    torch.set_num_threads(1)
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    config = recipe(model, data, method="lora")  # with dropout, whose randomness must come back
    training(whole, config)[0].run()
    child = in_a_child(cut, config, killed_at=5)
    child.join()
    assert child.exitcode == -signal.SIGKILL  # the last state is step 4's
    again, _ = training(cut, config)
    assert again.at.step == 4
    again.run()
    first, second = weights(whole), weights(cut)
    assert first.keys() == second.keys()
    for name, value in first.items():
        assert torch.equal(value, second[name]), name
    logs = [(out / "training" / "log.jsonl").read_text() for out in (whole, cut)]
    assert logs[0] == logs[1]
    assert [json.loads(line)["step"] for line in logs[0].splitlines()] == [1, 2, 3, 4, 5, 6]


def fsdp() -> dict[str, str]:
    """What ``accelerate launch`` sets for the shipped configuration."""
    (folder,) = config_folders("reward_training")[:1]
    settings = yaml.safe_load((folder / "accelerate" / "fsdp.yaml").read_text())["fsdp_config"]
    settings["fsdp_transformer_cls_to_wrap"] = settings.pop("fsdp_transformer_layer_cls_to_wrap")
    named = {name.upper(): str(value) for name, value in settings.items()}
    return {"ACCELERATE_USE_FSDP": "true", **named}


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("spread", "method"), [("copies", "full"), ("fsdp", "full"), ("fsdp", "lora")]
)
def test_two_processes_learn_what_one_does(
    model: Path, data: Path, tmp_path: Path, spread: str, method: str
) -> None:
    torch.set_num_threads(1)
    one, two = tmp_path / "one" / "out", tmp_path / "two" / "out"
    config = recipe(model, data, method=method, lora={"rank": 4, "alpha": 8, "dropout": 0.0})
    training(one, config)[0].run()
    training(two, config)[0].run(until=2)  # what one process began, two go on with
    meeting = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)  # holds its port
    shared = {
        "WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(meeting.port),
        "TORCHELASTIC_USE_AGENT_STORE": "True",
        "ACCELERATE_USE_CPU": "true",
        **(fsdp() if spread == "fsdp" else {}),
    }
    ranks = [{**shared, "RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(2)]
    children = [in_a_child(two, config, environment=rank) for rank in ranks]
    try:
        for child in children:
            child.join()
    finally:
        for child in children:
            child.kill()
    assert [child.exitcode for child in children] == [0, 0]
    first, second = weights(one), weights(two)
    assert first.keys() == second.keys()
    for name, value in first.items():
        assert torch.allclose(value, second[name], atol=2e-5), name
    rows = [
        [json.loads(line) for line in (out / "training" / "log.jsonl").read_text().splitlines()]
        for out in (one, two)
    ]
    for a, b in zip(*rows, strict=True):
        assert a["loss"] == pytest.approx(b["loss"], abs=1e-4)
        assert a.get("validation_n") == b.get("validation_n")


@pytest.mark.parametrize(
    ("head", "method", "source"),
    [
        ("rubric", "full", "roboreward"),
        ("rubric", "lora", "roboreward"),
        ("progress", "lora", "lrm_progress"),
        ("completion", "full", "lrm_completion"),
        ("contrast", "lora", "lrm_contrastive"),
    ],
)
def test_what_was_trained_is_a_reward_source_that_answers_as_it_was_validated(
    model: Path, data: Path, tmp_path: Path, head: str, method: str, source: str
) -> None:
    out = tmp_path / "out"
    more = {
        "optimisation": {"lr": 3e-3, "batch": 6, "epochs": 0.0, "steps": 3},
        "keyframes": {"count": 4, "pairs": 3},
    }
    config = recipe(model, data, head=head, method=method, **more)
    run, material = training(out, config)
    before = run.validate()
    assert run.run()
    record = publish(out, config, material, run.folder, "roboreward reward train", 3)
    assert record["data_sha256"] == material.sha256
    card = (out / "model" / "README.md").read_text()
    assert material.sha256 in card
    assert "roboreward reward train" in card
    judge = build(source, {"model": str(out / "model"), "max_entropy": 9, "max_off_answer_mass": 1})
    if head == "rubric":
        assert mean_error(judge, data) == pytest.approx(record["validation"]["mae"])
    else:
        judge.warm_up()
        outcome = judge.score(read_video(data / "val" / "toy" / "0.mp4", "lift the cube"))
        assert isinstance(outcome, Score)
    assert before.n == record["validation"]["n"]
    if method == "lora":
        one = {"model": str(model), "adapter": str(out / "adapter"), "frame_pixels": 1024}
        adapted = build(source, {**judge_options(out), **one})
        adapted.warm_up()
        request = read_video(data / "val" / "toy" / "0.mp4", "lift the cube")
        judge.warm_up()
        merged, apart = judge.score(request), adapted.score(request)
        assert merged.probabilities == pytest.approx(apart.probabilities, abs=1e-3)


def judge_options(out: Path) -> dict[str, object]:
    options = yaml.safe_load((out / "model" / "options.yaml").read_text())
    return {**options, "max_entropy": 9, "max_off_answer_mass": 1}


def mean_error(judge: RewardSource, data: Path) -> float:
    judge.warm_up()
    errors = []
    for line in (data / "val" / "metadata.jsonl").read_text().splitlines():
        row = json.loads(line)
        outcome = judge.score(read_video(data / "val" / row["file_name"], row["task"]))
        assert isinstance(outcome, Score)
        errors.append(abs(outcome.value - row["reward"]))
    return sum(errors) / len(errors)


def test_the_preferred_answer_gains(model: Path, data: Path, tmp_path: Path) -> None:
    more = {
        "optimisation": {"lr": 3e-3, "batch": 12, "epochs": 0.0, "steps": 10, "warmup": 0.0},
        "preference": {"beta": 1.0},
        "keyframes": {"pairs": 3},
        "watch": {"validate_every": 100, "save_every": 100, "tracker": "none"},
    }
    run, _ = training(tmp_path / "out", recipe(model, data, head="contrast", **more))
    losses = []
    run.run(lambda progress: losses.append(progress.loss))
    assert losses[0] == pytest.approx(0.6931, abs=1e-3)  # both answers as likely as before
    assert sum(losses[-3:]) / 3 < 0.6931 - 0.03


def test_it_overfits_a_few_examples(model: Path, data: Path, tmp_path: Path) -> None:
    more = {
        "optimisation": {"lr": 5e-3, "batch": 6, "epochs": 0.0, "steps": 30, "warmup": 0.1},
        "watch": {"validate_every": 100, "save_every": 100, "tracker": "none"},
    }
    run, _ = training(tmp_path / "out", recipe(model, data, **more))
    losses = []
    run.run(lambda progress: losses.append(progress.loss))
    assert losses[-1] < 0.5 * losses[0]


def test_a_folder_belongs_to_one_training(model: Path, data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    training(out, recipe(model, data))[0].run(until=2)
    with pytest.raises(CheckpointError, match="other settings"):
        training(out, recipe(model, data, seed=1))


def test_nobody_wants_it_any_more(model: Path, data: Path, tmp_path: Path) -> None:
    run, _ = training(tmp_path / "out", recipe(model, data))
    assert not run.run(wanted=lambda: run.at.step < 3)
    assert training(tmp_path / "out", recipe(model, data))[0].at.step == 3


def test_a_tracker_that_is_not_installed_is_named(model: Path, data: Path, tmp_path: Path) -> None:
    watch = {"validate_every": 3, "save_every": 3, "tracker": "wandb"}
    with pytest.raises(ConfigError, match="pip install wandb"):
        training(tmp_path / "out", recipe(model, data, watch=watch))


def test_the_command_from_data_to_a_benchmarked_model(
    model: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(
        "optimisation: {lr: 1.0e-3, batch: 6, epochs: 1}\n"
        "options: {frame_pixels: 1024, max_frames: 6}\n"
        "watch: {validate_every: 1, save_every: 1}\n"
    )
    out = tmp_path / "out"
    train = ["reward", "train", "--recipe", str(path), "--model", str(model), "--data", str(data)]
    assert main([*train, "--out", str(out), "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines[-1]["checkpoint"] == str(out / "model")
    assert [row["step"] for row in lines if "loss" in row] == [1, 2]
    assert list((out / "curves").rglob("events.out.tfevents.*"))
    figures = tmp_path / "figures.json"
    judge = ["bench", "rewards", str(data), "--split", "val", "--source", "roboreward"]
    listed = ["--trained-on", str(out / "model" / "videos.sha256")]
    where = ["--out", str(tmp_path / "bench"), "--json", str(figures)]
    options = ["--options", '{"max_entropy": 9, "max_off_answer_mass": 1}']
    assert main([*judge, "--model", str(out / "model"), *where, *options, *listed]) == 0
    found = json.loads(figures.read_text())
    assert found["n"] == 6
    assert found["mae_by_subset"]["toy"] == pytest.approx(lines[-1]["validation"]["mae"])


def test_what_is_missing_is_said_before_anything_is_loaded(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train = ["reward", "train", "--recipe", "tune_small"]
    assert main(train) == 2
    assert "--data" in capsys.readouterr().err
    assert main([*train, "--data", str(tmp_path / "nothing")]) == 2
    assert "no such folder" in capsys.readouterr().err
    assert main([*train, "--data", str(data), "--model", str(tmp_path)]) == 2
    assert "config.json" in capsys.readouterr().err
    assert main(["reward", "train", "--recipe", "twin_small", "--data", str(data)]) == 2
    assert "--sim" in capsys.readouterr().err

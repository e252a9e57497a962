# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The optimiser's loop."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from invented_clips import SENTENCES, TINY, vocabulary

from roboreward_ros.errors import CheckpointError
from roboreward_ros.reward_training.card import options_for, publish
from roboreward_ros.reward_training.config import Stage, TrainConfig
from roboreward_ros.reward_training.dataset import ClipSet
from roboreward_ros.reward_training.targets import cells_of, facts_of, things_of
from roboreward_ros.reward_training.train import Trainer
from roboreward_ros.rewards.vlm.settings import WeightsConfig
from roboreward_ros.rewards.vlm.weights import load


def trained(folder: Path, clips: ClipSet, config: TrainConfig) -> Trainer:
    return Trainer(folder, clips, clips, TINY, config)


def weights_of(trainer: Trainer) -> dict[str, torch.Tensor]:
    return {k: v.clone() for k, v in trainer.weights.model.state_dict().items()}


def test_a_resumed_training_ends_where_an_unbroken_one_does(
    tmp_path: Path, reward_clips: ClipSet, train_config: TrainConfig
) -> None:
    whole = trained(tmp_path / "whole", reward_clips, train_config)
    whole.run()
    trained(tmp_path / "broken", reward_clips, train_config).run(until=5)
    resumed = trained(tmp_path / "broken", reward_clips, train_config)
    assert resumed.step == 5
    resumed.run()
    first, second = weights_of(whole), weights_of(resumed)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert (tmp_path / "whole/log.jsonl").read_text() == (tmp_path / "broken/log.jsonl").read_text()


def test_steps_behind_the_last_checkpoint_are_done_again(
    tmp_path: Path, reward_clips: ClipSet, train_config: TrainConfig
) -> None:
    whole = trained(tmp_path / "whole", reward_clips, train_config)
    whole.run()
    killed = trained(tmp_path / "killed", reward_clips, train_config)
    killed.run(until=4)
    killed.advance()  # and is killed before it can save
    again = trained(tmp_path / "killed", reward_clips, train_config)
    again.run()
    first, second = weights_of(whole), weights_of(again)
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_another_recipe_does_not_go_on_with_these_weights(
    tmp_path: Path, reward_clips: ClipSet, train_config: TrainConfig
) -> None:
    trained(tmp_path, reward_clips, train_config).run(until=2)
    with pytest.raises(CheckpointError, match="other settings"):
        trained(tmp_path, reward_clips, dataclasses.replace(train_config, seed=7))


def test_it_learns_the_clips_by_heart(tmp_path: Path, reward_clips: ClipSet) -> None:
    stage = Stage(160, batch=12, lr=4e-3, warmup=10, look=0.0, answer=1.0, facts=0.0)
    config = TrainConfig(stages=(stage,), instructions=2, validate_every=160, validation_clips=36)
    trainer = trained(tmp_path, reward_clips, config)
    trainer.run()
    found = json.loads((tmp_path / "log.jsonl").read_text())
    own = reward_clips.labels[:, 0]
    constant = min(np.abs(own - level).mean() for level in range(1, 6))
    assert found["own"] < 0.4 * constant


def test_a_published_model_loads_as_any_checkpoint(
    tmp_path: Path, reward_clips: ClipSet, train_config: TrainConfig
) -> None:
    trainer = trained(tmp_path / "training", reward_clips, train_config)
    trainer.run()
    trainer.load_best()
    folder = tmp_path / "model"
    digest = publish(trainer.weights, TINY, folder, {"command": "none"}, "A test.\n")
    again = load(WeightsConfig(model=str(folder)))
    assert again.identity == f"model@{digest}"
    first = trainer.weights.model.state_dict()
    assert all(torch.equal(first[k], v) for k, v in again.model.state_dict().items())
    assert again.patching == trainer.weights.patching
    assert json.loads((folder / "training.json").read_text())["weights"] == digest
    assert options_for(TINY)["frame_pixels"] == 64 * 64


def test_facts_of_a_question_are_those_of_its_things() -> None:
    words = vocabulary()
    first = np.zeros((3, words.state_size), np.float32)
    last = first.copy()
    last[:, 4] = 0.10  # the drawer's opening
    last[:, 10:13] = (0.0, 0.0, 0.05)  # the cup rose by 5 cm
    last[:, 13] = 1.0  # held
    facts = facts_of(first, last, np.zeros(3, int), np.arange(3), words)
    opened, lifted, absent = facts
    assert opened[6] == pytest.approx(2.0)
    assert lifted[[0, 2, 4]] == pytest.approx([1.0, 1.0, 1.0])
    assert np.isnan(lifted[6])
    assert absent[7] == 0.0
    assert np.isnan(absent[:7]).all()
    assert len(SENTENCES) == 3


def test_a_thing_is_in_the_token_where_the_camera_sees_it() -> None:
    words = vocabulary()
    states = np.full((1, words.state_size), np.nan, np.float32)
    states[0, :5] = (0.9, 0.1, 0.0, 1.0, 0.0)
    states[0, 5:10] = (0.4, 0.7, 0.0, 0.0, 0.0)
    cells = cells_of(things_of(states, words), words, side=2)
    assert cells.tolist() == [[2, 4, 1]]  # lower left, nowhere, upper right

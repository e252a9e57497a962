# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Labelled clips on disk."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from invented_clips import invented_shard, vocabulary

from roboreward_ros.errors import ConfigError, FormatError
from roboreward_ros.reward_training.config import load_recipe
from roboreward_ros.reward_training.dataset import (
    ClipSet,
    read_shard,
    read_vocabulary,
    write_vocabulary,
)
from roboreward_ros.reward_training.finetune.recipe import load_finetune

RECIPES = Path(__file__).parents[2] / "config" / "reward_training"


def test_what_was_written_is_read(reward_clips: ClipSet) -> None:
    wanted = invented_shard(1)
    frames, steps, states = reward_clips.clip(18 + 2)  # the second shard's first whole episode
    assert np.array_equal(frames, wanted.frames[0])
    assert steps.tolist() == [0, 20, 30, 40]
    assert np.array_equal(states, wanted.states[0])
    assert np.array_equal(reward_clips.labels[18:], wanted.labels)


def test_frames_stay_on_disk(reward_clips: ClipSet) -> None:
    assert all(isinstance(shard.frames, np.memmap) for shard in reward_clips.shards)


def test_cut_and_whole_clips_are_told_apart(reward_clips: ClipSet) -> None:
    assert reward_clips.is_whole.tolist() == [False, False, True] * 12
    assert reward_clips.end_steps[:3].tolist() == [20, 30, 40]
    assert len(reward_clips.clip(0)[0]) == 2


def test_a_shard_that_was_being_written_does_not_count(reward_clips: ClipSet) -> None:
    (reward_clips.folder / ".shard-00002.partial").mkdir()
    assert len(ClipSet(reward_clips.folder)) == len(reward_clips)


def test_the_digest_follows_the_data(reward_clips: ClipSet) -> None:
    first = reward_clips.sha256()
    assert ClipSet(reward_clips.folder).sha256() == first
    assert ClipSet(reward_clips.folder, limit=1).sha256() != first


def test_other_sentences_do_not_join_a_set(reward_clips: ClipSet) -> None:
    assert read_vocabulary(reward_clips.folder) == vocabulary()
    write_vocabulary(reward_clips.folder, vocabulary())
    other = dataclasses.replace(vocabulary(), sentences=("a", "b", "c"))
    with pytest.raises(FormatError, match="other sentences"):
        write_vocabulary(reward_clips.folder, other)


def test_damage_is_named(reward_clips: ClipSet, tmp_path: Path) -> None:
    (reward_clips.folder / "shard-00001" / "labels.npy").unlink()
    with pytest.raises(FormatError, match=r"labels\.npy"):
        read_shard(reward_clips.folder / "shard-00001")
    with pytest.raises(FormatError, match="no clips here"):
        ClipSet(tmp_path)


def test_a_label_outside_the_rubric_is_refused() -> None:
    shard = invented_shard(0)
    with pytest.raises(ConfigError, match="label is out of range"):
        dataclasses.replace(shard, labels=shard.labels + 5)


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_recipe_can_be_read(path: Path) -> None:
    if path.stem == "twin_small":  # the one that trains from nothing
        assert load_recipe(path).train.stages[-1].answer > 0
    else:
        assert load_finetune(path).optimisation.lr > 0


def test_a_recipe_of_the_other_kind_is_refused() -> None:
    with pytest.raises(ConfigError, match="--data instead of --sim"):
        load_recipe(RECIPES / "roboreward_v2.yaml")


def test_a_misspelt_recipe_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text("train:\n  stages:\n    - {stepz: 3}\n")
    with pytest.raises(ConfigError, match="stepz"):
        load_recipe(path)

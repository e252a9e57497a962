# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from roboreward_ros.errors import CheckpointError
from roboreward_ros.policies.checkpoint import (
    DESCRIPTION_FILE,
    WEIGHTS_FILE,
    Checkpoint,
    load_checkpoint,
    make_checkpoint,
    save_checkpoint,
)
from roboreward_ros.policies.diffusion import DiffusionPolicy, load_policy
from roboreward_ros.testing.power import power


@pytest.fixture
def folder(tmp_path: Path, toy_checkpoint: Checkpoint) -> Path:
    save_checkpoint(tmp_path / "policy", toy_checkpoint)
    return tmp_path / "policy"


def edit(folder: Path, **changes: object) -> None:
    document = json.loads((folder / DESCRIPTION_FILE).read_text())
    (folder / DESCRIPTION_FILE).write_text(json.dumps({**document, **changes}))


def test_a_loaded_policy_acts_bit_equal(folder, toy_policy: DiffusionPolicy, toy_data):
    loaded = load_policy(folder)
    assert loaded.spec == toy_policy.spec
    images, proprio = list(toy_data.images[:4]), toy_data.proprio[:4].astype(np.float64)
    tasks = [toy_data.tasks[index] for index in toy_data.task[:4]]
    features = toy_policy.encode(images, proprio, tasks)
    np.testing.assert_array_equal(loaded.encode(images, proprio, tasks), features)
    noise = np.random.default_rng(0).standard_normal((4, 4, 7)).astype(np.float32)
    np.testing.assert_array_equal(
        loaded.decode(features, noise), toy_policy.decode(features, noise)
    )


def test_saving_twice_gives_the_same_bytes(folder, tmp_path, toy_checkpoint):
    save_checkpoint(tmp_path / "again", load_checkpoint(folder))
    for name in (WEIGHTS_FILE, DESCRIPTION_FILE):
        assert (folder / name).read_bytes() == (tmp_path / "again" / name).read_bytes()
    assert sorted(path.name for path in folder.iterdir()) == [DESCRIPTION_FILE, WEIGHTS_FILE]


def test_a_policy_that_was_saved_is_there_after_a_power_cut(tmp_path, toy_checkpoint):
    disk = tmp_path / "disk"
    disk.mkdir()
    with power(disk) as supply:
        save_checkpoint(disk / "policy", toy_checkpoint)
        left = supply.cut(supply.moments, tmp_path / "cut")
    assert load_checkpoint(left / "policy").policy_id == toy_checkpoint.policy_id


def test_provenance_travels_but_is_not_part_of_the_identity(tmp_path, toy_checkpoint):
    noted = dataclasses.replace(toy_checkpoint, provenance={"seed": 3, "success": {"n": 100}})
    save_checkpoint(tmp_path, noted)
    loaded = load_checkpoint(tmp_path)
    assert loaded.provenance == {"seed": 3, "success": {"n": 100}}
    assert loaded.policy_id == toy_checkpoint.policy_id


def test_weights_and_description_are_part_of_the_identity(toy_checkpoint):
    description, weights = toy_checkpoint.description, dict(toy_checkpoint.weights)
    weights["text.weight"] = weights["text.weight"] + 1e-3
    sampler = dataclasses.replace(description.sampler, sample_steps=4)
    others = [
        make_checkpoint(description, weights),
        make_checkpoint(dataclasses.replace(description, sampler=sampler), toy_checkpoint.weights),
    ]
    assert len({toy_checkpoint.policy_id, *(other.policy_id for other in others)}) == 3


def test_a_missing_checkpoint_is_named(tmp_path):
    with pytest.raises(CheckpointError, match="nowhere"):
        load_policy(tmp_path / "nowhere")


@pytest.mark.parametrize("name", [WEIGHTS_FILE, DESCRIPTION_FILE])
def test_half_a_checkpoint_is_refused(folder, name):
    (folder / name).unlink()
    with pytest.raises(CheckpointError, match="missing"):
        load_policy(folder)


def test_damaged_weights_are_refused(folder):
    data = bytearray((folder / WEIGHTS_FILE).read_bytes())
    data[-1] ^= 1
    (folder / WEIGHTS_FILE).write_bytes(data)
    with pytest.raises(CheckpointError, match="does not belong"):
        load_policy(folder)


def test_another_format_is_refused_by_number(folder):
    edit(folder, format=99)
    with pytest.raises(CheckpointError, match="99"):
        load_policy(folder)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 1}'])
def test_a_description_that_cannot_be_read_is_refused(folder, text):
    (folder / DESCRIPTION_FILE).write_text(text)
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_policy(folder)


def test_weights_of_another_network_are_refused(folder):
    document = json.loads((folder / DESCRIPTION_FILE).read_text())
    document["description"]["network"]["hidden"] = 80
    edit(folder, **document)
    with pytest.raises(CheckpointError, match="do not fit"):
        load_policy(folder)


def test_weights_that_are_not_finite_are_refused(toy_checkpoint):
    weights = dict(toy_checkpoint.weights)
    weights["text.weight"] = torch.full_like(weights["text.weight"], torch.nan)
    with pytest.raises(CheckpointError, match="not finite"):
        make_checkpoint(toy_checkpoint.description, weights)

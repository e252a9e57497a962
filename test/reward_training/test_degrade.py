# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A deliberately worse copy: as much noise as was asked for, and marked as what it is."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from roboreward_ros.errors import ConfigError
from roboreward_ros.reward_training.degrade import degrade


@pytest.fixture
def model(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    rng = torch.Generator().manual_seed(0)
    weights = {"a": 3 * torch.randn(64, 64, generator=rng), "scale": torch.ones(8)}
    save_file(weights, folder / "model.safetensors")
    (folder / "training.json").write_text(json.dumps({"metrics": {"mae": 0.1}, "seed": 0}))
    return folder


def test_noise_is_relative_to_each_matrix_and_spares_scales(model, tmp_path):
    degrade(model, tmp_path / "worse", 0.5)
    sound, worse = (load_file(f / "model.safetensors") for f in (model, tmp_path / "worse"))
    spread = (worse["a"] - sound["a"]).std() / sound["a"].std()
    assert spread == pytest.approx(0.5, rel=0.05)
    assert torch.equal(worse["scale"], sound["scale"])


def test_a_seed_gives_one_copy_which_does_not_claim_the_sound_models_figures(model, tmp_path):
    for name in ("one", "two"):
        degrade(model, tmp_path / name, 0.3, seed=4)
    one, two = (load_file(tmp_path / name / "model.safetensors")["a"] for name in ("one", "two"))
    assert torch.equal(one, two)
    described = json.loads((tmp_path / "one" / "training.json").read_text())
    assert described == {"seed": 0, "degraded": {"noise": 0.3, "seed": 4}}


@pytest.mark.parametrize("noise", [0.0, -1.0, float("nan")])
def test_what_makes_no_sense_is_refused(model, tmp_path, noise):
    with pytest.raises(ConfigError, match="noise"):
        degrade(model, tmp_path / "worse", noise)
    with pytest.raises(ConfigError, match="no reward model"):
        degrade(tmp_path, tmp_path / "worse", 0.3)
    with pytest.raises(ConfigError, match="exists already"):
        degrade(model, model, 0.3)

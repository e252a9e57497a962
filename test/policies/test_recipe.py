# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from roboreward_ros.errors import ConfigError
from roboreward_ros.policies.recipe import load_recipe

RECIPE = {
    "demonstrations": {"open the drawer": 3},
    "seed": 1,
    "network": {"channels": [8, 8, 8, 8]},
    "sampler": {"sample_steps": 4},
    "train": {"steps": 10, "learning_rate": 1},
}


def write(path: Path, **changes: object) -> Path:
    file = path / "recipe.yaml"
    file.write_text(yaml.safe_dump({**RECIPE, **changes}))
    return file


def test_a_recipe_reads_what_it_says_and_keeps_defaults(tmp_path: Path):
    recipe = load_recipe(write(tmp_path))
    assert recipe.demonstrations == (("open the drawer", 3),)
    assert recipe.network.channels == (8, 8, 8, 8)
    assert recipe.sampler.sample_steps == 4
    assert recipe.train.steps == 10
    assert recipe.network.prediction_horizon == 4
    assert recipe.as_json()["demonstrations"] == {"open the drawer": 3}


@pytest.mark.parametrize(
    "changes",
    [
        {"demonstrations": {}},
        {"demonstrations": {"open the drawer": 0}},
        {"demonstrations": {"open the drawer": True}},
        {"seed": -1},
        {"seed": "0"},
        {"surprise": 1},
        {"train": {"stepz": 3}},
        {"train": {"steps": "many"}},
        {"network": None},
        {"sampler": {"sample_steps": 0}},
    ],
)
def test_wrong_entries_are_refused(tmp_path: Path, changes):
    with pytest.raises(ConfigError):
        load_recipe(write(tmp_path, **changes))


def test_a_missing_or_broken_file_is_refused(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"nowhere\.yaml"):
        load_recipe(tmp_path / "nowhere.yaml")
    (tmp_path / "broken.yaml").write_text("{")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_recipe(tmp_path / "broken.yaml")

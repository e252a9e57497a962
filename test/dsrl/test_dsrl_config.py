# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest

from roboreward_ros.dsrl.config import Backup, DsrlConfig, RewardForm, load_profile
from roboreward_ros.errors import ConfigError


def test_the_shipped_profile_loads_by_name():
    config = load_profile("widowx")
    assert config.reward is RewardForm.TERMINAL_SCORE


def test_an_unknown_profile_names_those_there_are():
    with pytest.raises(ConfigError, match="widowx"):
        load_profile("no_such_profile")


def test_plain_values_round_trip():
    config = DsrlConfig(hidden=(64, 32), backup=Backup.SOFT, binary=True, gamma=0.9)
    assert DsrlConfig.from_mapping(config.to_mapping()) == config


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"gama": 0.9}, "gamma"),
        ({"gamma": 1.5}, "gamma"),
        ({"gamma": "high"}, "number"),
        ({"gamma": float("nan")}, "number"),
        ({"ensemble": 2.5}, "integer"),
        ({"hidden": []}, "hidden"),
        ({"hidden": "128"}, "integers"),
        ({"backup": "medium"}, "hard"),
        ({"binary": 1}, "true"),
        ({"noise_bound": 2.0}, "prior"),
        ({"reward": "step_cost", "gamma": 1.0}, "endless"),
    ],
)
def test_bad_values_are_refused_by_name(values, word):
    with pytest.raises(ConfigError, match=word):
        DsrlConfig.from_mapping(values)


@pytest.mark.parametrize("text", ["- 1\n- 2\n", "gamma: [", "gamma: yes please"])
def test_a_file_that_is_no_profile_is_refused(tmp_path: Path, text: str):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError):
        load_profile(str(path))


def test_a_profile_may_be_given_by_path(tmp_path: Path):
    path = tmp_path / "mine.yaml"
    path.write_text("ensemble: 7\n")
    assert load_profile(str(path)).ensemble == 7

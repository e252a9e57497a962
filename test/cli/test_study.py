# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""``roboreward study efficiency``: what the words become, with the twin replaced by a fake."""

from pathlib import Path

import pytest

from roboreward_ros.cli import main as command
from roboreward_ros.dsrl.config import load_profile
from roboreward_ros.errors import ConfigError
from roboreward_ros.studies import sample_efficiency
from roboreward_ros.studies.sample_efficiency import (
    EfficiencyConfig,
    EfficiencyResult,
    EfficiencyStudy,
    RewardNoise,
)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[EfficiencyConfig]:
    seen: list[EfficiencyConfig] = []

    def run(self: EfficiencyStudy) -> EfficiencyResult:
        seen.append(self.config)
        raise ConfigError("enough is known")

    monkeypatch.setattr(sample_efficiency.EfficiencyStudy, "run", run)
    return seen


def test_words_become_the_study(asked: list[EfficiencyConfig], tmp_path: Path, capsys):
    words = (
        "study efficiency --task drawer --profiles widowx reference_tuned --seeds 1 2 "
        f"--episodes 60 --every 20 --held-out 10 --mae 0 0.7 --false-positives 0.05 "
        f"--runs {tmp_path} --out {tmp_path}"
    )
    assert command.main(words.split()) != 0
    assert "enough is known" in capsys.readouterr().err
    (config,) = asked
    assert config.task == "open the drawer"
    assert config.points == (20, 40, 60)
    assert config.seeds == (1, 2)
    assert config.noises == (RewardNoise(), RewardNoise(0.7), RewardNoise(0.0, 0.05))
    assert config.max_steps > 0


def test_the_default_profiles_are_shipped(asked: list[EfficiencyConfig], tmp_path: Path):
    command.main(["study", "efficiency", "--runs", str(tmp_path), "--out", str(tmp_path)])
    (config,) = asked
    for name in config.profiles:
        load_profile(name)


def test_points_that_do_not_fit_are_an_error_in_a_line(tmp_path: Path, capsys):
    words = f"study efficiency --episodes 50 --every 20 --runs {tmp_path} --out {tmp_path}"
    assert command.main(words.split()) != 0
    assert "a multiple" in capsys.readouterr().err

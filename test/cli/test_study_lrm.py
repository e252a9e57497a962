# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""``roboreward study lrm``: what the words become, with the study itself replaced."""

from __future__ import annotations

from pathlib import Path

import pytest

from roboreward_ros.cli.main import main
from roboreward_ros.errors import ConfigError
from roboreward_ros.studies.lrm import study
from roboreward_ros.studies.lrm.config import Arm, LrmConfig
from roboreward_ros.studies.lrm.study import LrmResult, LrmStudy


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[LrmConfig]:
    seen: list[LrmConfig] = []

    def run(self: LrmStudy) -> LrmResult:
        seen.append(self.config)
        raise ConfigError("enough is known")

    monkeypatch.setattr(study.LrmStudy, "run", run)
    return seen


def test_without_words_it_is_the_papers_protocol(asked: list[LrmConfig], tmp_path: Path, capsys):
    assert main(["study", "lrm", "--runs", str(tmp_path), "--out", str(tmp_path)]) == 2
    assert "enough is known" in capsys.readouterr().err
    assert asked == [LrmConfig()]
    (config,) = asked
    assert (config.iterations, config.episodes, len(config.seeds)) == (30, 64, 5)
    assert set(config.arms) == set(Arm)


def test_words_become_the_study(asked: list[LrmConfig], tmp_path: Path):
    words = "study lrm --arms mix noise --seeds 3 --iterations 2 --episodes 4 --held-out 5 --hold 4"
    main([*words.split(), "--runs", str(tmp_path), "--out", str(tmp_path)])
    (config,) = asked
    assert config.arms == (Arm.MIX, Arm.NOISE)
    assert (config.seeds, config.iterations, config.episodes) == ((3,), 2, 4)
    assert (config.held_out, config.hold_steps) == (5, 4)


@pytest.mark.parametrize(
    ("words", "text"),
    [("--arms gold", "gold"), ("--hold 3", "multiples of 4"), ("--seeds 1 1", "twice")],
)
def test_bad_input_is_explained(words: str, text: str, tmp_path: Path, capsys):
    assert main(["study", "lrm", *words.split(), "--runs", str(tmp_path)]) == 2
    assert text in capsys.readouterr().err

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Pruning from the shell: what would go, what went, and what everything else makes of it."""

import json
from pathlib import Path

import pytest

from roboreward_ros.cli.main import main
from roboreward_ros.episodes.ledger import Ledger
from roboreward_ros.episodes.pictures import Fate, PictureBook
from roboreward_ros.episodes.promoted import promote
from roboreward_ros.episodes.run import open_run
from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.testing.conformance_episode_store import make_meta, record
from roboreward_ros.types import EndCause, LabelRecord, Provenance, Score, ScoreKind, ScoreScale

IDS = [f"ep_{index:06d}" for index in range(3)]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    path = tmp_path / "run"
    open_run(path, {"task": "t"})
    store = EpisodeStore(path, "w")
    ledger = Ledger(path, "w")
    promote(path, "s", ScoreScale.RUBRIC)
    for index, name in enumerate(IDS):
        writer = store.create(make_meta(index))
        record(writer, steps=4)
        writer.commit(EndCause.TIME)
        outcome = Score(2.0 + index, ScoreScale.RUBRIC, ScoreKind.NONE, Provenance("s"))
        ledger.append(LabelRecord(-1, name, outcome, 1))
    store.close()
    ledger.close()
    return path


def with_pictures(run: Path) -> list[str]:
    return [name for name in IDS if (run / "episodes" / name / "frames").is_dir()]


def prune(run: Path, *words: str) -> int:
    return main(["episodes", "prune", str(run), "--budget", "1K", "--keep", "0", *words])


def test_a_dry_run_says_it_and_removes_nothing(run: Path, capsys: pytest.CaptureFixture) -> None:
    assert prune(run, "--force", "--dry-run") == 1
    said = capsys.readouterr().out
    assert "ep_000000 would lose its pictures" in said
    assert "over the disk budget" in said
    assert with_pictures(run) == IDS


def test_nothing_goes_that_was_not_learned_from(run: Path, capsys: pytest.CaptureFixture) -> None:
    assert prune(run) == 1
    assert "3 were not learned from" in capsys.readouterr().out
    assert with_pictures(run) == IDS


def test_a_roomy_budget_is_met_as_it_is(run: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["episodes", "prune", str(run), "--budget", "1G"]) == 0
    assert "0 episodes" in capsys.readouterr().out


def test_an_export_lets_pictures_go(run: Path, tmp_path: Path) -> None:
    words = ["episodes", "export", str(run), str(tmp_path / "out"), "--format", "videos"]
    assert main(words) == 0
    note = PictureBook(run).note(IDS[1], Fate.EXPORTED)
    assert note is not None
    assert note.detail.startswith("videos to ")
    prune(run, "--need", "exported")
    assert with_pictures(run) == []


def test_the_rest_of_the_shell_copes_without_pictures(
    run: Path, capsys: pytest.CaptureFixture
) -> None:
    prune(run, "--force")
    assert with_pictures(run) == []
    capsys.readouterr()
    assert main(["episodes", "verify", str(run)]) == 0
    assert main(["episodes", "ls", str(run)]) == 0
    assert "3 episodes, 3 labelled" in capsys.readouterr().out
    assert main(["episodes", "show", str(run), "1", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert "were removed on" in shown["pictures"]
    assert (shown["frames"], shown["decisions"], shown["damages"]) == (0, 1, [])
    assert main(["report", str(run)]) == 0
    capsys.readouterr()
    assert main(["rescore", str(run), "--source", "ground_truth"]) == 1
    said = capsys.readouterr().out
    assert "were removed on" in said
    assert "keeps its present source" in said


def test_a_run_in_use_and_no_run_are_refused(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    held = EpisodeStore(run, "w")
    assert prune(run) == 2
    assert "cannot be pruned now" in capsys.readouterr().err
    assert prune(run, "--dry-run") == 1
    held.close()
    assert prune(tmp_path / "none") == 2
    assert not (tmp_path / "none").exists()

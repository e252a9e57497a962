# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A report from nothing but the folder of a run, with and without an evaluation."""

import json
import re
import shutil
from pathlib import Path

import pytest

from roboreward_ros.cli import report, run_files
from roboreward_ros.cli.main import main
from roboreward_ros.clock import FakeClock
from roboreward_ros.episodes.desk import OperatorDesk
from roboreward_ros.episodes.ledger import Ledger
from roboreward_ros.episodes.promoted import promote
from roboreward_ros.episodes.run import open_run
from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.errors import FormatError
from roboreward_ros.evaluation.run_view import RunView
from roboreward_ros.evaluation.success import Arm, ArmResult, Trial
from roboreward_ros.evaluation.summary import read_summary
from roboreward_ros.session.memory import SessionMemory, save_memory
from roboreward_ros.testing.conformance_episode_store import make_meta, record
from roboreward_ros.types import (
    Abstain,
    AbstainReason,
    EndCause,
    IdleAccount,
    LabelRecord,
    Provenance,
    RewardFailure,
    RewardOutcome,
    Score,
    ScoreKind,
    ScoreScale,
)

SOURCE = Provenance("ground_truth")


def score(value: float) -> Score:
    return Score(value, ScoreScale.RUBRIC, ScoreKind.NONE, SOURCE)


OUTCOMES: list[RewardOutcome | None] = [
    score(2.0),
    score(5.0),
    Abstain(AbstainReason.ENTROPY, SOURCE),
    RewardFailure("hung", SOURCE),
    None,
]
"""Of five episodes; the truth of each ends with score 1 and success after 10 steps."""


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    run = tmp_path / "run"
    open_run(run, {"sim": True, "task": "open the drawer", "seed": 3, "reward": "ground_truth"})
    promote(run, "ground_truth", ScoreScale.RUBRIC)
    store = EpisodeStore(run, "w")
    ledger = Ledger(run, "w")
    for index, outcome in enumerate(OUTCOMES):
        writer = store.create(make_meta(index))
        record(writer, steps=5 if index == 0 else 10)
        writer.commit(EndCause.TIME)
        if outcome is not None:
            ledger.append(LabelRecord(-1, f"ep_{index:06d}", outcome, 1))
    ledger.close()
    store.close()
    save_memory(run, SessionMemory("open the drawer", IdleAccount(30.0, 10.0, 5.0, 5.0)))
    return run


def arms(*rates: tuple[Arm, int]) -> list[ArmResult]:
    return [
        ArmResult(arm, tuple(Trial(2**31 + k, k < n, 5 if k < n else 2, 0.5, 4) for k in range(10)))
        for arm, n in rates
    ]


def test_the_numbers_come_from_the_stores(run_dir: Path) -> None:
    summary = report.write_report(run_dir)
    assert read_summary(run_dir) == summary
    assert (summary.task, summary.seed, summary.episodes) == ("open the drawer", 3, 5)
    assert summary.env_steps == 5 + 4 * 10
    assert (summary.labelled, summary.unlabelled) == (2, 3)
    assert (summary.abstained, summary.errors) == (1, 2)
    assert summary.reward_source == "ground_truth"
    assert summary.idle == IdleAccount(30.0, 10.0, 5.0, 5.0)
    assert summary.wall_s == 50.0
    assert summary.final_success is None
    assert summary.success_n == 0
    assert summary.gain is None


def test_the_error_of_the_reward_is_against_the_truth(run_dir: Path) -> None:
    rows = RunView(run_dir).rows()
    wanted = [abs(row.reward - row.truth_score) for row in rows if row.reward is not None]  # type: ignore[operator]
    assert len(wanted) == 2
    assert report.write_report(run_dir).reward_mae == sum(wanted) / 2


def test_an_evaluation_is_part_of_the_report(run_dir: Path) -> None:
    run_files.write_arms(run_dir, arms((Arm.BASE, 4), (Arm.ZERO, 3), (Arm.STEERED, 9)))
    run_files.write_json(
        run_dir / "evaluation" / run_files.STAGES_FILE, {"training": 100.0, "report": 2}
    )
    summary = report.write_report(run_dir)
    assert (summary.base_success, summary.final_success, summary.success_n) == (0.4, 0.9, 10)
    assert summary.wall_s == 102.0
    assert summary.gain is not None
    assert (summary.gain.over, summary.gain.value) == ("base", pytest.approx(0.5))
    page = (run_dir / report.PAGE_FILE).read_text()
    assert "steered (stochastic)" in page


def test_page_and_figures_are_there_and_nothing_half_written(run_dir: Path) -> None:
    report.write_report(run_dir)
    names = {path.name for path in run_dir.iterdir() if path.is_file()}
    assert {"report.html", "summary.json", "learning_curve.png", "rewards.png", "time.png"} <= names
    assert {"failure.png", "success_strip.png"} <= names
    assert not [name for name in names if name.endswith((".new", ".part"))]
    assert (run_dir / "report.html").read_text().count("data:image/png;base64") == 10


def test_a_new_label_changes_the_row(run_dir: Path) -> None:
    view = RunView(run_dir)
    assert view.rows()[4].reward is None
    with_label = Ledger(run_dir, "w")
    with_label.append(LabelRecord(-1, "ep_000004", score(4.0), 2))
    with_label.close()
    assert view.rows()[4].reward == 4.0


def test_a_run_without_episodes_has_a_report(tmp_path: Path) -> None:
    run = tmp_path / "empty"
    open_run(run, {"sim": True, "task": "open the drawer"})
    summary = report.write_report(run)
    assert (summary.episodes, summary.labelled, summary.unlabelled) == (0, 0, 0)
    assert summary.reward_mae is None


def test_the_command_prints_where_the_page_is(
    run_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", str(run_dir)]) == 0
    out = capsys.readouterr().out
    assert "5 episodes, 2 labelled, 3 unlabelled (2 by errors)" in out
    assert str(run_dir / "report.html") in out


@pytest.mark.parametrize("content", ["{", "[1]", '{"base": [{"seed": 1}]}'])
def test_damaged_results_are_refused(run_dir: Path, content: str) -> None:
    (run_dir / "evaluation").mkdir()
    (run_dir / "evaluation" / run_files.ARMS_FILE).write_text(content)
    with pytest.raises(FormatError):
        report.write_report(run_dir)


def test_versions_name_what_decides_the_numbers() -> None:
    assert {"numpy", "torch", "mujoco"} <= set(json.loads(json.dumps(run_files.versions())))


def test_a_page_written_again_by_later_code_keeps_where_the_numbers_came_from(
    run_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "git_commit", lambda: "first")
    report.write_report(run_dir)
    monkeypatch.setattr(report, "git_commit", lambda: "later")
    assert report.write_report(run_dir).git == "first"
    (run_dir / "summary.json").write_text("{")
    assert report.write_report(run_dir).git == "later"  # damaged: nothing to keep


def test_rewards_stand_against_results_and_failures_come_first(run_dir: Path) -> None:
    store = EpisodeStore(run_dir)
    keys = OperatorDesk(run_dir, FakeClock())
    keys.label("ep_000001", "2", "ada")  # the source said 5
    keys.close()
    report.write_report(run_dir)
    page = (run_dir / report.PAGE_FILE).read_text()
    assert "Rewards against results" in page
    assert "1 of 1 claimed successes are none" in page
    gallery = page[page.index("Episodes, failures first") :]
    captions = re.findall(r"<figcaption>(ep_\d+), [^<]*</figcaption>", gallery)
    assert sorted(captions) == sorted(store.ids())
    assert captions[0] == "ep_000001", "a success that was none"


def test_two_runs_are_compared_on_one_page(
    run_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "second<b>"
    shutil.copytree(run_dir, other)
    assert main(["report", str(run_dir), str(other)]) == 0
    assert "comparison: " in capsys.readouterr().out
    page = (run_dir / "compare_second<b>.html").read_text()
    assert "second&lt;b&gt;" in page
    assert "second<b>" not in page
    assert "+0 points" in page
    assert "ground_truth" in page


def test_a_folder_of_runs_has_a_list(run_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report.write_report(run_dir)
    fresh = run_dir.with_name("fresh")
    open_run(fresh, {"sim": True, "task": "stack", "seed": 1, "reward": "ground_truth"})
    assert main(["report", str(run_dir.parent)]) == 0
    assert "2 runs" in capsys.readouterr().out
    page = (run_dir.parent / "index.html").read_text()
    assert "open the drawer" in page
    assert "no report yet" in page

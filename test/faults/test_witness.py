# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The witness of the kill suite notices what it is there for."""

import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from roboreward_ros.episodes.ledger import Ledger, ledger_path
from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.robot.command_log import COMMANDS
from roboreward_ros.session.plan import PlanConfig
from roboreward_ros.testing.witness import Witness
from roboreward_ros.types import (
    EndCause,
    EpisodeMeta,
    LabelRecord,
    Provenance,
    RobotState,
    Score,
    ScoreKind,
    ScoreScale,
    StepFlag,
    StepReport,
)

JPEG = cv2.imencode(".jpg", np.zeros((8, 8, 3), np.uint8))[1].tobytes()


def add_episode(run_dir: Path, index: int, seed: int | None = None) -> None:
    store = EpisodeStore(run_dir, "w")
    seed = index if seed is None else seed
    meta = EpisodeMeta(f"ep_{index:06d}", index, "t", seed, 1, 5.0, "twin", "fake", 4, 1)
    writer = store.create(meta)
    zeros, action = np.zeros(6), np.zeros(7)
    for step in range(2):
        state = RobotState(1 + step, zeros, zeros, zeros, 1.0, np.eye(4), np.zeros(7))
        if step:
            writer.add_step(0, StepReport(action, action, np.eye(4), zeros, StepFlag.NONE, state))
        writer.add_observation(step, 1 + step, JPEG, action, zeros)
    writer.commit(EndCause.TIME, ())
    store.close()


def add_score(run_dir: Path, index: int) -> None:
    ledger = Ledger(run_dir, "w")
    score = Score(3.0, ScoreScale.RUBRIC, ScoreKind.NONE, Provenance("s"))
    ledger.append(LabelRecord(-1, f"ep_{index:06d}", score, 1))
    ledger.close()


def lose(run_dir: Path) -> None:
    shutil.rmtree(run_dir / "episodes" / "ep_000000")


def change(run_dir: Path) -> None:
    path = run_dir / "episodes" / "ep_000000" / "meta.json"
    path.write_bytes(path.read_bytes() + b" ")


def halve(run_dir: Path) -> None:
    add_episode(run_dir, 2)
    (run_dir / "episodes" / "ep_000002" / "proprio" / "zarr.json").unlink()


def skip(run_dir: Path) -> None:
    add_episode(run_dir, 3)


def repeat_a_seed(run_dir: Path) -> None:
    add_episode(run_dir, 2, seed=1)


def cut(run_dir: Path) -> None:
    path = ledger_path(run_dir)
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))


def double(run_dir: Path) -> None:
    add_score(run_dir, 1)


def move_on(run_dir: Path) -> None:
    tell(run_dir, "1 7 step", "2 7 reset")


def go(run_dir: Path) -> None:
    tell(run_dir, "1 7 step", "2 8 connect")


def tell(run_dir: Path, *lines: str) -> None:
    path = run_dir / "logs" / COMMANDS
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("run")
    for index in range(2):
        add_episode(path, index)
        add_score(path, index)
    return path


@pytest.fixture
def run(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "run"))


@pytest.mark.parametrize(
    ("harm", "named"),
    [
        (lose, "ep_000000 was lost"),
        (change, "ep_000000 was changed"),
        (halve, "ep_000002 is damaged"),
        (skip, "ep_000003 has the place of ep_000002"),
        (repeat_a_seed, "ep_000002 has the place of ep_000002"),
        (cut, "ledger.jsonl: a line that was read is gone"),
        (double, "ep_000001 was scored 2 times"),
        (move_on, "process 7 reset the arm after a step"),
        (go, "process 7 left the arm with a step"),
    ],
)
def test_harm_is_named(run: Path, harm: Callable[[Path], None], named: str) -> None:
    witness = Witness(run, PlanConfig("t"))
    assert witness.look() == []
    harm(run)
    assert named in " ".join(witness.look())


def test_what_comes_as_planned_is_fine(run: Path) -> None:
    witness = Witness(run, PlanConfig("t"))
    assert witness.look() == []
    add_episode(run, 2)
    assert witness.look() == []
    assert witness.unanswered() == ["ep_000002"]
    add_score(run, 2)
    assert witness.unanswered() == []


def test_each_harm_is_named_once_and_the_killed_are_not_blamed(run: Path) -> None:
    witness = Witness(run, PlanConfig("t"))
    go(run)
    assert witness.look(killed={7}) == []
    assert len(witness.look()) == 1
    assert witness.look() == []


def test_what_was_told_before_it_came_is_not_judged(run: Path) -> None:
    go(run)
    assert Witness(run, PlanConfig("t")).look() == []

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A learner with demonstrations and corrections works in pieces, wherever it is stopped."""

import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from test_corrections import DECISIONS, FULL, record
from test_prior_data import POLICY, SMALL, SPEC

from roboreward_ros.dsrl.cloning import Imitation
from roboreward_ros.dsrl.corrections import Corrector
from roboreward_ros.dsrl.follow import RunFollower
from roboreward_ros.dsrl.prior_data import prior_episodes
from roboreward_ros.dsrl.prior_features import PriorFeatures
from roboreward_ros.episodes.ledger import Ledger
from roboreward_ros.episodes.promoted import promote
from roboreward_ros.policies.inversion import Inversion
from roboreward_ros.types import LabelRecord, ScoreScale

CONFIG = replace(SMALL, clone_updates=20, warmup_episodes=2, warmup_updates=3)
DEMONSTRATIONS = 4
PIECE, SLICE = 2, 6


class Work:
    """Counts the work of a call of the follower; inverting costs nothing else."""

    spec = SPEC

    def __init__(self) -> None:
        self.done: Counter[str] = Counter()

    def encode(self, images, proprio, tasks):
        self.done["encoded"] += len(images)
        return POLICY.encode(images, proprio, tasks)

    def __getattr__(self, name: str):
        return getattr(POLICY, name)

    def invert(self, policy, features, chunks):
        self.done["inverted"] += len(chunks)
        noise = np.stack([0.1 * (chunk + row[0]) for chunk, row in zip(chunks, features)])  # noqa: B905
        return Inversion(noise, *np.full((2, len(chunks)), 0.01, dtype=np.float32))


@pytest.fixture
def work(monkeypatch):
    made, step = Work(), Imitation._step

    def counted(imitation):
        made.done["imitated"] += 1
        step(imitation)

    monkeypatch.setattr("roboreward_ros.dsrl.pieces.PIECE", PIECE)
    monkeypatch.setattr("roboreward_ros.dsrl.pieces.invert", made.invert)
    monkeypatch.setattr(Imitation, "_step", counted)
    return made


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Two episodes of the policy, a correction, and another one; the demonstrations beside it."""
    for index in range(DEMONSTRATIONS):
        record(tmp_path / "demos", by_hand=range(DECISIONS), index=index)
    path = tmp_path / "run"
    ledger = None
    for index, by_hand in enumerate([(), (), (0, 1, 3), ()]):
        record(path, by_hand=by_hand, index=index)
        ledger = ledger or Ledger(path, "w")
        ledger.append(LabelRecord(-1, f"ep_{index:06d}", FULL, 0))
    ledger.close()
    for where in (path, tmp_path / "demos"):
        promote(where, "human", ScoreScale.RUBRIC)
    return path


def follower(run: Path, work: Work) -> RunFollower:
    demos, kept = run.parent / "demos", PriorFeatures(run, SPEC)
    made = RunFollower(
        run,
        CONFIG,
        prior=lambda: prior_episodes(demos, work, kept=kept),
        correct=Corrector(lambda: work),
    )
    made.resume()
    return made


def state(made: RunFollower) -> bytes:
    """Everything of a learner that has come to rest."""
    while made.advance(SLICE):
        pass
    path = made.save()
    assert path is not None
    return path.read_bytes()


def test_no_call_does_more_than_a_piece_of_a_slice(run: Path, work: Work):
    made = follower(run, work)
    total: Counter[str] = Counter()
    most: Counter[str] = Counter()
    messages = set()
    before = 0
    while made.advance(SLICE):
        work.done["updated"] = made.grad_steps - before
        before = made.grad_steps
        assert sum(count > 0 for count in work.done.values()) <= 1, work.done
        total += work.done
        most |= work.done
        messages.add(made.status.message)
        work.done.clear()
    assert most == {"encoded": PIECE, "inverted": PIECE, "imitated": SLICE, "updated": SLICE}
    assert total == {
        "encoded": DEMONSTRATIONS * (DECISIONS + 1),
        "inverted": DEMONSTRATIONS * DECISIONS + 3,
        "imitated": 20 + 2,
        "updated": 3 + 3 * 4,
    }
    assert "taking in demonstrations: 2 so far" in messages


def test_a_learner_that_is_killed_behind_any_call_ends_like_one_that_is_not(run: Path, work: Work):
    def fresh(name: str) -> Path:
        return Path(shutil.copytree(run, run.parent / name))

    whole = follower(fresh("whole"), work)
    calls = begun = 0
    while whole.advance(SLICE):
        calls += 1
        begun += whole._learner is None  # it takes in demonstrations, and begins with them again
    expected = state(whole)
    assert calls > begun > 2
    for call in range(begun - 1, calls):
        place = fresh(f"killed_{call}")
        killed = follower(place, work)
        for _ in range(call):
            killed.advance(SLICE)
        killed.save()
        assert state(follower(place, work)) == expected, f"after call {call}"


def test_a_learner_killed_amid_its_demonstrations_encodes_none_twice(run: Path, work: Work):
    killed = follower(run, work)
    while work.done["inverted"] < DECISIONS + 1:
        killed.advance(SLICE)
    assert killed.save() is None, "it has seen no episode of its own"
    state(follower(run, work))
    assert work.done["encoded"] == DEMONSTRATIONS * (DECISIONS + 1)

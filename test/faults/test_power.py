# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The power goes after any sync: what was acknowledged is there, nothing is there by half."""

from collections.abc import Callable
from pathlib import Path

import pytest

from roboreward_ros.episodes.ledger import Ledger
from roboreward_ros.episodes.pictures import PICTURES, Fate, PictureBook
from roboreward_ros.episodes.promoted import promote, read_promoted
from roboreward_ros.episodes.run import open_run, read_run
from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.episodes.verify import verify_episode
from roboreward_ros.errors import StoreError
from roboreward_ros.session.memory import SessionMemory, load_memory, save_memory
from roboreward_ros.testing.conformance_episode_store import make_meta, record
from roboreward_ros.testing.power import PowerSupply, power
from roboreward_ros.types import (
    EndCause,
    IdleAccount,
    LabelRecord,
    Provenance,
    Score,
    ScoreKind,
    ScoreScale,
)

CONFIG = {"task": "t", "seed": 1}


@pytest.fixture
def cuts(tmp_path: Path) -> Callable[[PowerSupply, int], Path]:
    """The run as a cut after so many syncs leaves it."""

    def make(supply: PowerSupply, moment: int) -> Path:
        return supply.cut(moment, tmp_path / f"cut {moment}") / "run"

    return make


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    path = tmp_path / "disk"
    path.mkdir()
    return path


def test_a_committed_episode_survives_and_an_unfinished_one_is_absent(
    disk: Path, cuts: Callable[[PowerSupply, int], Path]
) -> None:
    with power(disk) as supply:
        open_run(disk / "run", CONFIG)
        store = EpisodeStore(disk / "run", "w")
        acknowledged = []
        for index in range(2):
            writer = store.create(make_meta(index))
            record(writer, steps=2)
            writer.commit(EndCause.TIME)
            acknowledged.append(supply.moments)
        store.discard("ep_000000", "bumped")
        marked = supply.moments
        store.close()
        for moment in sorted({*range(0, marked, 7), *acknowledged, marked}):
            run = cuts(supply, moment)
            there = EpisodeStore(run, "w") if run.is_dir() else None
            ids = list(there.ids()) if there else []
            whole = sum(moment >= bound for bound in acknowledged)
            assert ids[:whole] == ["ep_000000", "ep_000001"][:whole], moment
            assert [d for name in ids for d in verify_episode(run / "episodes" / name)] == []
            if there:
                there.close()
            if moment >= marked:
                assert EpisodeStore(run).open("ep_000000").summary.discarded


def test_a_label_that_was_acknowledged_survives(
    disk: Path, cuts: Callable[[PowerSupply, int], Path]
) -> None:
    with power(disk) as supply:
        open_run(disk / "run", CONFIG)
        ledger = Ledger(disk / "run", "w")
        bounds = []
        for index in range(3):
            score = Score(3.0, ScoreScale.RUBRIC, ScoreKind.NONE, Provenance("s"))
            ledger.append(LabelRecord(-1, f"ep_{index:06d}", score, index))
            bounds.append(supply.moments)
        ledger.close()
        for moment in range(supply.moments + 1):
            run = cuts(supply, moment)
            run.mkdir(parents=True, exist_ok=True)
            again = Ledger(run, "w")
            stamps = [r.stamp_ns for r in again.records()]
            assert stamps == list(range(len(stamps)))
            assert len(stamps) >= sum(moment >= bound for bound in bounds)
            again.append(LabelRecord(-1, "ep_000009", score, 9))
            again.close()


def test_small_files_are_old_or_new(disk: Path, cuts: Callable[[PowerSupply, int], Path]) -> None:
    with power(disk) as supply:
        run = disk / "run"
        bounds = []
        for step in range(2):
            open_run(run, {**CONFIG, "episodes": step})
            promote(run, ("human", "model")[step], ScoreScale.RUBRIC)
            save_memory(run, SessionMemory(f"task {step}", IdleAccount(), waits=False))
            bounds.append(supply.moments)
        for moment in range(supply.moments + 1):
            left = cuts(supply, moment)
            done = sum(moment >= bound for bound in bounds)
            try:
                episodes = read_run(left).config["episodes"]
            except StoreError:
                assert done == 0
                continue
            view, task = read_promoted(left), load_memory(left).task
            assert episodes in (0, 1)
            assert view is None or view.source in ("human", "model")
            if done:
                assert view is not None
                assert (episodes, view.source, task) >= (0, "human", "task 0")
            if done == len(bounds):
                assert view is not None
                assert (episodes, view.source, task) == (1, "model", "task 1")


def test_pictures_are_whole_or_their_removal_is_on_disk(
    disk: Path, cuts: Callable[[PowerSupply, int], Path]
) -> None:
    open_run(disk / "run", CONFIG)
    store = EpisodeStore(disk / "run", "w")
    for index in range(2):
        writer = store.create(make_meta(index))
        record(writer, steps=2)
        writer.commit(EndCause.TIME)
    store.close()
    with power(disk) as supply:
        begun = supply.moments
        book = PictureBook(disk / "run")
        book.add("ep_000001", Fate.EXPORTED, "elsewhere")
        exported = supply.moments
        book.remove("ep_000000", "the budget", 100)
        removed = supply.moments
        for moment in range(begun, removed + 1):
            run = cuts(supply, moment)
            left = PictureBook(run)
            noted = left.removed("ep_000000") is not None
            there = (run / "episodes" / "ep_000000" / PICTURES).exists()
            assert there or noted, "no picture goes without a note"
            assert [d for e in ("ep_000000", "ep_000001")[not there:]
                    for d in verify_episode(run / "episodes" / e)] == []  # fmt: skip
            assert moment < removed or (noted and not there)
            assert moment < exported or left.note("ep_000001", Fate.EXPORTED) is not None
            left.finish(["ep_000000", "ep_000001"])
            assert (run / "episodes" / "ep_000000" / PICTURES).exists() != noted
            assert (run / "episodes" / "ep_000001" / PICTURES).exists()
            assert list(EpisodeStore(run).ids()) == ["ep_000000", "ep_000001"]


def test_the_cut_drops_what_was_not_synced(disk: Path, tmp_path: Path) -> None:
    with power(disk) as supply:
        (disk / "lost").write_text("never synced")
        before = supply.moments
        assert list(supply.cut(before, tmp_path / "cut").iterdir()) == []

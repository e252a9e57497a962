# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A process dies between any two changes of the disk, also while it resumes from a death."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from roboreward_ros.episodes.ledger import OPERATOR, Ledger, ledger_path
from roboreward_ros.episodes.locks import WriterLock
from roboreward_ros.episodes.promoted import promote, read_promoted
from roboreward_ros.episodes.run import open_run, read_run
from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.episodes.verify import verify_run
from roboreward_ros.testing.conformance_episode_store import make_meta, record
from roboreward_ros.testing.faults import CrashError, death_after
from roboreward_ros.types import EndCause, LabelRecord, Provenance, Score, ScoreKind, ScoreScale


def label(index: int) -> LabelRecord:
    score = Score(3.0, ScoreScale.RUBRIC, ScoreKind.NONE, Provenance("s"))
    return LabelRecord(-1, f"ep_{index:06d}", score, index)


@pytest.fixture(scope="module")
def dead(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a run looks like that died while it recorded, wrote a label and swapped a source."""
    run = tmp_path_factory.mktemp("dead") / "run"
    open_run(run, {"task": "t", "episodes": 1})
    store = EpisodeStore(run, "w")
    for index in range(2):
        writer = store.create(make_meta(index))
        record(writer, steps=2)
        if index == 0:
            writer.commit(EndCause.TIME)
    store.close()
    for name in ("ledger", OPERATOR):
        ledger = Ledger(run, "w", name)
        ledger.append(label(0))
        ledger.close()
        with ledger_path(run, name).open("ab") as file:
            file.write(b'{"crc32":"0000')
    promote(run, "human", ScoreScale.RUBRIC)
    return run


def resume(run: Path) -> None:
    """What the nodes of a launch do before anything moves, and their first writes."""
    open_run(run, {"task": "t", "episodes": 2})
    store = EpisodeStore(run, "w")
    scores, keys = Ledger(run, "w"), Ledger(run, "w", OPERATOR)
    promote(run, "model", ScoreScale.RUBRIC)
    scores.append(label(1))
    store.discard("ep_000000", "bumped")
    for part in (store, scores, keys):
        part.close()


@pytest.fixture
def dies(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path, int], bool]:
    """Resume a run and die after so many changes of the disk; whether it came to that."""
    locks: list[WriterLock] = []
    take = WriterLock.__init__

    def noted(lock: WriterLock, path: Path, what: str) -> None:
        take(lock, path, what)
        locks.append(lock)

    monkeypatch.setattr(WriterLock, "__init__", noted)

    def run_and_die(run: Path, changes: int) -> bool:
        try:
            with death_after(changes, run):
                resume(run)
        except CrashError:
            for lock in locks:  # the kernel does it for a dead process
                lock.release()
            return True
        return False

    return run_and_die


def test_a_death_at_any_point_of_a_resume_costs_nothing(
    dead: Path, tmp_path: Path, dies: Callable[[Path, int], bool]
) -> None:
    changes, died = 0, True
    while died:
        run = Path(shutil.copytree(dead, tmp_path / str(changes)))
        died = dies(run, changes)
        if died:
            dies(run, changes // 2)  # and again, on the way back
            resume(run)
        assert verify_run(run) == []
        store = EpisodeStore(run)
        assert list(store.ids()) == ["ep_000000"]
        assert store.open("ep_000000").summary.discarded
        assert len(list((store.root / ".interrupted").iterdir())) == 1
        assert read_run(run).config["episodes"] == 2
        promoted = read_promoted(run)
        assert promoted is not None
        assert promoted.source == "model"
        stamps = [record.stamp_ns for record in Ledger(run).records()]
        assert stamps[0] == 0
        assert set(stamps[1:]) == {1}
        shutil.rmtree(run)
        changes += 1
    assert changes > 12, "the resume is not what it was: few changes were counted"

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A death at every change of the disk in three hard moments: a swap, a late label, a migration."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from toy_run import CONFIG, ToyRun, work

from roboreward_ros.dsrl import resume
from roboreward_ros.dsrl.follow import RunFollower
from roboreward_ros.episodes.ledger import SCORES, Ledger
from roboreward_ros.episodes.locks import WriterLock
from roboreward_ros.episodes.promoted import Asked, asked_last, promote, read_changes, read_promoted
from roboreward_ros.episodes.scoring import Scorebook
from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.episodes.verify import verify_run
from roboreward_ros.episodes.views import RewardView
from roboreward_ros.testing.conformance_episode_store import make_meta, record
from roboreward_ros.testing.faults import CrashError, death_after
from roboreward_ros.types import EndCause, Provenance, Score, ScoreKind, ScoreScale

Deaths = Callable[[Callable[[Path], object], Path, int], bool]
RUBRIC = ScoreScale.RUBRIC
SWAP = Asked("model", '{"error": 0.1}', "launch 1")


def swap(run: Path) -> None:
    promote(run, "model", RUBRIC, "swap", 5, SWAP)


def score(source: str) -> Score:
    return Score(4.0, RUBRIC, ScoreKind.NONE, Provenance(source))


@pytest.fixture
def deaths(
    monkeypatch: pytest.MonkeyPatch,
) -> Deaths:
    """Do something and die before so many changes; whether it came to that."""
    locks: list[WriterLock] = []
    take = WriterLock.__init__

    def noted(lock: WriterLock, path: Path, what: str) -> None:
        take(lock, path, what)
        locks.append(lock)

    monkeypatch.setattr(WriterLock, "__init__", noted)

    def dies(work: Callable[[Path], object], root: Path, changes: int) -> bool:
        locks.clear()
        try:
            with death_after(changes, root):
                work(root)
        except CrashError:
            for lock in locks:  # the kernel does it for a dead process
                lock.release()
            return True
        return False

    return dies


def copies(sound: Path, root: Path) -> Iterator[tuple[int, Path]]:
    for changes in range(200):
        yield changes, Path(shutil.copytree(sound, root / f"after {changes}"))
    pytest.fail("it never comes to its end")


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Two episodes; the source in force has scored the first."""
    path = tmp_path / "run"
    store = EpisodeStore(path, "w")
    for index in range(2):
        writer = store.create(make_meta(index))
        record(writer, steps=2)
        writer.commit(EndCause.TIME)
    store.close()
    promote(path, "old", RUBRIC, "start")
    ledger = Ledger(path, "w")
    ledger.close()
    book = Scorebook(path, lambda record: None)
    book.promote("old", RUBRIC)
    book.add("ep_000000", score("old"))
    book._ledger.close()
    return path


def test_a_swap_that_dies_happened_or_did_not(run: Path, tmp_path: Path, deaths: Deaths) -> None:
    seen = set()
    for changes, left in copies(run, tmp_path):
        died = deaths(swap, left, changes)
        view = read_promoted(left)
        assert view is not None
        swapped = view.source == "model"
        seen.add((died, swapped))
        # The history and the request belong to the view: all three changed, or none did.
        assert [c.source for c in read_changes(left)] == ["old"] + ["model"] * swapped
        assert asked_last(left, "launch 1") == (SWAP if swapped else None)
        # What the old source said holds on as long as the new one has not spoken.
        labels = RewardView.of_run(left, view)
        assert labels.label("ep_000000") == score("old")
        # Asked for again after the restart, it is there once.
        swap(left)
        assert [c.source for c in read_changes(left)] == ["old", "model"]
        if not died:
            break
    assert seen >= {(True, False), (False, True)}


def test_a_label_that_comes_after_a_crash_is_there_once(
    run: Path, tmp_path: Path, deaths: Deaths
) -> None:
    def restart(path: Path) -> None:
        """A reward node's start: what the source in force has not answered is scored."""
        book = Scorebook(path, lambda record: None)
        book.promote("old", RUBRIC)
        for episode_id in book.unanswered("old"):
            book.add(episode_id, score("old"))
        book._ledger.close()

    for changes, left in copies(run, tmp_path):
        died = deaths(restart, left, changes)
        if died:
            deaths(restart, left, changes // 2)  # and once more on the way back
            restart(left)
        told = [r.episode_id for r in Ledger(left, "r", SCORES).records()]
        assert told == ["ep_000000", "ep_000001"]
        view = RewardView.of_run(left, read_promoted(left))
        assert view.label("ep_000001") == score("old")
        assert verify_run(left) == [] or not (left / "run.json").exists()
        if not died:
            break
    assert changes > 1, "nothing was written"


def test_a_migration_that_dies_loses_nothing_and_ends_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, deaths: Deaths
) -> None:
    """An older learner's checkpoint is put aside whole, and the stores are learnt anew."""
    made = ToyRun(tmp_path / "older")
    for index in range(2):
        made.score(made.commit(index))
    follower = RunFollower(made.path, CONFIG)
    before = work(follower).metrics
    follower.save()
    made.close()
    old = follower.checkpoint.read_bytes()
    aside = f"learner_format{resume.LEARNER_FORMAT}.safetensors"
    monkeypatch.setattr(resume, "LEARNER_FORMAT", 99)

    def migrate(path: Path) -> RunFollower:
        successor = RunFollower(path, CONFIG)
        successor.resume()
        work(successor)
        successor.save()
        return successor

    for changes, left in copies(made.path, tmp_path / "dead"):
        died = deaths(migrate, left, changes)
        folder = left / "checkpoints"
        kept = [p.read_bytes() for p in folder.iterdir() if p.name == aside]
        assert kept == [old] or (folder / "learner.safetensors").read_bytes() == old
        if died and changes % 3:
            continue
        # The successor writes the format that is now: what it finds there is its own.
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(resume, "checkpoint_format", real_format(old))
            again = RunFollower(left, CONFIG)
            again.resume()
            assert work(again).metrics == before
        assert (folder / aside).read_bytes() == old
        if not died:
            break
    assert changes > 2, "the migration is not what it was"


def real_format(old: bytes) -> Callable[[Path], int]:
    """The old file's format is the older one; any other file is of the format that is now."""
    return lambda path: 3 if path.read_bytes() == old else 99

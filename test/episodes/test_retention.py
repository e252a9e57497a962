# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A disk budget takes pictures that nobody needs, oldest first, and nothing else."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from roboreward_ros.episodes.labels import key_record
from roboreward_ros.episodes.ledger import OPERATOR, Ledger
from roboreward_ros.episodes.pictures import Fate, PictureBook
from roboreward_ros.episodes.promoted import promote
from roboreward_ros.episodes.retention import (
    Need,
    PrunePlan,
    Retention,
    RetentionConfig,
    disk_bytes,
    parse_size,
)
from roboreward_ros.episodes.scoring import Scorebook
from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.episodes.verify import verify_run
from roboreward_ros.errors import ConfigError, PicturesGoneError
from roboreward_ros.testing.conformance_episode_store import make_meta, record
from roboreward_ros.testing.faults import CrashError, death_after
from roboreward_ros.types import (
    EndCause,
    LabelRecord,
    Provenance,
    RewardFailure,
    Score,
    ScoreKind,
    ScoreScale,
)

COUNT = 5
IDS = [f"ep_{index:06d}" for index in range(COUNT)]
TIGHT = RetentionConfig(budget_bytes=1, keep_newest=0)


def score(episode_id: str) -> LabelRecord:
    outcome = Score(3.0, ScoreScale.RUBRIC, ScoreKind.NONE, Provenance("s"))
    return LabelRecord(-1, episode_id, outcome, 1)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("made") / "run"
    store = EpisodeStore(run, "w")
    for index in range(COUNT):
        writer = store.create(make_meta(index))
        record(writer, steps=5)
        writer.commit(EndCause.TIME)
    store.close()
    promote(run, "s", ScoreScale.RUBRIC)
    ledger = Ledger(run, "w")
    for name in IDS:
        ledger.append(score(name))
    ledger.close()
    return run


@pytest.fixture
def store(made: Path, tmp_path: Path) -> EpisodeStore:
    return EpisodeStore(shutil.copytree(made, tmp_path / "run"))


def retention(
    store: EpisodeStore, config: RetentionConfig = TIGHT, learned: Sequence[str] = IDS
) -> Retention:
    return Retention(store, config, lambda: learned)


def names(plan: PrunePlan) -> list[str]:
    return [it.episode_id for it in plan.remove]


def test_nothing_goes_without_a_budget_or_within_it(store: EpisodeStore) -> None:
    for budget in (0, 10**9):
        plan = retention(store, RetentionConfig(budget)).plan()
        assert (plan.remove, plan.short_by, plan.problem) == ((), 0, "")
        assert plan.total == pytest.approx(disk_bytes(store.run_dir), rel=0.02)


def test_the_oldest_go_until_the_budget_is_met(store: EpisodeStore) -> None:
    keeper = retention(store)
    total = keeper.total()
    size = keeper.candidates()[0].size
    assert size > 0
    plan = retention(store, RetentionConfig(total - size - 1, keep_newest=0)).plan()
    assert names(plan) == IDS[:2]
    assert plan.problem == ""


def test_what_went_is_only_the_pictures(store: EpisodeStore) -> None:
    before = store.open(IDS[0])
    chunks, header = before.chunks(), (before.folder / "meta.json").read_bytes()
    keeper = retention(store)
    total, plan = keeper.total(), keeper.plan()
    assert names(plan) == IDS
    assert keeper.carry_out(plan) == plan.freed
    # A note a removal takes some bytes itself.
    assert keeper.total() == pytest.approx(total - plan.freed, abs=3 * 4096)
    after = EpisodeStore(store.run_dir).open(IDS[0])
    with pytest.raises(PicturesGoneError, match=r"pictures of ep_000000 were removed .* budget"):
        after.frames()
    assert (after.folder / "meta.json").read_bytes() == header
    assert [c.noise.tobytes() for c in after.chunks()] == [c.noise.tobytes() for c in chunks]
    assert len(after.stamps_ns()) == len(after.proprio()) == 6
    assert [d for d in verify_run(store.run_dir) if not d.where.startswith("run.json")] == []
    assert names(keeper.plan()) == []
    assert "none has pictures left" in keeper.plan().problem


def test_pictures_that_vanish_without_a_note_are_a_damage(store: EpisodeStore) -> None:
    shutil.rmtree(store.root / IDS[1] / "frames")
    assert any("frames" in d.where for d in verify_run(store.run_dir))
    with pytest.raises(Exception, match="frames") as caught:
        store.open(IDS[1]).frames()
    assert not isinstance(caught.value, PicturesGoneError)


def unscored(store: EpisodeStore) -> list[str]:
    path = store.run_dir / "ledger" / "ledger.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:1]))
    ledger = Ledger(store.run_dir, "w")
    ledger.append(LabelRecord(-1, IDS[0], RewardFailure("away", Provenance("s")), 1))
    for name in IDS[2:]:
        ledger.append(score(name))
    ledger.close()
    return IDS


def pressed(store: EpisodeStore) -> list[str]:
    ledger = Ledger(store.run_dir, "w", OPERATOR)
    for name in IDS[:2]:
        ledger.append(key_record("s", name, 5, "anna"))
    ledger.close()
    return IDS


def unlearned(store: EpisodeStore) -> list[str]:
    del store
    return IDS[2:]


@pytest.mark.parametrize(
    ("prepare", "why"),
    [
        (unscored, "wait for their score"),
        (pressed, "have a person's word"),
        (unlearned, "were not learned from"),
    ],
)
def test_what_somebody_needs_stays_and_the_budget_says_so(
    store: EpisodeStore, prepare: Callable[[EpisodeStore], list[str]], why: str
) -> None:
    plan = retention(store, learned=prepare(store)).plan()
    assert names(plan) == IDS[2:]
    assert plan.kept == {why: 2}
    assert plan.short_by > 0
    assert f"2 {why}" in plan.problem


def test_the_newest_stay(store: EpisodeStore) -> None:
    plan = retention(store, RetentionConfig(1, keep_newest=2)).plan()
    assert names(plan) == IDS[:3]
    assert plan.kept == {"are among the newest": 2}
    assert names(retention(store, RetentionConfig(1, keep_newest=99)).plan()) == []


def test_a_discarded_episode_waits_for_nobody(store: EpisodeStore) -> None:
    unscored(store)
    store.discard(IDS[0])
    assert names(retention(store).plan()) == [IDS[0], *IDS[2:]]


@pytest.mark.parametrize(
    ("need", "gone"),
    [
        (Need.LEARNED, IDS[1:]),
        (Need.EXPORTED, IDS[:2]),
        (Need.BOTH, IDS[1:2]),
    ],
)
def test_what_must_have_happened_can_be_chosen(
    store: EpisodeStore, need: Need, gone: list[str]
) -> None:
    book = PictureBook(store.run_dir)
    for name in IDS[:2]:
        book.add(name, Fate.EXPORTED, "lerobot to /elsewhere")
    config = RetentionConfig(1, keep_newest=0, need=need)
    assert names(retention(store, config, IDS[1:]).plan()) == gone


def test_force_asks_only_the_newest_and_people(store: EpisodeStore) -> None:
    unscored(store)
    ledger = Ledger(store.run_dir, "w", OPERATOR)
    ledger.append(key_record("f", IDS[1], 5, "anna"))
    ledger.close()
    plan = retention(store, RetentionConfig(1, keep_newest=1), []).plan(force=True)
    assert names(plan) == [IDS[0], *IDS[2:-1]]


def test_nobody_asks_a_source_about_pictures_that_are_gone(store: EpisodeStore) -> None:
    PictureBook(store.run_dir).remove(IDS[1], "budget", 1)
    book = Scorebook(store.run_dir, lambda _: None)
    book.promote("another", ScoreScale.RUBRIC)
    assert book.unanswered("another") == [IDS[0], *IDS[2:]]
    book.close()


def test_a_death_at_any_change_of_the_disk_is_made_good(made: Path, tmp_path: Path) -> None:
    two = shutil.copytree(made, tmp_path / "two", ignore=shutil.ignore_patterns(*IDS[2:]))
    changes, died = -1, True
    while died:
        changes += 1
        run = Path(shutil.copytree(two, tmp_path / f"run{changes}"))
        keeper = retention(EpisodeStore(run))
        plan = keeper.plan()
        try:
            with death_after(changes, run):
                keeper.carry_out(plan)
            died = False
        except CrashError:
            died = True
        book = PictureBook(run)
        for name in IDS[:2]:  # readers, before anybody repairs anything
            if (run / "episodes" / name / "frames").exists():
                assert len(EpisodeStore(run).open(name).frames()) == 6
            else:
                assert book.removed(name) is not None
        again = retention(EpisodeStore(run))
        again.finish()
        again.carry_out(again.plan())
        assert not any((run / "episodes" / name / "frames").exists() for name in IDS[:2])
        assert not (run / "episodes" / ".going").exists()
        assert [d for d in verify_run(run) if not d.where.startswith("run.json")] == []
        shutil.rmtree(run)
    assert changes > 10


def test_a_full_disk_removes_nothing_that_is_not_noted(
    store: EpisodeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    keeper = retention(store)
    plan = keeper.plan()
    monkeypatch.setattr("os.write", full)
    with pytest.raises(Exception, match="No space left"):
        keeper.carry_out(plan)
    monkeypatch.undo()
    assert all(len(store.open(name).frames()) == 6 for name in IDS)


@pytest.mark.parametrize(
    ("text", "size"), [("20G", 20 * 10**9), ("500 MB", 5 * 10**8), ("1.5t", 1500 * 10**9), ("7", 7)]
)
def test_sizes_are_read(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "G", "-1G", "20 bananas", "1,5G"])
def test_no_size_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="no size"):
        parse_size(text)
    with pytest.raises(ConfigError, match="newest"):
        RetentionConfig(keep_newest=-1)

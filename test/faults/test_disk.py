# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A disk that is full, read-only or broken: named, nothing half done, and it goes on afterwards."""

import errno
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from roboreward_ros.dsrl.actor import SteeringActor
from roboreward_ros.dsrl.actor_files import ActorFiles
from roboreward_ros.episodes.ledger import Ledger, ledger_path
from roboreward_ros.episodes.promoted import promote, read_promoted
from roboreward_ros.episodes.run import open_run, read_run
from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.episodes.verify import verify_run
from roboreward_ros.errors import FormatError, StoreError
from roboreward_ros.session.memory import SessionMemory, load_memory, save_memory
from roboreward_ros.testing.conformance_episode_store import make_meta, record
from roboreward_ros.testing.faults import failing_disk, rot, slow_disk
from roboreward_ros.types import (
    EndCause,
    IdleAccount,
    LabelRecord,
    Provenance,
    Score,
    ScoreKind,
    ScoreScale,
)


def label(index: int) -> LabelRecord:
    score = Score(3.0, ScoreScale.RUBRIC, ScoreKind.NONE, Provenance("s"))
    return LabelRecord(-1, f"ep_{index:06d}", score, index)


def memory(task: str) -> SessionMemory:
    return SessionMemory(task, IdleAccount(), waits=False)


@dataclass
class Writers:
    """Everything that writes into a run, open."""

    run: Path
    store: EpisodeStore
    ledger: Ledger

    def close(self) -> None:
        self.store.close()
        self.ledger.close()


@pytest.fixture
def writers(tmp_path: Path) -> Writers:
    run = tmp_path / "run"
    open_run(run, {"task": "t", "episodes": 1})
    promote(run, "human", ScoreScale.RUBRIC)
    save_memory(run, memory("first"))
    made = Writers(run, EpisodeStore(run, "w"), Ledger(run, "w"))
    made.ledger.append(label(0))
    yield made
    made.close()


def commit(writers: Writers) -> None:
    writer = writers.store.create(make_meta(0))
    try:
        record(writer, steps=2)
        writer.commit(EndCause.TIME)
    except BaseException:
        writer.abort()  # as the recorder does
        raise


def resume(writers: Writers) -> None:
    open_run(writers.run, {"task": "t", "episodes": 2})


def swap(writers: Writers) -> None:
    promote(writers.run, "model", ScoreScale.RUBRIC)


def remember(writers: Writers) -> None:
    save_memory(writers.run, memory("second"))


def score(writers: Writers) -> None:
    writers.ledger.append(label(1))


def steer(writers: Writers) -> None:
    actor = SteeringActor.prior("policy", 4)
    ActorFiles(writers.run).write(actor, 0)


def state(run: Path) -> tuple[object, ...]:
    """What a reader finds."""
    promoted = read_promoted(run)
    return (
        list(EpisodeStore(run).ids()),
        [record.stamp_ns for record in Ledger(run).records()],
        read_run(run).config["episodes"],
        promoted.source if promoted else "",
        load_memory(run).task,
        sorted(path.name for path in (run / "policies").iterdir()),
    )


@pytest.mark.parametrize("work", [commit, resume, swap, remember, score, steer])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EIO])
def test_a_disk_that_fails_is_named_changes_nothing_and_is_got_over(
    writers: Writers, work: Callable[[Writers], None], number: int
) -> None:
    before = state(writers.run)
    with (
        failing_disk(number, writers.run),
        pytest.raises((StoreError, OSError), match=os.strerror(number)),
    ):
        work(writers)
    assert state(writers.run) == before
    work(writers)
    assert state(writers.run) != before
    assert verify_run(writers.run) == []


def test_a_disk_may_be_slow_and_full_at_once_and_is_well_again(writers: Writers) -> None:
    with (
        slow_disk(0.02, writers.run),
        failing_disk(errno.ENOSPC, writers.run),
        pytest.raises((StoreError, OSError), match=os.strerror(errno.ENOSPC)),
    ):
        score(writers)
    with slow_disk(0.02, writers.run):
        score(writers)
    commit(writers)
    assert verify_run(writers.run) == []


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS])
def test_a_run_on_a_disk_that_fails_is_refused_with_what_to_do(
    writers: Writers, number: int
) -> None:
    writers.close()
    with (
        failing_disk(number, writers.run),
        pytest.raises(StoreError, match="free space, or choose another run_dir"),
    ):
        EpisodeStore(writers.run, "w")
    EpisodeStore(writers.run, "w").close()


@pytest.mark.parametrize("name", ["run.json", "ledger/ledger.jsonl", "ledger/promoted.json"])
def test_rot_in_a_small_file_is_found_where_it_is(writers: Writers, name: str) -> None:
    writers.close()
    rot(writers.run / name, 0.0)
    readers = {
        "run.json": lambda: read_run(writers.run),
        "ledger/ledger.jsonl": lambda: Ledger(writers.run),
        "ledger/promoted.json": lambda: read_promoted(writers.run),
    }
    with pytest.raises(FormatError, match=Path(name).name):
        readers[name]()


def test_rot_in_a_label_is_named_by_its_line_and_the_labels_before_it_can_be_kept(
    writers: Writers,
) -> None:
    writers.ledger.append(label(1))
    writers.close()
    path = ledger_path(writers.run)
    rot(path, 0.95)
    with pytest.raises(FormatError, match=r"line 3 is damaged.*head -n 2"):
        Ledger(writers.run, "w")
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:2]))
    with_what_is_left = Ledger(writers.run, "w")
    assert [r.stamp_ns for r in with_what_is_left.records()] == [0]
    with_what_is_left.close()


def test_rot_in_an_array_is_found_by_verify(writers: Writers) -> None:
    commit(writers)
    files = sorted((writers.run / "episodes" / "ep_000000").rglob("*"))
    rot(max((f for f in files if f.is_file()), key=lambda f: f.stat().st_size))
    assert [damage.where.split("/")[1] for damage in verify_run(writers.run)] == ["ep_000000"]

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
import dataclasses
import json
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import zarr

from roboreward_ros.episodes import writer as writer_module
from roboreward_ros.episodes.journal import Kind, read_journal
from roboreward_ros.episodes.store import EpisodeStore, open_uri
from roboreward_ros.episodes.verify import verify_run
from roboreward_ros.errors import ConfigError, FormatError, StoreError
from roboreward_ros.testing.conformance_episode_store import (
    EpisodeStoreConformance,
    make_chunk,
    make_meta,
    make_report,
    record,
)
from roboreward_ros.types import EndCause

WRITER = Path(__file__).with_name("endless_writer.py")


class TestConformance(EpisodeStoreConformance):
    @pytest.fixture
    def store(self, run_dir):
        store = EpisodeStore(run_dir, "w")
        yield store
        store.close()


def test_any_zarr_reader_opens_an_episode(stored_run):
    group = zarr.open_group(stored_run / "episodes" / "ep_000001", mode="r")
    assert group.attrs["format"] == 1
    episode = EpisodeStore(stored_run).open("ep_000001")
    for name in ("action_raw", "flags", "chunks/noise", "frames/offsets", "chunks/steered"):
        np.testing.assert_array_equal(group[name][:], episode.array(name))
    np.testing.assert_array_equal(group["truth/score"][:], [t.score for t in episode.truth()])
    assert group["target_pose"].shape == (5, 4, 4)


def test_ground_truth_has_one_door(stored_run):
    with pytest.raises(PermissionError, match=r"truth\(\)"):
        EpisodeStore(stored_run).open("ep_000000").array("truth/score")


def test_a_uri_is_a_claim_check(run_dir):
    store = EpisodeStore(run_dir, "w")
    writer = store.create(make_meta(3))
    record(writer)
    uri = writer.commit(EndCause.TIME)
    assert open_uri(uri).summary.meta == make_meta(3)
    for wrong in ("http://host/episodes/ep_000003", uri + "9", "ep_000003"):
        with pytest.raises(StoreError, match="uri"):
            open_uri(wrong)


def test_readers_see_what_a_writer_adds_later(stored_run):
    reader = EpisodeStore(stored_run)
    assert len(reader) == 3
    store = EpisodeStore(stored_run, "w")
    writer = store.create(make_meta(3))
    record(writer)
    assert len(reader) == 3
    writer.commit(EndCause.TIME)
    assert reader.ids()[-1] == "ep_000003"


def test_a_second_writer_is_refused_by_pid(run_dir):
    first = EpisodeStore(run_dir, "w")
    with pytest.raises(StoreError, match=f"pid {os.getpid()}"):
        EpisodeStore(run_dir, "w")
    first.close()
    EpisodeStore(run_dir, "w").close()


def test_a_reader_cannot_create(stored_run):
    with pytest.raises(StoreError, match="reading"):
        EpisodeStore(stored_run).create(make_meta(9))


def test_a_reader_needs_a_run(tmp_path):
    with pytest.raises(StoreError, match="no such run"):
        EpisodeStore(tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["../evil", ".hidden", "", "a/b", "a" * 200])
def test_an_id_cannot_leave_the_store(run_dir, name):
    store = EpisodeStore(run_dir, "w")
    with pytest.raises(ConfigError, match="folder"):
        store.create(make_meta(episode_id=name))


def test_a_discard_is_a_mark_and_can_be_taken_back(stored_run):
    reader = EpisodeStore(stored_run)
    before = (stored_run / "episodes/ep_000001/meta.json").read_bytes()
    EpisodeStore(stored_run).discard("ep_000001", "camera moved", "ann")
    assert [e.summary.discarded for e in reader] == [False, True, False]
    assert reader.marks.last("ep_000001").reason == "camera moved"
    EpisodeStore(stored_run).restore("ep_000001")
    assert not reader.open("ep_000001").summary.discarded
    assert (stored_run / "episodes/ep_000001/meta.json").read_bytes() == before
    with pytest.raises(StoreError, match="no such episode"):
        reader.discard("ep_000009")


def test_a_newer_format_is_refused_by_name(stored_run):
    meta = stored_run / "episodes/ep_000001/meta.json"
    values = json.loads(meta.read_text())
    meta.write_text(json.dumps(values | {"format": 2}))
    store = EpisodeStore(stored_run)
    assert len(store) == 3
    with pytest.raises(FormatError, match=r"ep_000001.*newer.*format 2"):
        store.open("ep_000001")
    assert store.open("ep_000002").summary.n_steps == 5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"index": 5}, "out of order"),
        ({"index": 1, "step": 0}, "out of order"),
        ({"index": 1, "step": 4, "features": np.zeros(3, np.float32)}, "other sizes"),
    ],
)
def test_a_decision_that_does_not_fit_is_refused(run_dir, change, message):
    writer = EpisodeStore(run_dir, "w").create(make_meta())
    writer.add_chunk(make_chunk(0, 0))
    with pytest.raises(ConfigError, match=message):
        writer.add_chunk(dataclasses.replace(make_chunk(1, 4), **change))


def test_an_image_that_is_no_jpeg_is_refused(run_dir):
    writer = EpisodeStore(run_dir, "w").create(make_meta())
    with pytest.raises(ConfigError, match="JPEG"):
        writer.add_observation(0, 0, b"PNG", np.zeros(7), np.zeros(6))


def test_a_full_disk_at_commit_loses_nothing(run_dir, monkeypatch):
    store = EpisodeStore(run_dir, "w")
    writer = store.create(make_meta())
    record(writer)

    def full(*args):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(writer_module, "write_arrays", full)
        with pytest.raises(StoreError, match="No space left"):
            writer.commit(EndCause.TIME)
    assert store.ids() == []
    writer.commit(EndCause.TIME)
    assert store.open("ep_000000").summary.n_steps == 10
    assert verify_run(run_dir) in ([], [d for d in verify_run(run_dir) if d.where == "run.json"])


@pytest.mark.parametrize("stage", ["write_arrays", "encode_header", "sync_directory"])
def test_a_crash_inside_commit_leaves_the_episode_whole_or_absent(run_dir, monkeypatch, stage):
    class Crash(BaseException):
        """Nothing of the package may clean up after it."""

    def crash(*args):
        raise Crash

    store = EpisodeStore(run_dir, "w")
    writer = store.create(make_meta())
    record(writer)
    with monkeypatch.context() as patch:
        patch.setattr(writer_module, stage, crash)
        with pytest.raises(Crash):
            writer.commit(EndCause.TIME)
    store.close()
    visible = stage == "sync_directory"  # the rename had happened
    assert EpisodeStore(run_dir).ids() == (["ep_000000"] if visible else [])
    again = EpisodeStore(run_dir, "w")
    assert list((run_dir / "episodes/.journal").iterdir()) == []
    assert (run_dir / "episodes/.interrupted").exists() is not visible
    assert [d for d in verify_run(run_dir) if d.where != "run.json"] == []
    assert again.ids() == (["ep_000000"] if visible else [])


def test_everything_is_durable_before_the_episode_is_visible(run_dir, monkeypatch):
    store = EpisodeStore(run_dir, "w")
    writer = store.create(make_meta())
    record(writer)
    synced = set()
    target = run_dir / "episodes/ep_000000"
    sync = os.fsync

    def watch(fd):
        synced.add((os.fstat(fd).st_ino, target.exists()))
        sync(fd)

    monkeypatch.setattr(os, "fsync", watch)
    writer.commit(EndCause.TIME)
    paths = [target, *target.rglob("*")]
    assert len(paths) > 70
    assert [p for p in paths if (p.stat().st_ino, False) not in synced] == []
    assert (target.parent.stat().st_ino, True) in synced


def test_a_full_disk_while_recording_drops_only_this_episode(run_dir, monkeypatch):
    store = EpisodeStore(run_dir, "w")
    writer = store.create(make_meta())
    record(writer, steps=3)

    def full(fd, parts):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "writev", full)
        with pytest.raises(StoreError, match="No space left"):
            writer.add_step(3, make_report(3))
    with pytest.raises(StoreError, match="broken"):
        writer.add_step(3, make_report(3))
    writer.abort()
    again = store.create(make_meta())
    record(again)
    again.commit(EndCause.TIME)


def test_interrupted_journals_do_not_pile_up_and_what_goes_is_named(run_dir, caplog):
    for _ in range(12):
        store = EpisodeStore(run_dir, "w")
        store.create(make_meta())
        store.close()
    EpisodeStore(run_dir, "w").close()
    kept = {str(path) for path in (run_dir / "episodes/.interrupted").iterdir()}
    put_aside = {str(record.args[2]) for record in caplog.records if len(record.args) == 3}
    removed = {str(record.args[0]) for record in caplog.records if len(record.args) == 2}
    assert len(kept) == 8
    assert len(put_aside) == 12
    assert removed == put_aside - kept


def test_a_torn_journal_reads_up_to_the_tear(run_dir):
    store = EpisodeStore(run_dir, "w")
    writer = store.create(make_meta())
    record(writer, steps=6)
    journal = run_dir / "episodes/.journal/ep_000000/journal"
    data = journal.read_bytes()
    whole = len(list(read_journal(journal)))
    for cut in range(1, len(data), 97):
        journal.write_bytes(data[:-cut])
        assert len(list(read_journal(journal))) < whole
    for at in range(8, len(data), 131):
        flipped = bytearray(data)
        flipped[at] ^= 0x10
        journal.write_bytes(flipped)
        assert len(list(read_journal(journal))) < whole


def test_an_interrupted_episode_is_put_aside_and_its_id_is_free(run_dir, caplog):
    store = EpisodeStore(run_dir, "w")
    record(store.create(make_meta()), steps=4)
    store.close()
    with caplog.at_level(logging.WARNING):
        again = EpisodeStore(run_dir, "w")
    assert "ep_000000 was interrupted (4 steps)" in caplog.text
    assert again.ids() == []
    (kept,) = (run_dir / "episodes/.interrupted").iterdir()
    assert [r.kind for r in read_journal(kept)].count(Kind.STEP) == 4
    writer = again.create(make_meta())
    record(writer)
    writer.commit(EndCause.TIME)


def test_a_journal_left_behind_after_the_rename_is_removed(stored_run):
    leftover = stored_run / "episodes/.journal/ep_000001"
    leftover.mkdir()
    (leftover / "journal").write_bytes(b"")
    store = EpisodeStore(stored_run, "w")
    assert not leftover.exists()
    assert len(store) == 3
    assert not (stored_run / "episodes/.interrupted").exists()


def test_a_killed_writer_leaves_every_episode_whole_or_absent(run_dir):
    """Kills a process that records and commits without a pause, each time at another byte."""
    rng = np.random.default_rng(0)
    acknowledged = -1
    words = [sys.executable, str(WRITER), str(run_dir)]
    pipe = subprocess.PIPE
    with subprocess.Popen(words, stdin=pipe, stdout=pipe, text=True) as process:

        def said() -> str:
            nonlocal acknowledged
            name, _, number = process.stdout.readline().partition(" ")
            assert name, "the writer is gone"
            if name == "committed":
                acknowledged = int(number)
            return f"{name} {number}"

        for _ in range(6):
            process.stdin.write("again\n")
            process.stdin.flush()
            pid = int(said().removeprefix("life "))
            for _ in range(int(rng.integers(1, 25))):
                said()
            # Busy for a random while, so that the kill lands anywhere between two lines.
            for _ in range(int(rng.integers(0, 40_000))):
                pass
            os.kill(pid, signal.SIGKILL)
            while not said().startswith("dead"):
                pass
            assert len(EpisodeStore(run_dir)) >= acknowledged + 1
            assert [d for d in verify_run(run_dir) if d.where != "run.json"] == []
            for episode in EpisodeStore(run_dir):
                assert episode.summary.complete
                assert len(episode.frames()) == episode.summary.n_steps + 1
    assert acknowledged > 0


def test_writer_threads_may_share_an_episode(run_dir):
    import threading

    store = EpisodeStore(run_dir, "w")
    writer = store.create(make_meta())
    threads = [
        threading.Thread(target=lambda: [writer.add_step(k, make_report(k)) for k in range(50)]),
        threading.Thread(target=record, args=(writer, 50), kwargs={"truth": True}),
    ]
    threads[0].start()
    threads[0].join()
    with pytest.raises(ConfigError):
        record(writer, 50)
    writer.abort()

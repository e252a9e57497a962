# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A run and its mirror: equal byte for byte after cuts, deaths and repetitions anywhere."""

import filecmp
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from roboreward_ros.episodes.ledger import OPERATOR, Ledger
from roboreward_ros.episodes.lines import encode_line
from roboreward_ros.episodes.mirror import COMMITTED, Mirror
from roboreward_ros.episodes.parcel import Offer, Parcel
from roboreward_ros.episodes.promoted import promote
from roboreward_ros.episodes.run import open_run
from roboreward_ros.episodes.shipping import Shipper
from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.episodes.verify import verify_run
from roboreward_ros.errors import FormatError, StoreError
from roboreward_ros.testing.conformance_episode_store import make_meta, record
from roboreward_ros.types import EndCause, LabelRecord, Provenance, Score, ScoreKind, ScoreScale

RUN = "0123456789abcdef" * 2
PIECE = 5000


class Robot:
    """A run that grows."""

    def __init__(self, path):
        self.path = path
        open_run(path, {"task": "open the drawer"})
        self.store = EpisodeStore(path, "w")
        self.ledgers = [Ledger(path, "w"), Ledger(path, "w", OPERATOR)]
        promote(path, "s", ScoreScale.RUBRIC)

    def episode(self, index, steps=5):
        writer = self.store.create(make_meta(index))
        record(writer, steps=steps)
        writer.commit(EndCause.TIME)
        score = Score(3.0, ScoreScale.RUBRIC, ScoreKind.NONE, Provenance("s"))
        for ledger in self.ledgers:
            ledger.append(LabelRecord(-1, f"ep_{index:06d}", score, steps))

    def close(self):
        self.store.close()
        for ledger in self.ledgers:
            ledger.close()


@pytest.fixture(autouse=True)
def quick_disk(monkeypatch):
    """What a power cut takes is tested elsewhere; here syncing only costs time."""
    monkeypatch.setattr(os, "fsync", lambda _: None)
    monkeypatch.setattr(os, "fdatasync", lambda _: None)


@pytest.fixture
def robot(tmp_path):
    made = Robot(tmp_path / "run")
    yield made
    made.close()


@pytest.fixture
def mirror(tmp_path):
    made = Mirror(tmp_path / "copy", RUN)
    yield made
    made.close()


def ship(shipper):
    for _ in range(1000):
        if not shipper.step():
            return shipper
    raise AssertionError("the shipper never comes to rest")


def same(run, copy):
    """Whether the copy holds the run's stores and nothing half done."""
    for folder in ("episodes", "ledger"):
        names = {
            p.relative_to(run).as_posix()
            for p in (run / folder).rglob("*")
            if p.is_file() and p.name[0] != "." and ".journal" not in p.parts
        }
        wrong = filecmp.cmpfiles(run, copy, names, shallow=False)[1:]
        assert wrong == ([], []), wrong
    assert list((copy / "episodes" / ".incoming").iterdir()) == []


class Flaky:
    """A port whose answers or requests get lost, by a script of calls that fail."""

    def __init__(self, mirror, lost_requests=(), lost_answers=()):
        self.mirror, self.calls = mirror, 0
        self.lost_requests, self.lost_answers = set(lost_requests), set(lost_answers)

    def __getattr__(self, name):
        def call(*arguments):
            self.calls += 1
            if self.calls in self.lost_requests:
                raise StoreError("cut before it arrived")
            answer = getattr(self.mirror, name)(*arguments)
            if self.calls in self.lost_answers:
                raise StoreError("cut before the answer came")
            return answer

        return call


def test_a_run_arrives_byte_for_byte_and_goes_on_growing(robot, mirror):
    robot.episode(0)
    shipper = ship(Shipper(robot.path, mirror, PIECE))
    same(robot.path, mirror.root)
    robot.episode(1)
    robot.store.discard("ep_000000")
    promote(robot.path, "t", ScoreScale.RUBRIC)
    ship(shipper)
    same(robot.path, mirror.root)
    assert verify_run(mirror.root) == []
    assert shipper.waiting() == 0
    assert EpisodeStore(mirror.root).open("ep_000000").summary.discarded


@pytest.mark.parametrize("kind", ["lost_requests", "lost_answers"])
def test_a_cut_at_every_call_costs_that_call_only(robot, tmp_path, kind):
    robot.episode(0)
    whole = Mirror(tmp_path / "whole", RUN)
    uncut = Flaky(whole)
    ship(Shipper(robot.path, uncut, PIECE))
    whole.close()
    least = Shipper(robot.path, Mirror(tmp_path / "least", RUN), PIECE)
    ship(least)
    for cut in range(1, uncut.calls + 1):
        mirror = Mirror(tmp_path / f"{kind}{cut}", RUN)
        shipper = Shipper(robot.path, Flaky(mirror, **{kind: [cut]}), PIECE)
        with pytest.raises(StoreError, match="cut before"):
            ship(shipper)
        ship(shipper)
        same(robot.path, mirror.root)
        assert shipper.sent_bytes <= least.sent_bytes + PIECE
        mirror.close()


def test_everything_sent_twice_is_there_once(robot, mirror):
    class Twice(Flaky):
        def __getattr__(self, name):
            def call(*arguments):
                first = getattr(self.mirror, name)(*arguments)
                second = getattr(self.mirror, name)(*arguments)
                assert first == second or second == COMMITTED
                return second

            return call

    robot.episode(0)
    ship(Shipper(robot.path, Twice(mirror), PIECE))
    same(robot.path, mirror.root)


def test_a_new_mirror_process_goes_on_in_the_middle_of_an_episode(robot, mirror, tmp_path):
    robot.episode(0)
    shipper = Shipper(robot.path, mirror, PIECE)
    parts = mirror.root / "episodes" / ".incoming"
    while not any(p.stat().st_size > PIECE for p in parts.iterdir()):
        assert shipper.step()
    there = sum(p.stat().st_size for p in parts.iterdir())
    mirror.close()
    again = Mirror(mirror.root, RUN)
    fresh = ship(Shipper(robot.path, again, PIECE))
    total = Parcel(robot.path / "episodes" / "ep_000000").offer.total
    assert fresh.sent_bytes == total - there
    same(robot.path, mirror.root)
    again.close()


def test_zeros_that_a_power_cut_left_are_found_and_sent_again(robot, mirror):
    robot.episode(0)
    parcel = Parcel(robot.path / "episodes" / "ep_000000")
    half = parcel.offer.total // 2
    assert mirror.put(parcel.offer, 0, bytes(half)) == half
    with pytest.raises(FormatError, match="arrived damaged"):
        mirror.put(parcel.offer, half, parcel.read(half, 1 << 30))
    assert EpisodeStore(mirror.root).ids() == []
    ship(Shipper(robot.path, mirror, PIECE))
    same(robot.path, mirror.root)


def test_an_episode_that_is_damaged_here_is_named_and_the_others_go_on(robot, mirror):
    for index in range(2):
        robot.episode(index)
    file = robot.path / "episodes" / "ep_000000" / "proprio" / "zarr.json"
    file.write_bytes(bytes(file.stat().st_size))
    shipper = Shipper(robot.path, mirror, PIECE)
    for _ in range(2):
        with pytest.raises(FormatError, match="damaged"):
            ship(shipper)
    ship(shipper)
    assert EpisodeStore(mirror.root).ids() == ["ep_000001"]
    assert "proprio/zarr.json" in shipper.left_out["ep_000000"]


def test_another_run_is_refused_whichever_way_it_comes(robot, mirror, tmp_path):
    robot.episode(0)
    ship(Shipper(robot.path, mirror, PIECE))
    other = Robot(tmp_path / "other")
    other.episode(0, steps=7)
    with pytest.raises(StoreError, match="not of this run"):
        ship(Shipper(other.path, mirror, PIECE))
    with pytest.raises(StoreError, match="another episode ep_000000"):
        mirror.offer(Parcel(other.path / "episodes" / "ep_000000").offer)
    other.close()
    mirror.close()
    with pytest.raises(StoreError, match="knows another run"):
        Mirror(mirror.root, "f" * 32)


def test_one_writer_a_mirror(mirror):
    with pytest.raises(StoreError, match="another process"):
        Mirror(mirror.root, RUN)


def test_a_damaged_line_stops_before_it_reaches_the_learner(robot, mirror):
    robot.episode(0)
    path = robot.ledgers[0].path
    path.write_bytes(path.read_bytes().replace(b'"s"', b'"z"'))
    with pytest.raises(FormatError, match="checksum"):
        ship(Shipper(robot.path, mirror, PIECE))
    with pytest.raises(FormatError, match="checksum"):
        mirror.append("ledger/ledger.jsonl", 0, b'{"crc32":"00000000","record":{}}\n')


@pytest.mark.parametrize(
    ("name", "record", "said"),
    [
        ("ledger/ledger.jsonl", {"file": "roboreward ledger", "format": 99}, "newer"),
        ("ledger/ledger.jsonl", {"file": "roboreward marks", "format": 1}, "another kind"),
        ("ledger/ledger.jsonl", {"seq": 0}, "episode_id"),
        ("episodes/marks.jsonl", {"episode_id": "ep_1", "kind": "other"}, "kind"),
        ("ledger/operator.jsonl", "second", "out of order"),
    ],
)
def test_what_no_reader_could_read_never_gets_in(robot, mirror, name, record, said):
    """It would stop the learner for the other arms, too."""
    if "file" not in record:
        kind = "roboreward marks" if "marks" in name else "roboreward ledger"
        assert mirror.append(name, 0, encode_line({"file": kind, "format": 1})) > 0
    for index in range(2):
        robot.episode(index)
    second = robot.ledgers[1].path.read_bytes().splitlines(keepends=True)[2]
    before = mirror.held()
    line = second if record == "second" else encode_line(record)
    with pytest.raises(FormatError, match=said):
        mirror.append(name, before.lines[name][0], line)
    with pytest.raises(FormatError, match="newer"):
        mirror.replace("ledger/promoted.json", b'{"format":99}')
    assert mirror.held() == before


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/etc/x", ".hidden", "a//b", "a\\b", "a\0b"])
def test_a_name_that_leads_out_is_refused(mirror, name):
    for episode_id, files in ((name, {"meta.json": 1}), ("ep_1", {"meta.json": 1, name: 1})):
        with pytest.raises(FormatError, match="cannot have"):
            Offer(episode_id, "0" * 64, files)
    with pytest.raises(FormatError):
        mirror.append(name, 0, b"\n")
    with pytest.raises(FormatError):
        mirror.replace(name, b"{}")


def test_an_offer_is_limited():
    with pytest.raises(FormatError, match="no episode"):
        Offer("ep_1", "0" * 64, {"meta.json": 5 << 30})
    with pytest.raises(FormatError, match="no episode"):
        Offer("ep_1", "0" * 64, {"meta.json": 1, **{f"f{k}": 1 for k in range(1000)}})
    with pytest.raises(FormatError, match="no episode"):
        Offer("ep_1", "0" * 64, {"meta.json": 9, "x": -1})
    for sha256 in ("\ud800", "0" * 63, "../x"):
        with pytest.raises(FormatError, match="sha256"):
            Offer("ep_1", sha256, {"meta.json": 1})


KILLED = """
import os, sys
sys.path.insert(0, os.path.dirname({test!r}))
from test_shipping import PIECE, RUN, Mirror, Shipper
from pathlib import Path

left = {deadly}
def deadly(call):
    def wrapped(*arguments, **keywords):
        global left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), 9)
        return call(*arguments, **keywords)
    return wrapped

os.fdatasync = os.fsync = deadly(lambda _: None)
Path.rename, Path.replace = deadly(Path.rename), deadly(Path.replace)
Path.write_bytes, Path.unlink = deadly(Path.write_bytes), deadly(Path.unlink)
shipper = Shipper(Path({run!r}), Mirror(Path({copy!r}), RUN), PIECE)
while shipper.step():
    pass
print("whole")
"""


def test_a_mirror_that_is_killed_at_its_changes_of_the_disk_has_no_half_episode(robot, tmp_path):
    robot.episode(0)
    robot.episode(1)
    copy = tmp_path / "copy"
    deaths = 0
    for deadly in (3, 20, 60, 95, 10_000):
        code = KILLED.format(test=__file__, run=str(robot.path), copy=str(copy), deadly=deadly)
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
        deaths += done.returncode == -9
        for episode in EpisodeStore(copy) if copy.exists() else ():
            assert len(episode.chunks()) > 0
            assert len(episode.frames()) == 6
    assert deaths >= 3
    assert b"whole" in done.stdout, done.stderr
    same(robot.path, copy)


def test_nothing_is_sent_of_an_episode_that_is_gone(robot, mirror):
    robot.episode(0)
    shutil.rmtree(robot.path / "episodes" / "ep_000000" / "frames")
    shipper = ship(Shipper(robot.path, mirror, PIECE))
    assert "cannot be read" in shipper.left_out["ep_000000"]
    assert mirror.held().episodes == frozenset()
    assert not Path(mirror.root, "episodes", "ep_000000").exists()


def test_a_full_disk_there_takes_nothing_back_and_is_said(robot, mirror, monkeypatch):
    robot.episode(0)
    shipper = Shipper(robot.path, mirror, PIECE)
    while not mirror.held().lines["ledger/operator.jsonl"][0]:
        shipper.step()
    robot.episode(1)
    before = mirror.held()

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fdatasync", full)
    monkeypatch.setattr(os, "fsync", full)
    size = before.lines["ledger/ledger.jsonl"][0]
    line = robot.ledgers[0].path.read_bytes()[size:]
    with pytest.raises(StoreError, match=r"could not store.*No space left.*sends it again"):
        mirror.append("ledger/ledger.jsonl", size, line)
    parcel = Parcel(robot.path / "episodes" / "ep_000000")
    with pytest.raises(StoreError, match="No space left"):
        mirror.put(parcel.offer, 0, parcel.read(0, 1 << 30))
    assert mirror.held() == before
    monkeypatch.setattr(os, "fdatasync", lambda _: None)
    monkeypatch.setattr(os, "fsync", lambda _: None)
    ship(shipper)
    same(robot.path, mirror.root)

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
import dataclasses

import pytest

from roboreward_ros.episodes.header import read_header
from roboreward_ros.episodes.ledger import Ledger, ledger_path
from roboreward_ros.episodes.run import open_run
from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.episodes.verify import verify_episode, verify_run
from roboreward_ros.errors import StoreError
from roboreward_ros.testing.conformance_episode_store import make_meta, make_report, make_truth
from roboreward_ros.types import EndCause, LabelRecord, Provenance, RewardFailure


@pytest.fixture
def sound_run(stored_run):
    open_run(stored_run, {"task": "t"})
    ledger = Ledger(stored_run, "w")
    for index in range(3):
        outcome = RewardFailure("later", Provenance("vlm"))
        ledger.append(LabelRecord(-1, f"ep_{index:06d}", outcome, index))
    ledger.close()
    EpisodeStore(stored_run).discard("ep_000000")
    return stored_run


def flip(path, at):
    data = bytearray(path.read_bytes())
    data[at % len(data)] ^= 0x01
    path.write_bytes(data)


def test_a_sound_run_has_no_damage(sound_run):
    ticks = []
    assert verify_run(sound_run, lambda: ticks.append(1)) == []
    assert len(ticks) == 3


def test_a_flipped_byte_is_found_in_every_file(sound_run):
    folder = sound_run / "episodes/ep_000001"
    names = [*read_header(folder).files, "meta.json"]
    assert len(names) > 40
    for name in names:
        path = folder / name
        before = path.read_bytes()
        flip(path, len(before) // 2)
        damages = verify_episode(folder)
        assert damages, f"a flipped byte of {name} was not found"
        assert all(d.where.startswith("episodes/ep_000001/") for d in damages)
        assert any(name.rsplit("/", 1)[0] in d.where for d in damages)
        path.write_bytes(before)
    assert verify_run(sound_run) == []


def test_missing_and_foreign_files_are_found(sound_run):
    folder = sound_run / "episodes/ep_000002"
    (folder / "q/c.0.0").unlink()
    (folder / "notes.txt").write_text("hello")
    found = {d.where: d.what for d in verify_run(sound_run)}
    assert "missing" in found["episodes/ep_000002/q/c.0.0"]
    assert "does not belong" in found["episodes/ep_000002/notes.txt"]


def test_a_frame_that_cannot_be_decoded_is_found_although_its_sums_fit(run_dir):
    from roboreward_ros.testing.conformance_reward_source import jpeg

    store = EpisodeStore(run_dir, "w")
    writer = store.create(make_meta())
    import numpy as np

    for step in range(3):
        image = jpeg(50)[:-200] if step == 1 else jpeg(50)
        writer.add_observation(step, step, image, np.zeros(7), np.zeros(6))
        writer.add_truth(step, make_truth(step))
        if step < 2:
            writer.add_step(step, make_report(step))
    writer.commit(EndCause.TIME)
    found = [d for d in verify_run(run_dir) if d.where != "run.json"]
    assert [d.where for d in found] == ["episodes/ep_000000/frames/data frame 1"]


def test_every_damaged_ledger_line_is_named(sound_run):
    path = ledger_path(sound_run)
    lines = path.read_bytes().split(b"\n")
    for number in (1, 3):
        lines[number] = lines[number].replace(b"later", b"latex")
    path.write_bytes(b"\n".join(lines) + b"half a line")
    found = [d.where for d in verify_run(sound_run)]
    assert found == [f"ledger/ledger.jsonl line {n}" for n in (2, 4, 5)]


def test_damaged_marks_and_run_json_are_found(sound_run):
    flip(sound_run / "episodes/marks.jsonl", -20)
    (sound_run / "run.json").write_text("{")
    found = [d.where for d in verify_run(sound_run)]
    assert found == ["run.json", "episodes/marks.jsonl line 2"]


def test_a_copied_episode_is_found(sound_run):
    import shutil

    shutil.copytree(sound_run / "episodes/ep_000001", sound_run / "episodes/ep_000007")
    whats = [d.what for d in verify_run(sound_run)]
    assert any("says that it is ep_000001" in what for what in whats)
    assert any("has the index 1 of ep_000001" in what for what in whats)


def test_without_a_run_there_is_nothing_to_verify(tmp_path):
    with pytest.raises(StoreError):
        verify_run(tmp_path / "nowhere")


def test_damage_says_where_and_what(sound_run):
    (sound_run / "episodes/ep_000000/meta.json").unlink()
    (damage,) = verify_run(sound_run)
    assert dataclasses.asdict(damage)["where"] == "episodes/ep_000000/meta.json"
    assert "not a stored episode" in damage.what

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What an arm felt at each step: stored, and absent without harm from episodes that lack it."""

import dataclasses
import shutil

import numpy as np
import pytest

from roboreward_ros.episodes.header import NAME, Header, encode_header, file_digests, read_header
from roboreward_ros.episodes.records import pack_step, unpack_step
from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.episodes.verify import verify_episode
from roboreward_ros.testing.conformance_episode_store import make_meta, make_report
from roboreward_ros.testing.conformance_reward_source import jpeg
from roboreward_ros.types import EndCause

NEW = ("temperature", "ik_error", "fault")
FAULTS = ["", "elbow reports overload", "", "elbow reports overload", "joints read [nan] \u00b0"]


def felt(step):
    report = make_report(step)
    temperature = np.append(np.full(6, 30.0 + step), np.nan)
    state = dataclasses.replace(report.state, temperature=temperature)
    return dataclasses.replace(
        report, state=state, ik_error_m=step / 1000, ik_error_rad=step / 100, fault=FAULTS[step]
    )


@pytest.fixture
def episode(run_dir):
    store = EpisodeStore(run_dir, "w")
    writer = store.create(make_meta())
    for step in range(len(FAULTS) + 1):
        writer.add_observation(step, step, jpeg(step), np.zeros(7), np.zeros(6))
        if step:
            writer.add_step(step - 1, felt(step - 1))
    writer.commit(EndCause.TIME)
    store.close()
    return EpisodeStore(run_dir).open("ep_000000")


def test_temperatures_ik_errors_and_faults_are_stored_step_by_step(episode):
    temperature = episode.array("temperature")
    np.testing.assert_array_equal(temperature[:, 0], 30.0 + np.arange(5))
    assert np.isnan(temperature[:, 6]).all()
    steps = np.arange(5)
    np.testing.assert_allclose(
        episode.array("ik_error"), np.stack([steps / 1000, steps / 100], axis=1)
    )
    assert list(episode.faults()) == FAULTS
    assert verify_episode(episode.folder) == []


def test_an_episode_of_before_is_sound_and_tells_no_faults(episode, run_dir):
    folder = episode.folder
    for name in NEW:
        shutil.rmtree(folder / name)
    digests = {name: value for name, value in file_digests(folder).items() if name != NAME}
    (folder / NAME).write_bytes(encode_header(Header(read_header(folder).summary, digests)))
    older = EpisodeStore(run_dir).open("ep_000000")
    assert verify_episode(folder) == []
    assert list(older.faults()) == [""] * 5
    assert len(older.actions()) == 5


def test_the_fault_of_a_step_without_a_picture_is_told_by_the_last_whole_one(run_dir):
    store = EpisodeStore(run_dir, "w")
    writer = store.create(make_meta())
    for step in range(3):
        writer.add_observation(step, step, jpeg(step), np.zeros(7), np.zeros(6))
    for step in (0, 2, 4):
        number = step // 2
        writer.add_step(number, dataclasses.replace(felt(step), fault=FAULTS[step]))
    writer.commit(EndCause.FAULT)
    store.close()
    episode = EpisodeStore(run_dir).open("ep_000000")
    assert list(episode.faults()) == ["", FAULTS[4]]
    assert verify_episode(episode.folder) == []


def test_an_array_that_is_shorter_than_its_episode_is_a_damage(episode):
    folder = episode.folder
    shutil.rmtree(folder / "temperature")
    assert any("temperature" in damage.where for damage in verify_episode(folder))


def test_a_step_of_an_older_journal_is_read():
    whole = felt(1)
    older = memoryview(pack_step(1, whole))[: 12 + 48 * 8]
    row = unpack_step(older)
    assert np.isnan(row.temperature).all()
    assert np.isnan(row.ik_error).all()
    assert row.fault == ""
    np.testing.assert_array_equal(row.dq, whole.state.dq)
    assert unpack_step(memoryview(pack_step(1, whole))).fault == FAULTS[1]

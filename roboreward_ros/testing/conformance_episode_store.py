# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What every EpisodeStore must do. Subclass ``EpisodeStoreConformance``, give it ``store``."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from roboreward_ros.errors import RoboRewardError
from roboreward_ros.protocols import EpisodeStore, EpisodeWriter
from roboreward_ros.testing.conformance_reward_source import jpeg
from roboreward_ros.types import (
    Chunk,
    EndCause,
    EpisodeMeta,
    GroundTruth,
    RobotState,
    StepFlag,
    StepReport,
    closing_chunk,
    without_closing,
)

CHUNK = 4
HORIZON = 5
FEATURES = 11


def make_meta(index: int = 0, **changes: str | float | bool) -> EpisodeMeta:
    meta = EpisodeMeta(
        episode_id=f"ep_{index:06d}",
        index=index,
        task="put the mushroom on the cloth",
        seed=100_000 + index,
        max_steps=12,
        control_hz=5.0,
        robot="wx250s",
        policy_id="f" * 64,
        chunk_size=CHUNK,
        created_ns=1_700_000_000_000_000_000 + index,
    )
    return dataclasses.replace(meta, **changes)  # type: ignore[arg-type]


def make_report(step: int, flags: StepFlag = StepFlag.NONE) -> StepReport:
    """A report whose every number tells its step."""
    state = RobotState(
        stamp_ns=step,
        q=np.full(6, step + 0.1),
        dq=np.full(6, step + 0.2),
        effort=np.full(6, np.nan),
        gripper=0.5,
        ee_pose=np.eye(4),
        proprio=np.full(7, float(step)),
    )
    return StepReport(
        action_raw=np.full(7, step + 0.3),
        action_executed=np.full(7, step + 0.4),
        target_pose=np.eye(4) * step,
        q_command=np.full(6, step + 0.5),
        flags=flags,
        state=state,
    )


def make_chunk(index: int, step: int, version: int = 3) -> Chunk:
    rng = np.random.default_rng(index)
    return Chunk(
        index=index,
        step=step,
        noise=rng.standard_normal((HORIZON, 7)).astype(np.float32),
        features=rng.standard_normal(FEATURES).astype(np.float32),
        actions=rng.standard_normal((HORIZON, 7)).astype(np.float32),
        policy_version=version,
        steered=bool(index % 2),
    )


def make_truth(step: int) -> GroundTruth:
    return GroundTruth(step / 100, step > 8, 1 + step % 5, "grasp" if step > 3 else "reach")


def record(
    writer: EpisodeWriter,
    steps: int = 10,
    flags: dict[int, StepFlag] | None = None,
    truth: bool = True,
) -> None:
    """A whole episode but for its commit."""
    for step in range(steps + 1):
        writer.add_observation(
            step, 1000 * step, jpeg(10 * step), np.full(7, float(step)), np.full(6, -float(step))
        )
        if truth:
            writer.add_truth(step, make_truth(step))
        if step < steps:
            if step % CHUNK == 0:
                writer.add_chunk(make_chunk(step // CHUNK, step))
            writer.add_step(step, make_report(step, (flags or {}).get(step, StepFlag.NONE)))


class EpisodeStoreConformance:
    """Tests over an empty store that is open for writing."""

    @pytest.fixture
    def store(self) -> EpisodeStore:
        raise NotImplementedError("give the suite an empty store")

    def test_an_episode_reads_back_as_written(self, store: EpisodeStore) -> None:
        writer = store.create(make_meta(7))
        record(writer)
        assert writer.commit(EndCause.OPERATOR, ("takeover",))
        episode = store.open("ep_000007")
        summary = episode.summary
        assert summary.meta == make_meta(7)
        assert (summary.n_steps, summary.end_cause) == (10, EndCause.OPERATOR)
        assert (summary.complete, summary.taint, summary.discarded) == (True, ("takeover",), False)
        assert summary.policy_version == 3
        assert list(episode.frames()) == [jpeg(10 * k) for k in range(11)]
        assert list(episode.stamps_ns()) == [1000 * k for k in range(11)]
        np.testing.assert_array_equal(episode.proprio(), np.arange(11.0)[:, None] * np.ones(7))
        expected = (np.arange(10.0) + 0.4)[:, None] * np.ones(7)
        np.testing.assert_allclose(episode.actions(), expected, rtol=0, atol=1e-15)
        assert episode.proprio().dtype == episode.actions().dtype == np.float64
        assert list(episode.flags()) == [0] * 10
        assert list(episode.truth()) == [make_truth(k) for k in range(11)]

    def test_a_closing_decision_reads_back_and_nothing_of_it_ran(self, store: EpisodeStore) -> None:
        writer = store.create(make_meta())
        record(writer)
        features = np.full(FEATURES, 0.5, dtype=np.float32)
        writer.add_chunk(closing_chunk(3, 10, features, HORIZON, 3))
        writer.commit(EndCause.TIME)
        episode = store.open("ep_000000")
        *ran, closing = episode.chunks()
        assert (closing.index, closing.step, closing.executed) == (3, 10, 0)
        np.testing.assert_array_equal(closing.features, features)
        assert [c.index for c in without_closing(episode.chunks(), 10)] == [c.index for c in ran]
        assert [c.executed for c in ran] == [4, 4, 2]

    def test_decisions_read_back_with_what_ran(self, store: EpisodeStore) -> None:
        writer = store.create(make_meta())
        record(writer, flags={5: StepFlag.HOLD | StepFlag.LATE, 9: StepFlag.CLIPPED_BOX})
        writer.commit(EndCause.TIME)
        chunks = store.open("ep_000000").chunks()
        assert [c.executed for c in chunks] == [4, 1, 2]
        for index, chunk in enumerate(chunks):
            wanted = make_chunk(index, CHUNK * index)
            assert (chunk.index, chunk.step) == (wanted.index, wanted.step)
            assert (chunk.policy_version, chunk.steered) == (3, wanted.steered)
            for name in ("noise", "features", "actions"):
                array = getattr(chunk, name)
                np.testing.assert_array_equal(array, getattr(wanted, name))
                assert array.dtype == np.float32

    def test_nothing_is_visible_before_commit(self, store: EpisodeStore) -> None:
        writer = store.create(make_meta())
        record(writer)
        assert list(store.ids()) == []
        assert list(store) == []
        with pytest.raises(RoboRewardError):
            store.open("ep_000000")
        writer.commit(EndCause.TIME)
        assert list(store.ids()) == ["ep_000000"]

    def test_an_aborted_episode_leaves_nothing_and_frees_its_id(self, store: EpisodeStore) -> None:
        writer = store.create(make_meta())
        record(writer)
        writer.abort()
        writer.abort()
        assert list(store.ids()) == []
        again = store.create(make_meta())
        record(again, steps=2)
        again.commit(EndCause.TIME)
        assert store.open("ep_000000").summary.n_steps == 2

    def test_abort_after_commit_keeps_the_episode(self, store: EpisodeStore) -> None:
        writer = store.create(make_meta())
        record(writer)
        writer.commit(EndCause.TIME)
        writer.abort()
        assert list(store.ids()) == ["ep_000000"]

    def test_an_id_is_given_once(self, store: EpisodeStore) -> None:
        writer = store.create(make_meta())
        with pytest.raises(RoboRewardError):
            store.create(make_meta())
        record(writer)
        writer.commit(EndCause.TIME)
        with pytest.raises(RoboRewardError):
            store.create(make_meta())

    def test_a_closed_writer_takes_nothing(self, store: EpisodeStore) -> None:
        writer = store.create(make_meta())
        record(writer)
        writer.commit(EndCause.TIME)
        for call in (
            lambda: writer.add_step(10, make_report(10)),
            lambda: writer.add_truth(11, make_truth(11)),
            lambda: writer.commit(EndCause.TIME),
        ):
            with pytest.raises(RoboRewardError):
                call()

    def test_a_gap_is_refused_and_marks_the_episode(self, store: EpisodeStore) -> None:
        writer = store.create(make_meta())
        record(writer, steps=3)
        with pytest.raises(RoboRewardError):
            writer.add_step(4, make_report(4))
        writer.commit(EndCause.FAULT)
        summary = store.open("ep_000000").summary
        assert (summary.n_steps, summary.complete) == (3, False)

    def test_a_missing_last_observation_cuts_the_episode(self, store: EpisodeStore) -> None:
        writer = store.create(make_meta())
        record(writer, steps=3, truth=False)
        writer.add_step(3, make_report(3))
        writer.commit(EndCause.FAULT)
        episode = store.open("ep_000000")
        assert (episode.summary.n_steps, episode.summary.complete) == (3, False)
        assert len(episode.actions()) == 3
        assert len(episode.frames()) == 4

    def test_an_episode_may_end_before_its_first_step(self, store: EpisodeStore) -> None:
        writer = store.create(make_meta())
        record(writer, steps=0)
        writer.commit(EndCause.FAULT)
        episode = store.open("ep_000000")
        assert episode.summary.n_steps == 0
        assert episode.actions().shape == (0, 7)
        assert len(episode.frames()) == 1
        assert list(episode.chunks()) == []

    def test_an_empty_episode_cannot_be_committed(self, store: EpisodeStore) -> None:
        writer = store.create(make_meta())
        with pytest.raises(RoboRewardError):
            writer.commit(EndCause.TIME)
        writer.abort()
        assert list(store.ids()) == []

    def test_without_ground_truth_there_is_none(self, store: EpisodeStore) -> None:
        writer = store.create(make_meta())
        record(writer, truth=False)
        writer.commit(EndCause.TIME)
        assert list(store.open("ep_000000").truth()) == []

    def test_episodes_come_in_the_order_of_their_index(self, store: EpisodeStore) -> None:
        for index in (2, 0, 1):
            writer = store.create(make_meta(index, episode_id=f"z{9 - index}"))
            record(writer, steps=1)
            writer.commit(EndCause.TIME)
        assert list(store.ids()) == ["z9", "z8", "z7"]
        assert [episode.summary.meta.index for episode in store] == [0, 1, 2]

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A person takes the arm in the middle of an episode: what the learner makes of it."""

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from test_prior_data import POLICY, SMALL, SPEC, own_episode, proprio

from roboreward_ros.dsrl.config import CriticForm
from roboreward_ros.dsrl.corrections import CorrectedEpisode, Corrector
from roboreward_ros.dsrl.follow import RunFollower
from roboreward_ros.dsrl.learner import Learner
from roboreward_ros.dsrl.pieces import whole
from roboreward_ros.dsrl.prior_data import InversionLimits, prior_episodes
from roboreward_ros.dsrl.takeovers import taken_over
from roboreward_ros.episodes.ledger import Ledger
from roboreward_ros.episodes.promoted import promote
from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.errors import LearnerError
from roboreward_ros.types import (
    Chunk,
    EndCause,
    EpisodeMeta,
    LabelRecord,
    Provenance,
    RobotState,
    Score,
    ScoreKind,
    ScoreScale,
    StepFlag,
    StepReport,
)

DECISIONS, SIZE = 4, SPEC.chunk_size
STEPS = DECISIONS * SIZE
HAND = StepFlag.TAKEOVER
FULL = Score(5.0, ScoreScale.RUBRIC, ScoreKind.NONE, Provenance("human"))
rng = np.random.default_rng(3)
IMAGE = np.full((64, 64, 3), 120, dtype=np.uint8)
JPEG = cv2.imencode(".jpg", IMAGE)[1].tobytes()
FEATURES = POLICY.encode(
    [IMAGE] * DECISIONS,
    np.stack([proprio(k) for k in range(DECISIONS)]),
    [SPEC.tasks[0]] * DECISIONS,
)
NOISE = rng.standard_normal((DECISIONS, SPEC.prediction_horizon, 7)).astype(np.float32)
PLANNED = POLICY.decode(FEATURES, NOISE)
OTHERS = POLICY.decode(
    FEATURES, rng.standard_normal(NOISE.shape).astype(np.float32)
)  # what the person does: something that the policy could have done


def record(run: Path, *, flags=(), by_hand=(), index: int = 0, hold: bool = False, still=()):
    """An episode; in the decisions ``by_hand`` a person does OTHERS, in ``still`` nothing."""
    name = f"ep_{index:06d}"
    store = EpisodeStore(run, "w")
    meta = EpisodeMeta(
        name, index, SPEC.tasks[0], 0, STEPS, SPEC.control_hz, "wx250s", SPEC.policy_id, SIZE, 7
    )
    writer = store.create(meta)
    arm = np.zeros(6)
    for step in range(STEPS + 1):
        k, j = divmod(max(step - 1, 0), SIZE)
        if step:
            action = (OTHERS if k in by_hand else PLANNED)[k, j].astype(np.float64)
            flag = HAND if k in by_hand else StepFlag.NONE
            if k in still:
                action, flag = np.array([0, 0, 0, 0, 0, 0, float(OTHERS[k - 1, SIZE - 1, 6])]), HAND
            if hold and step == STEPS:
                flag = HAND | StepFlag.HOLD
            state = RobotState(step, arm, arm, arm, 1.0, np.eye(4), proprio(step))
            report = StepReport(action, action, np.eye(4), arm, flag, state)
            writer.add_step(step - 1, report)
        writer.add_observation(step, step, JPEG, proprio(step), arm)
        if step % SIZE == 0 and step < STEPS:
            k = step // SIZE
            chunk = Chunk(k, step, NOISE[k], FEATURES[k], PLANNED[k], 0, False, SIZE)
            writer.add_chunk(chunk)
    touched = bool(by_hand or still or hold)
    writer.commit(EndCause.TIME, ("takeover",) if touched else tuple(flags))
    episode = store.open(name)
    store.close()
    return episode


class OneWay:
    """The policy without what inverting its sampler takes."""

    spec = SPEC
    encode, decode = POLICY.encode, POLICY.decode


def rows_of(learner: Learner, *, prior: bool) -> list[int]:
    return sorted(learner.replay.trainable_rows(prior=prior).tolist())


def test_what_the_person_did_gets_the_noise_that_the_policy_would_have_needed(tmp_path: Path):
    episode = CorrectedEpisode(record(tmp_path, by_hand=(2,)), POLICY)
    chunks = episode.chunks()
    assert [chunk.executed for chunk in chunks] == [SIZE] * DECISIONS
    for k in (0, 1, 3):
        np.testing.assert_array_equal(chunks[k].noise, NOISE[k])
    assert not np.allclose(chunks[2].noise, NOISE[2], atol=0.1)
    again = POLICY.decode(chunks[2].features[None].copy(), chunks[2].noise[None])
    off = POLICY.actions.normalise(again) - POLICY.actions.normalise(chunks[2].actions[None])
    assert np.sqrt(np.square(off).mean()) <= InversionLimits().residual
    np.testing.assert_allclose(chunks[2].actions[:SIZE], OTHERS[2, :SIZE], atol=1e-6)


def test_the_persons_decisions_are_sampled_as_demonstrations_the_others_as_the_runs(tmp_path: Path):
    episode = CorrectedEpisode(record(tmp_path, by_hand=(2,)), POLICY)
    learner = Learner(SMALL, SPEC)
    assert learner.observe_episode(episode, FULL, corrected=True)
    assert rows_of(learner, prior=False) == [0, 1, 3]
    assert rows_of(learner, prior=True) == [2]
    assert learner.replay.known_noise[2]
    assert learner.replay.labelled == 1  # an episode of the run, unlike a demonstration
    returns = learner.replay.returns[:DECISIONS]
    assert np.isnan(returns[:3]).all()  # what a person achieved is not the policy's return
    assert returns[3] == pytest.approx(1.0)
    learner.relabel("ep_000000", None)
    assert rows_of(learner, prior=False) == [0, 1]
    assert rows_of(learner, prior=True) == [2]
    learner.replay.forget("ep_000000")
    assert len(learner.replay) == 0


def test_a_few_decisions_of_a_person_are_not_drilled(tmp_path: Path):
    learner = Learner(replace(SMALL, capacity=2000), SPEC)
    episode = CorrectedEpisode(record(tmp_path, by_hand=(2,)), POLICY)
    learner.observe_episode(episode, FULL, corrected=True)
    for index in range(1, 60):
        own = own_episode(index)
        learner.observe_episode(own, own.label)
    rows = learner.replay.sample(np.random.default_rng(0), 4000)
    own_rows = len(rows_of(learner, prior=False))
    share = float(np.mean(rows == 2))
    assert share <= 1.3 * 16 / (16 + own_rows)
    assert share > 4 / own_rows


def test_a_person_who_only_looks_on_demonstrates_nothing(tmp_path: Path):
    episode = CorrectedEpisode(record(tmp_path, by_hand=(1,), still=(2,)), POLICY)
    assert [chunk.executed for chunk in episode.chunks()] == [SIZE, SIZE, 0, SIZE]
    learner = Learner(SMALL, SPEC)
    learner.observe_episode(episode, FULL, corrected=True)
    assert rows_of(learner, prior=True) == [1]


@pytest.mark.parametrize(
    ("episode", "expected"),
    [
        ({"by_hand": (1,)}, True),
        ({}, False),
        ({"flags": ("fault",)}, False),
        ({"hold": True}, False),  # a person stopped the arm
    ],
)
def test_only_an_episode_that_a_person_moved_in_is_corrected(tmp_path: Path, episode, expected):
    stored = record(tmp_path, **episode)
    assert taken_over(stored) is expected
    assert (Corrector(lambda: POLICY)(stored) is not None) is expected


def test_another_policys_episode_is_refused(tmp_path: Path):
    stored = record(tmp_path, by_hand=(1,))

    class Other:
        spec = replace(SPEC, policy_id="other")

    with pytest.raises(LearnerError, match="another policy"):
        CorrectedEpisode(stored, Other())


@pytest.mark.parametrize("critic", [CriticForm.LATENT, CriticForm.ALIASED])
def test_a_follower_learns_from_a_takeover_and_resumes_with_it(tmp_path: Path, critic: CriticForm):
    record(tmp_path, by_hand=(2, 3))
    promote(tmp_path, "human", ScoreScale.RUBRIC)
    ledger = Ledger(tmp_path, "w")
    ledger.append(LabelRecord(-1, "ep_000000", FULL, 0))
    config = replace(SMALL, critic=critic, warmup_episodes=1)

    def follow() -> RunFollower:
        follower = RunFollower(tmp_path, config, policy=POLICY, correct=Corrector(lambda: POLICY))
        follower.resume()
        while follower.advance():
            pass
        return follower

    first = follow()
    assert (first.status.episodes_done, first.status.trainable) == (1, 1)
    assert first.grad_steps > 0
    first.save()
    record(tmp_path, by_hand=(1,), index=1)
    ledger.append(LabelRecord(-1, "ep_000001", FULL, 0))
    ledger.close()
    again = follow()
    assert (again.status.episodes_done, again.status.trainable) == (2, 2)
    assert again.grad_steps > first.grad_steps
    assert again.status.metrics.transitions == 2 * DECISIONS
    noted = json.loads((tmp_path / "inversions" / "ep_000000.json").read_text())
    assert (noted["format"], noted["policy_id"]) == (1, SPEC.policy_id)
    assert [row["index"] for row in noted["decisions"]] == [2, 3]
    for row in noted["decisions"]:
        assert row["use"] == "every critic"
        assert row["residual"] <= InversionLimits().residual
        assert 0 < row["norm"] <= InversionLimits().norm
    assert (tmp_path / "inversions" / "ep_000001.json").is_file()


def test_a_session_of_corrections_is_prior_data_of_another_run(tmp_path: Path):
    record(tmp_path / "session", by_hand=(2,), still=(3,))
    promote(tmp_path / "session", "human", ScoreScale.RUBRIC)
    (episode,) = map(whole, prior_episodes(tmp_path / "session", POLICY))
    assert episode is not None
    assert episode.summary.meta.episode_id == "prior_session_ep_000000"
    assert episode.summary.taint == ()
    assert [chunk.executed for chunk in episode.chunks()[:-1]] == [SIZE, SIZE, SIZE, 0]
    chunk = episode.chunks()[2]
    np.testing.assert_allclose(chunk.actions[:SIZE], OTHERS[2, :SIZE], atol=1e-6)
    learner = Learner(SMALL, SPEC)
    assert learner.observe_prior(episode, FULL)
    known = learner.replay.known_noise[:DECISIONS]
    assert rows_of(learner, prior=True) == [row for row in range(3) if known[row]]
    assert np.isnan(learner.replay.returns[:DECISIONS]).all()


def test_what_is_left_out_of_prior_data_is_named_with_its_reason(tmp_path: Path, caplog):
    record(tmp_path, flags=("fault",))
    record(tmp_path, hold=True, index=1)
    promote(tmp_path, "human", ScoreScale.RUBRIC)
    assert [*map(whole, prior_episodes(tmp_path, POLICY))] == [None, None]
    assert "ep_000000 is left out: fault" in caplog.text
    assert "ep_000001 is left out: takeover" in caplog.text


def test_without_a_way_back_the_policys_own_chunks_teach_as_ever(tmp_path: Path, caplog):
    episode = Corrector(OneWay)(record(tmp_path, by_hand=(2,)))
    assert episode is not None
    assert "cannot be inverted" in caplog.text
    for critic, by_hand in ((CriticForm.LATENT, []), (CriticForm.ALIASED, [2])):
        learner = Learner(replace(SMALL, critic=critic), SPEC, decode=POLICY.decode)
        assert learner.observe_episode(episode, FULL, corrected=True)
        assert rows_of(learner, prior=False) == [0, 1, 3]
        assert rows_of(learner, prior=True) == by_hand

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from roboreward_ros.dsrl.actor import load_actor
from roboreward_ros.dsrl.checkpoint import load_learner, save_learner
from roboreward_ros.dsrl.config import CriticForm, DsrlConfig, NoiseForm
from roboreward_ros.dsrl.follow import RunFollower
from roboreward_ros.dsrl.inversion_record import write_record
from roboreward_ros.dsrl.learner import Learner
from roboreward_ros.dsrl.pieces import whole
from roboreward_ros.dsrl.prior_data import InversionLimits, PriorEpisode, prior_episodes
from roboreward_ros.episodes.ledger import Ledger
from roboreward_ros.episodes.promoted import promote
from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.errors import ConfigError, LearnerError
from roboreward_ros.policies.diffusion import load_policy
from roboreward_ros.policies.noise import prior_noise
from roboreward_ros.testing.steering_toy import SteeringToy, ToyEpisode
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

POLICY = load_policy("demo")
SPEC = POLICY.spec
STEPS = 12
SMALL = DsrlConfig(
    hidden=(16,), ensemble=2, batch_size=16, warmup_episodes=1, warmup_updates=0,
    updates_per_episode=4, prior_share=0.5, capacity=200, critic_only_updates=0, distil_every=1,
)  # fmt: skip


def image(step: int):
    return np.full((64, 64, 3), 100 + step, dtype=np.uint8)


def proprio(step: int):
    return np.asarray(POLICY._proprio.mean) + 0.01 * step


def record(
    run: Path, possible: bool = True, control_hz: float = SPEC.control_hz, own: bool = False
) -> None:
    """An episode by hand or (``own``) by the policy; actions that it could make, or none."""
    store = EpisodeStore(run, "w")
    who, size = (SPEC.policy_id, 4) if own else ("hands", 1)
    meta = EpisodeMeta("ep_000000", 0, SPEC.tasks[0], 0, STEPS, control_hz, "wx250s", who, size, 7)
    writer = store.create(meta)
    rng = np.random.default_rng(0)
    arm, chunk = np.zeros(6), np.zeros((4, 7))
    for step in range(STEPS + 1):
        jpeg = cv2.imencode(".jpg", image(step)[..., ::-1])[1].tobytes()
        if step:
            state = RobotState(step, arm, arm, arm, 1.0, np.eye(4), proprio(step))
            action = chunk[(step - 1) % 4]
            report = StepReport(action, action, np.eye(4), arm, StepFlag.NONE, state)
            writer.add_step(step - 1, report)
        writer.add_observation(step, step, jpeg, proprio(step), arm)
        if step % 4 == 0:
            seen = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
            features = POLICY.encode([seen], proprio(step)[None], [SPEC.tasks[0]])
            w = rng.standard_normal((1, 4, 7)).astype(np.float32)
            chunk = POLICY.decode(features, w)[0].astype(np.float64)
            if not possible:
                chunk = chunk + 12.0 * np.asarray(POLICY.actions.spread)
            if own and step < STEPS:
                actions = chunk.astype(np.float32)
                writer.add_chunk(Chunk(step // 4, step, w[0], features[0], actions, 0, False, 4))
    writer.commit(EndCause.TIME)
    store.close()
    promote(run, "human", ScoreScale.RUBRIC)
    score = Score(5.0, ScoreScale.RUBRIC, ScoreKind.NONE, Provenance("human"))
    ledger = Ledger(run, "w")
    ledger.append(LabelRecord(-1, "ep_000000", score, 0))
    ledger.close()


def only(run: Path) -> PriorEpisode:
    (episode,) = map(whole, prior_episodes(run, POLICY))
    assert episode is not None
    return episode


def own_episode(index: int):
    toy = SteeringToy()
    toy.spec = replace(SPEC)
    episode = toy.run(index, lambda f, r, s, k: prior_noise(s, k, 4))
    summary = episode.summary
    meta = replace(summary.meta, policy_id=SPEC.policy_id)
    return ToyEpisode(replace(summary, meta=meta), episode.chunks(), episode.flags(), episode.score)


def test_what_the_policy_could_have_done_gets_its_noise(tmp_path: Path):
    record(tmp_path / "demos")
    episode = only(tmp_path / "demos")
    assert episode.summary.meta.episode_id == "prior_demos_ep_000000"
    assert episode.summary.meta.policy_id == SPEC.policy_id
    assert [chunk.step for chunk in episode.chunks()] == [0, 4, 8, STEPS]
    assert not episode.chunks()[-1].actions.any()
    assert episode.score is not None
    assert episode.score.value == 5.0
    for chunk in episode.chunks()[:-1]:
        assert np.isfinite(chunk.noise).all()
        again = POLICY.decode(chunk.features[None], chunk.noise[None])[0]
        off = POLICY.actions.normalise(again) - POLICY.actions.normalise(chunk.actions)
        assert np.sqrt(np.square(off).mean()) <= InversionLimits().residual


def test_what_it_could_not_have_done_teaches_the_action_critic_only(tmp_path: Path):
    record(tmp_path, possible=False)
    episode = only(tmp_path)
    assert all(np.isnan(chunk.noise).all() for chunk in episode.chunks()[:-1])
    for critic, rows in ((CriticForm.LATENT, 0), (CriticForm.ALIASED, 3)):
        learner = Learner(replace(SMALL, critic=critic), SPEC, decode=POLICY.decode)
        assert learner.observe_prior(episode, episode.score)
        assert len(learner.replay.trainable_rows(prior=True)) == rows


def test_a_persons_chunks_train_but_their_return_is_not_the_policys(tmp_path: Path):
    record(tmp_path)
    episode = only(tmp_path)
    assert all(flag & StepFlag.TAKEOVER for flag in episode.flags())
    learner = Learner(SMALL, SPEC)
    learner.observe_prior(episode, episode.score)
    rows = np.sort(learner.replay.trainable_rows(prior=True))
    assert len(rows) == 3
    assert np.isnan(learner.replay.returns[rows]).all()
    np.testing.assert_array_equal(learner.replay.rewards[rows], [0, 0, 1])
    np.testing.assert_array_equal(learner.replay.masks[rows], [1, 1, 0])


@pytest.mark.parametrize("critic", list(CriticForm))
def test_prior_data_fill_their_share_and_do_not_count_as_rounds(tmp_path: Path, critic: CriticForm):
    record(tmp_path)
    episode = only(tmp_path)
    config = replace(SMALL, critic=critic)
    learner = Learner(config, SPEC, decode=POLICY.decode)
    learner.observe_prior(episode, episode.score)
    assert learner.replay.labelled == 0
    assert learner.owed == 0
    own = own_episode(0)
    learner.observe_episode(own, own.label)
    assert list(learner.seen) == ["ep_000000"]
    assert learner.owed == 4
    rows = learner.replay.sample(np.random.default_rng(0), 100)
    prior = set(learner.replay.trainable_rows(prior=True).tolist())
    assert sum(row in prior for row in rows.tolist()) == 50
    assert learner.update() == 4
    save_learner(learner, tmp_path / "learner.safetensors")
    again = load_learner(tmp_path / "learner.safetensors", SPEC, decode=POLICY.decode)
    assert again.actor_snapshot().to_bytes() == learner.actor_snapshot().to_bytes()
    assert again.replay.labelled == 1


def test_a_form_that_is_not_the_priors_is_published_before_training(tmp_path: Path):
    record(tmp_path, own=True)
    config = replace(SMALL, noise=NoiseForm.REPEAT, warmup_episodes=5)
    follower = RunFollower(tmp_path, config)
    while follower.advance():
        pass
    published = follower.status.actor
    assert published is not None
    assert (published.version, published.grad_steps) == (1, 0)
    w = load_actor(published.path, published.sha256).steer(np.zeros(SPEC.feature_dim), 1.0, 3, 0)
    np.testing.assert_array_equal(w, np.repeat(w[:1], 4, axis=0))


def test_demonstrations_at_another_rate_are_left_out_by_name(tmp_path: Path, caplog):
    record(tmp_path, control_hz=SPEC.control_hz * 2)
    assert [*map(whole, prior_episodes(tmp_path, POLICY))] == [None]
    assert "ep_000000" in caplog.text
    assert "another rate" in caplog.text


def test_a_folder_without_demonstrations_is_refused(tmp_path: Path):
    with pytest.raises(ConfigError, match="no episodes"):
        list(prior_episodes(tmp_path, POLICY))


def test_a_run_that_follows_takes_demonstrations_first(tmp_path: Path):
    record(tmp_path / "demos")
    record(tmp_path / "run", own=True)
    follower = RunFollower(
        tmp_path / "run",
        SMALL,
        policy=POLICY,
        prior=lambda: prior_episodes(tmp_path / "demos", POLICY),
    )
    while follower.advance():
        pass
    learner = follower._learner
    assert learner is not None
    assert next(iter(learner.replay.episodes)) == "prior_demos_ep_000000"
    assert len(learner.replay.trainable_rows(prior=True)) == 3
    (record_file,) = (tmp_path / "run" / "inversions").iterdir()
    assert record_file.name == "prior_demos_ep_000000.json"
    assert [row["step"] for row in json.loads(record_file.read_text())["decisions"]] == [0, 4, 8]


def test_prior_data_of_another_policy_are_refused(tmp_path: Path):
    record(tmp_path)
    episode = only(tmp_path)
    learner = Learner(SMALL, replace(SPEC, policy_id="other"))
    with pytest.raises(LearnerError, match="prior data"):
        learner.observe_prior(episode, episode.score)


def test_a_record_says_what_each_decision_teaches_and_stays_in_its_folder(tmp_path: Path):
    record(tmp_path / "demos", possible=False)
    episode = only(tmp_path / "demos")
    for critic, use in (
        (CriticForm.LATENT, "nothing"),
        (CriticForm.ALIASED, "action critic"),
        (CriticForm.EDITED, "action critic"),
    ):
        path = write_record(tmp_path, episode, critic)
        assert path is not None
        rows = json.loads(path.read_text())["decisions"]
        assert {row["use"] for row in rows} == {use}
        assert not any(row["known"] for row in rows)
    meta = replace(episode.summary.meta, episode_id="../outside")
    stray = replace(episode, summary=replace(episode.summary, meta=meta))
    with pytest.raises(ValueError, match="below the folder"):
        write_record(tmp_path, stray, CriticForm.LATENT)

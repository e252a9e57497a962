# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

import numpy as np
import pytest

from roboreward_ros.dsrl.config import DsrlConfig, RewardForm
from roboreward_ros.dsrl.replay import ReplayView, remaining_fraction
from roboreward_ros.errors import LearnerError
from roboreward_ros.policies.noise import prior_noise
from roboreward_ros.testing.steering_toy import SteeringToy, ToyEpisode, rubric
from roboreward_ros.types import StepFlag, closing_chunk

TOY = SteeringToy(decisions=6)
ROWS = 6


def play(seed: int) -> ToyEpisode:
    return TOY.run(seed, lambda features, remaining, s, k: prior_noise(s, k, 4))


def view(capacity: int = 100) -> ReplayView:
    return ReplayView(DsrlConfig(capacity=capacity), TOY.spec.feature_dim, 28)


def sampled(replay: ReplayView) -> set[int]:
    return set(replay.sample(np.random.default_rng(0), 2000).tolist())


def changed(episode: ToyEpisode, **summary: object) -> ToyEpisode:
    return ToyEpisode(
        replace(episode.summary, **summary), episode.chunks(), episode.flags(), episode.score
    )


def test_a_row_holds_one_decision_and_its_successor_is_the_next_row():
    replay, episode = view(), play(3)
    assert replay.add(episode, rubric(5))
    for row, chunk in enumerate(episode.chunks()):
        np.testing.assert_array_equal(replay.features[row], chunk.features)
        np.testing.assert_array_equal(replay.noise[row], chunk.noise.reshape(-1))
        assert replay.remaining[row] == np.float32(remaining_fraction(chunk.step, 24))
    assert replay.next_rows(np.array([0, 99])).tolist() == [1, 0]


def test_only_known_rewards_are_sampled_and_a_late_label_adds_the_rest():
    replay = view()
    replay.add(play(0), None)
    replay.add(play(1), rubric(4))
    assert sampled(replay) == set(range(2 * ROWS)) - {ROWS - 1}
    features = replay.features.copy()
    replay.relabel("ep_000000", rubric(5))
    assert sampled(replay) == set(range(2 * ROWS))
    assert replay.rewards[ROWS - 1] == 1.0
    np.testing.assert_array_equal(replay.features, features)


def test_a_corrected_label_changes_rewards_and_a_withdrawn_one_takes_the_last_row_out():
    replay = view()
    replay.add(play(0), rubric(5))
    replay.relabel("ep_000000", rubric(1))
    assert replay.rewards.max() == 0
    replay.relabel("ep_000000", None)
    assert sampled(replay) == set(range(ROWS - 1))
    assert replay.labelled == 0


def test_seeing_an_episode_again_relabels_it():
    replay = view()
    replay.add(play(0), None)
    replay.add(play(0), rubric(5))
    assert len(replay.episodes) == 1
    assert len(replay) == ROWS


@pytest.mark.parametrize("fault", [{"discarded": True}, {"taint": ("fault",)}, {"complete": False}])
def test_spoilt_episodes_never_train_and_are_forgotten_when_found_out(fault):
    replay = view()
    assert not replay.add(changed(play(0), **fault), rubric(5))
    assert not len(replay)
    replay.add(play(0), rubric(5))
    assert not replay.add(changed(play(0), **fault), rubric(5))
    assert not len(replay)


@pytest.mark.parametrize("flag", [StepFlag.HOLD, StepFlag.LATE, StepFlag.TAKEOVER, StepFlag.FAULT])
def test_a_chunk_with_a_foreign_step_is_no_transition(flag):
    episode = play(0)
    flags = list(episode.flags())
    flags[5] = int(flag)
    replay = view()
    replay.add(ToyEpisode(episode.summary, episode.chunks(), flags, 5), rubric(5))
    assert sampled(replay) == {0, 2, 3, 4, 5}


def test_clipping_is_environment():
    episode = play(0)
    flags = [int(StepFlag.CLIPPED_DELTA)] * len(episode.flags())
    replay = view()
    replay.add(ToyEpisode(episode.summary, episode.chunks(), flags, 5), rubric(5))
    assert len(replay) == ROWS


def test_a_chunk_that_ran_in_part_is_no_transition():
    episode = play(0)
    chunks = list(episode.chunks())
    chunks[2] = replace(chunks[2], executed=3)
    replay = view()
    replay.add(ToyEpisode(episode.summary, chunks, episode.flags(), 5), rubric(5))
    assert sampled(replay) == {0, 1, 3, 4, 5}


@pytest.mark.parametrize("form", list(RewardForm))
@pytest.mark.parametrize("cut", [False, True])
def test_the_final_state_follows_the_last_whole_decision_where_targets_go_on(form, cut):
    episode = play(0)
    ran = list(episode.chunks())
    if cut:
        ran[-1] = replace(ran[-1], executed=3)
    steps = episode.summary.n_steps
    end = closing_chunk(len(ran), steps, np.full(16, 9, np.float32), 4, 0)
    score = replace(rubric(3), per_step=(3.0,) * (steps + 1))
    config = DsrlConfig(capacity=100, reward=form)
    with_end = ReplayView(config, TOY.spec.feature_dim, 28)
    with_end.add(ToyEpisode(episode.summary, [*ran, end], episode.flags(), 3), score)
    without = ReplayView(config, TOY.spec.feature_dim, 28)
    without.add(ToyEpisode(episode.summary, ran, episode.flags(), 3), score)
    last = ROWS - 1 - cut
    if form in (RewardForm.STEP_COST, RewardForm.PROGRESS):
        assert sampled(with_end) == sampled(without) | {last}
        assert last not in sampled(without)
        after = with_end.next_rows(np.array([last]))
        np.testing.assert_array_equal(with_end.features[after], 9)
        assert with_end.remaining[after] == 0
        assert with_end.masks[last] == 1
    else:
        assert sampled(with_end) == sampled(without)
        np.testing.assert_array_equal(with_end.features, without.features)
        assert with_end.next_row == without.next_row


def test_a_full_ring_forgets_whole_episodes_oldest_first():
    replay = view(capacity=20)
    for seed in range(7):
        replay.add(play(seed), rubric(1 + seed % 5))
        rows = [
            (stored.start + k) % 20
            for stored in replay.episodes.values()
            for k in range(stored.rows)
        ]
        assert len(rows) == len(set(rows)) == len(replay)
        assert sampled(replay) == set(rows)
    assert list(replay.episodes) == ["ep_000004", "ep_000005", "ep_000006"]


def test_sampling_is_uniform():
    replay = view()
    for seed in range(4):
        replay.add(play(seed), rubric(5))
    replay.forget("ep_000001")
    rows = replay.sample(np.random.default_rng(0), 18_000)
    counts = np.bincount(rows, minlength=24)
    assert counts[6:12].sum() == 0
    alive = counts[counts > 0]
    assert len(alive) == 18
    assert np.all(np.abs(alive - 1000) < 5 * np.sqrt(1000))


def test_nothing_to_sample_says_so():
    with pytest.raises(LearnerError, match="label"):
        view().sample(np.random.default_rng(0), 1)


def test_another_policys_chunks_are_refused():
    replay = ReplayView(DsrlConfig(), TOY.spec.feature_dim + 1, 28)
    with pytest.raises(LearnerError, match="another policy"):
        replay.add(play(0), rubric(5))


def as_prior(seed: int, known: bool = True) -> ToyEpisode:
    episode = play(seed)
    chunks = [
        replace(c, noise=c.noise if known else np.full_like(c.noise, np.nan))
        for c in episode.chunks()
    ]
    meta = replace(episode.summary.meta, episode_id=f"prior_{seed}")
    return ToyEpisode(replace(episode.summary, meta=meta), chunks, episode.flags(), episode.score)


def mixed_view(share: float = 0.25, capacity: int = 100) -> ReplayView:
    config = DsrlConfig(capacity=capacity, prior_share=share)
    return ReplayView(config, TOY.spec.feature_dim, 28)


def test_prior_data_are_a_fixed_share_of_every_batch():
    replay = mixed_view()
    replay.add(as_prior(0), rubric(5), prior=True)
    rng = np.random.default_rng(0)
    assert set(replay.sample(rng, 40).tolist()) <= set(range(ROWS)), "alone, they are all there is"
    for seed in range(1, 6):
        replay.add(play(seed), rubric(3))
    rows = replay.sample(rng, 40)
    assert (rows < ROWS).sum() == 10
    replay.forget("prior_0")
    assert (replay.sample(rng, 40) >= ROWS).all()


def test_prior_data_are_never_evicted():
    replay = mixed_view(capacity=20)
    replay.add(play(0), rubric(3))
    replay.add(as_prior(1), rubric(5), prior=True)
    features = replay.features[6:12].copy()
    for seed in range(2, 9):
        replay.add(play(seed), rubric(1 + seed % 5))
        taken = [
            (stored.start + k) % 20
            for stored in replay.episodes.values()
            for k in range(stored.rows)
        ]
        assert len(taken) == len(set(taken)), "no row is used twice"
        assert "prior_1" in replay.episodes
    np.testing.assert_array_equal(replay.features[6:12], features)
    assert f"ep_{8:06d}" in replay.episodes


def test_prior_data_that_fill_the_replay_are_refused():
    replay = mixed_view(capacity=12)
    replay.add(as_prior(0), rubric(5), prior=True)
    replay.add(as_prior(1), rubric(5), prior=True)
    with pytest.raises(LearnerError, match="fill the replay"):
        replay.add(play(2), rubric(3))


def test_a_latent_critic_leaves_out_decisions_whose_latent_is_not_known():
    replay = mixed_view()
    assert replay.add(as_prior(0, known=False), rubric(5), prior=True)
    assert len(replay) == 0
    assert not replay.known_noise[:ROWS].any()
    assert np.isfinite(replay.noise[:ROWS]).all()


def test_executed_chunks_are_kept_where_an_action_critic_asks_for_them():
    replay = ReplayView(DsrlConfig(capacity=50), TOY.spec.feature_dim, 28, 28)
    episode = play(0)
    replay.add(episode, rubric(5))
    np.testing.assert_array_equal(replay.actions[1], episode.chunks()[1].actions[:4].reshape(-1))


def test_the_number_of_labels_follows_every_change():
    replay = view(capacity=20)
    for seed in range(5):
        replay.add(play(seed), rubric(3) if seed % 2 else None)
        want = sum(stored.score is not None for stored in replay.episodes.values())
        assert replay.labelled == want
    replay.relabel("ep_000004", rubric(2))
    replay.relabel("ep_000003", None)
    replay.forget("ep_000004")
    assert replay.labelled == 0

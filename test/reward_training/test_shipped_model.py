# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The reward model that comes with the package, through the ordinary reward source."""

from collections.abc import Iterator

import numpy as np
import pytest

from roboreward_ros.protocols import RewardSource
from roboreward_ros.rewards.registry import build, merged_options
from roboreward_ros.rewards.shipped import shipped_folder
from roboreward_ros.studies.reward_data import CollectConfig, Collector, WatchedEpisode
from roboreward_ros.studies.reward_sentences import SENTENCES
from roboreward_ros.types import Abstain, RewardRequest, Score

NAME = "twin_small"
MAX_BYTES = 15_000_000


@pytest.fixture(scope="module")
def source() -> Iterator[RewardSource]:
    source = build("roboreward", {"model": NAME})
    source.warm_up()
    yield source
    source.close()


@pytest.fixture(scope="module")
def episodes() -> Iterator[list[WatchedEpisode]]:
    """Scripted episodes on held-out layouts."""
    collector = Collector(CollectConfig(seed=5, episodes=12, held_out=True))
    yield collector.episodes(0)
    collector.close()


def score(source: RewardSource, episode: WatchedEpisode, end: int, task: str) -> float | None:
    """The score, or None where the model abstains."""
    frames = episode.frames(end)
    stamps = [k * 200_000_000 for k in range(len(frames))]
    outcome = source.score(RewardRequest("ep", task, frames, stamps, 5.0))
    assert isinstance(outcome, Score | Abstain)
    assert outcome.provenance.model.startswith(f"{NAME}@")
    return outcome.value if isinstance(outcome, Score) else None


def test_it_is_small_and_says_where_it_came_from() -> None:
    folder = shipped_folder(NAME)
    assert folder is not None
    files = {path.name: path.stat().st_size for path in folder.iterdir()}
    assert sum(files.values()) < MAX_BYTES
    assert {"README.md", "training.json", "options.yaml", "model.safetensors"} <= set(files)


def test_it_brings_the_options_it_was_trained_on() -> None:
    options = merged_options("roboreward", {"model": NAME})
    assert (options["sampling"], options["max_frames"]) == ("grid", 4)
    assert merged_options("roboreward", {"model": NAME, "max_frames": 8})["max_frames"] == 8
    assert merged_options("roboreward")["sampling"] == "uniform_n"


def test_it_judges_unseen_layouts_far_better_than_a_constant(
    source: RewardSource, episodes: list[WatchedEpisode]
) -> None:
    own = {s.text: k for k, s in enumerate(SENTENCES)}
    truth, found = [], []
    asked = 0
    for episode in episodes:
        for end in episode.ends:
            asked += 1
            value = score(source, episode, end, episode.spec.sentence)
            if value is not None:
                truth.append(episode.seen[end].scores[own[episode.spec.sentence]])
                found.append(value)
    errors = np.abs(np.array(found) - truth)
    constant = min(np.abs(np.array(truth) - level).mean() for level in range(1, 6))
    assert (asked, len(found) > 28) == (36, True)
    assert errors.mean() < 0.6 * constant


def test_other_sentences_about_the_same_video_get_their_own_scores(
    source: RewardSource, episodes: list[WatchedEpisode]
) -> None:
    wrong = []
    rng = np.random.default_rng(0)
    for episode in episodes:
        end = episode.ends[-1]
        for number in rng.choice(len(SENTENCES), 8, replace=False):
            sentence = SENTENCES[int(number)]
            if episode.seen[end].scores[number] == 1 and sentence.text != episode.spec.sentence:
                value = score(source, episode, end, sentence.text)
                wrong.append(value is not None and value >= 4)
    assert len(wrong) > 60
    assert np.mean(wrong) < 0.05

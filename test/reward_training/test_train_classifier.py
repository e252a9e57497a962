# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From a run's episodes and labels to the classifier's file beside it."""

import argparse
import io
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from roboreward_ros.cli import reward_classifier
from roboreward_ros.episodes.ledger import Ledger
from roboreward_ros.episodes.promoted import promote
from roboreward_ros.episodes.run import open_run
from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.errors import ConfigError, RewardSourceError
from roboreward_ros.reward_training.classifier import train_classifier
from roboreward_ros.rewards.registry import build
from roboreward_ros.rewards.small.store import load
from roboreward_ros.testing import conformance_episode_store as suite
from roboreward_ros.types import (
    EndCause,
    LabelRecord,
    Provenance,
    RewardRequest,
    Score,
    ScoreKind,
    ScoreScale,
)


def frame(level, side, seed):
    rng = np.random.default_rng(seed)
    pixels = np.full((48, 48, 3), 80, np.uint8) + rng.integers(0, 9, (48, 48, 3), dtype=np.uint8)
    pixels[10:30, (26 if side else 6) : (38 if side else 18)] = level
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG")
    return buffer.getvalue()


@pytest.fixture(scope="module")
def labelled(tmp_path_factory):
    """20 episodes: success puts the block to the right; the last four have no label."""
    path = tmp_path_factory.mktemp("labelled") / "run"
    open_run(path, {"task": "t"})
    store, ledger = EpisodeStore(path, "w"), Ledger(path, "w")
    promote(path, "human", ScoreScale.RUBRIC)
    for index in range(20):
        done = index % 2 == 0
        meta = suite.make_meta(index)
        writer = store.create(meta)
        last = [frame(220, side, index) for side in (False, done)]
        add(writer, [last[0], last[0], last[1]])
        writer.commit(EndCause.TIME)
        if index < 16:
            value = 5.0 if done else 2.0
            score = Score(value, ScoreScale.RUBRIC, ScoreKind.NONE, Provenance("human"))
            ledger.append(LabelRecord(-1, meta.episode_id, score, index + 1))
    store.close()
    ledger.close()
    return path


@pytest.fixture
def run(labelled, tmp_path):
    """A copy of its own."""
    return Path(shutil.copytree(labelled, tmp_path / "run"))


def add(writer, frames):
    """An episode of as many observations, with these pictures."""
    recorded = Recorder(writer, frames)
    suite.record(recorded, steps=len(frames) - 1)


class Recorder:
    """Passes everything on, but shows other pictures."""

    def __init__(self, writer, frames):
        self._writer, self._frames = writer, frames

    def __getattr__(self, name):
        return getattr(self._writer, name)

    def add_observation(self, step, stamp_ns, jpeg, proprio, q):
        self._writer.add_observation(step, stamp_ns, self._frames[step], proprio, q)


def test_a_run_trains_its_own_judge(run, capsys):
    args = argparse.Namespace(run_dir=run, least=7, success_from=1.0)
    assert reward_classifier.run(args) == 0
    out = capsys.readouterr().out
    assert "16" in out
    models, _ = load(run / "classifier.safetensors")
    (task,) = models
    assert models[task].quality.labels == 16
    source = build("classifier", {"weights": str(run / "classifier.safetensors")})
    source.warm_up()
    for index in range(16, 20):
        episode = EpisodeStore(run).open(f"ep_{index:06d}")
        frames = episode.frames()
        outcome = source.score(RewardRequest("x", task, frames, [0] * len(frames), 5.0))
        if isinstance(outcome, Score):
            assert (outcome.value > 0.5) == (index % 2 == 0)
    assert not list(run.glob("*.part"))


def test_a_run_with_few_labels_is_refused_and_keeps_its_file(run):
    train_classifier(run, least=7)
    before = (run / "classifier.safetensors").read_bytes()
    with pytest.raises(RewardSourceError, match=r"no classifier.*too few.*8 successes"):
        train_classifier(run, least=9)
    assert (run / "classifier.safetensors").read_bytes() == before


def test_its_own_scores_and_discarded_episodes_do_not_count(run):
    store = EpisodeStore(run, "w")
    store.discard("ep_000000", "camera moved")
    store.close()
    ledger = Ledger(run, "w")
    promote(run, "classifier", ScoreScale.UNIT)
    for index in range(16, 20):
        score = Score(1.0, ScoreScale.UNIT, ScoreKind.NONE, Provenance("classifier"))
        ledger.append(LabelRecord(-1, f"ep_{index:06d}", score, 100 + index))
    ledger.close()
    promote(run, "human", ScoreScale.RUBRIC)
    _, models, _ = train_classifier(run, least=7)
    (model,) = models.values()
    assert (model.quality.labels, model.quality.successes) == (15, 7)


def test_arguments_are_checked(run):
    for wrong in ({"least": 2}, {"success_from": 0.0}):
        args = {"run_dir": run, "least": 10, "success_from": 1.0, **wrong}
        with pytest.raises(ConfigError):
            reward_classifier.run(argparse.Namespace(**args))

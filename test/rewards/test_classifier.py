# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The small success classifier on drawn episodes whose outcome is visible."""

import dataclasses
import io

import numpy as np
import pytest
from PIL import Image

from roboreward_ros.errors import ConfigError, RewardSourceError
from roboreward_ros.rewards.classifier import ClassifierConfig, ClassifierSource
from roboreward_ros.rewards.config import build_config, file_options
from roboreward_ros.rewards.registry import build
from roboreward_ros.rewards.small.features import episode_features
from roboreward_ros.rewards.small.model import fit
from roboreward_ros.rewards.small.store import FILE, load, save
from roboreward_ros.testing.conformance_reward_source import RewardSourceConformance, make_request
from roboreward_ros.types import Abstain, AbstainReason, RewardRequest, Score

TASK = "open the drawer"


def picture(rng, done, colour=(200, 40, 40)):
    """A scene with a block that lies left (not done) or right (done), at a random height."""
    frame = np.full((64, 64, 3), 90, np.uint8) + rng.integers(0, 12, (64, 64, 3), dtype=np.uint8)
    row = int(rng.integers(8, 44))
    column = int(rng.integers(38, 50) if done else rng.integers(4, 18))
    frame[row : row + 12, column : column + 10] = colour
    buffer = io.BytesIO()
    Image.fromarray(frame).save(buffer, "JPEG", quality=92)
    return buffer.getvalue()


def episodes(count, seed=0):
    rng = np.random.default_rng(seed)
    outcomes = np.arange(count) % 2
    features = [episode_features(picture(rng, False), picture(rng, y)) for y in outcomes]
    return np.stack(features), outcomes.astype(float)


@pytest.fixture(scope="module")
def model():
    return fit(*episodes(60), least=10)


@pytest.fixture
def weights(model, tmp_path):
    save(tmp_path / FILE, {TASK: model}, {"run": "drawn"})
    return tmp_path / FILE


def request(last, first=None, task=TASK):
    first = first or picture(np.random.default_rng(5), False)
    return RewardRequest("ep_000000", task, [first, last], [0, 1], 5.0)


class TestConformance(RewardSourceConformance):
    @pytest.fixture
    def source(self, weights):
        return build("classifier", {"weights": str(weights)})

    def test_the_drawn_frames_are_told_apart(self, warm):
        rng = np.random.default_rng(9)
        found = [warm.score(request(picture(rng, done))) for done in (True, False) * 20]
        sure = [item for item in found if isinstance(item, Score)]
        assert len(sure) >= 30
        values = [
            (item.value, k % 2 == 0) for k, item in enumerate(found) if isinstance(item, Score)
        ]
        assert np.mean([(value > 0.5) == done for value, done in values]) >= 0.95


def test_quality_is_measured_on_what_a_fit_did_not_see(model):
    quality = model.quality
    assert (quality.labels, quality.successes) == (60, 30)
    assert quality.accuracy >= 0.9
    assert quality.log_loss < 0.5 * quality.constant_log_loss
    features, outcomes = episodes(60, seed=1)
    p = np.array([model.probability(row) for row in features])
    loss = -np.log(np.where(outcomes > 0, p, 1 - p)).mean()
    assert loss < 0.5 * quality.constant_log_loss, "new episodes are judged as well"


def test_probabilities_are_calibrated_where_outcomes_are_uncertain():
    features, outcomes = episodes(240)
    wrong = np.random.default_rng(3).random(240) < 0.2  # a fifth of the labels is wrong
    noisy = fit(features, np.abs(outcomes - wrong), least=10)
    p = np.array([noisy.probability(row) for row in episodes(200, seed=4)[0]])
    assert 0.6 < np.maximum(p, 1 - p).mean() < 0.9


def test_too_few_or_unlearnable_labels_are_refused():
    features, outcomes = episodes(60)
    with pytest.raises(RewardSourceError, match=r"too few.*9 successes"):
        fit(features[:18], outcomes[:18], least=10)
    luck = np.random.default_rng(0).permutation(outcomes)
    with pytest.raises(RewardSourceError, match="cannot be told apart"):
        fit(features, luck, least=10)


def test_what_is_unlike_the_labelled_episodes_abstains(weights):
    source = build("classifier", {"weights": str(weights)})
    source.warm_up()
    rng = np.random.default_rng(1)
    noise = rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)
    noise[:32] = 255
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, "JPEG")
    outcome = source.score(request(buffer.getvalue()))
    assert isinstance(outcome, Abstain)
    assert outcome.reason is AbstainReason.UNFAMILIAR


def test_what_is_unsure_abstains_and_shows_its_masses(weights):
    source = build("classifier", {"weights": str(weights), "min_confidence": 1.0})
    source.warm_up()
    outcome = source.score(request(picture(np.random.default_rng(2), True)))
    assert isinstance(outcome, Abstain)
    assert outcome.reason is AbstainReason.ENTROPY
    assert sum(outcome.probabilities) == pytest.approx(1)
    binary = build("classifier", {"weights": str(weights), "form": "binary"})
    binary.warm_up()
    assert binary.score(request(picture(np.random.default_rng(2), True))).value in (0.0, 1.0)


def test_another_task_is_refused(weights):
    source = build("classifier", {"weights": str(weights)})
    source.warm_up()
    with pytest.raises(RewardSourceError, match=r"not trained on this task.*open the drawer"):
        source.score(request(picture(np.random.default_rng(0), True), task="lift the cube"))


def test_a_file_is_read_back_or_refused(weights, model, tmp_path):
    models, name = load(weights)
    row = episodes(2, seed=7)[0][0]
    assert models[TASK].probability(row) == model.probability(row)
    assert models[TASK].quality == model.quality
    assert name.startswith(FILE + "@")
    with pytest.raises(RewardSourceError, match="reward classifier RUN"):
        build("classifier").warm_up()
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(RewardSourceError, match="no classifier"):
        load(broken)
    newer = tmp_path / "newer.safetensors"
    from safetensors.numpy import save_file

    save_file({"a": np.zeros(1)}, str(newer), {"format": "9", "tasks": "[]"})
    with pytest.raises(RewardSourceError, match="newer format"):
        load(newer)


def test_settings_are_checked():
    with pytest.raises(ConfigError, match="min_confidence"):
        build("classifier", {"min_confidence": 0.3})
    with pytest.raises(RewardSourceError, match="not trained"):
        ClassifierSource().score(make_request(ClassifierSource()))
    options = file_options("classifier")
    assert build_config(ClassifierConfig, options, "classifier") == ClassifierConfig()
    assert set(options) == {field.name for field in dataclasses.fields(ClassifierConfig)}

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Cloning a diffusion transformer: it learns, it resumes exactly, and what it gives is a Policy."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from roboreward_ros.errors import CheckpointError, ConfigError
from roboreward_ros.policies.config import SamplerConfig
from roboreward_ros.policies.inversion import invert
from roboreward_ros.policies.loading import invertible, load_any_policy
from roboreward_ros.policies.transformer.config import (
    CloneConfig,
    Padding,
    TransformerConfig,
    Vision,
)
from roboreward_ros.policies.transformer.files import DESCRIPTION_FILE, describe, save_policy
from roboreward_ros.policies.transformer.policy import TransformerPolicy
from roboreward_ros.policies.transformer.recipe import DataConfig, TransformerRecipe
from roboreward_ros.policies.transformer.rows import Actions, EpisodeRows, RowStore, RowWriter
from roboreward_ros.policies.transformer.sentences import TEXT_FOLDER, PretrainedText, WordBags
from roboreward_ros.policies.transformer.state import STATE_FILE
from roboreward_ros.policies.transformer.train import CloneProgress, Start, clone
from roboreward_ros.policies.transformer.vision import PretrainedTokens, read_vision
from roboreward_ros.testing.conformance_policy import PolicyConformance
from roboreward_ros.testing.tiny_encoders import (
    TEXT_KINDS,
    VISION_KINDS,
    make_tiny_text,
    make_tiny_vision,
)

TASKS = ("open the drawer", "put the mushroom on the cloth")
SIDE = 0.02
NETWORK = TransformerConfig(
    image_size=16, channels=(4, 8, 8, 8), tokens=2, token_dim=4, text_dim=4, hidden=32, depth=1,
    heads=4,
)  # fmt: skip
TRAIN = CloneConfig(
    steps=160, batch_size=24, noises_per_image=8, learning_rate=4e-3, warmup_steps=20,
    ema_decay=0.97, crop=1.0, colour=0.0, validation=0.1, validate_every=80, save_every=80,
    padding=Padding.MASK,
)  # fmt: skip
RECIPE = TransformerRecipe(network=NETWORK, sampler=SamplerConfig(), train=TRAIN)


def picture(up: bool) -> np.ndarray:
    frame = np.full((32, 32, 3), 30, np.uint8)
    frame[..., 0 if up else 2] = 220
    return frame


def write_rows(folder: Path, size: int) -> RowStore:
    """Red pictures go up and blue ones down, 2 cm; left or right is chance."""
    rng = np.random.default_rng(0)
    writer = RowWriter(folder, "toy", size, Actions.STORED)
    for number in range(40):
        up, left = bool(number % 2), bool(rng.random() < 0.5)
        frame = np.zeros((32, 32, 3), np.uint8)
        frame[: 16 if up else None, :, 0] = 255 if up else 40
        actions = np.zeros((6, 7))
        actions[:, 0] = SIDE if up else -SIDE
        actions[:, 1] = SIDE if left else -SIDE
        actions[:, 6] = 1
        state = rng.normal(0, 0.1, (6, 7))
        writer.add(EpisodeRows(TASKS[number % 3 == 0], [picture(up)] * 6, state, actions))
    writer.close()
    return RowStore(folder)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> RowStore:
    return write_rows(tmp_path_factory.mktemp("rows") / "rows", 16)


def words(store: RowStore) -> Start:
    return Start(WordBags(store.tasks), "", {}, {})


def short(**changes) -> TransformerRecipe:
    train = replace(TRAIN, **{"steps": 12, "save_every": 5, "validate_every": 1, **changes})
    return replace(RECIPE, train=train)


@pytest.fixture(scope="module")
def folder(store: RowStore, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained policy and what its training reported."""
    made = tmp_path_factory.mktemp("transformer")
    seen: list[CloneProgress] = []
    description, weights = clone(store, RECIPE, words(store), made, on_progress=seen.append)
    save_policy(made, description, weights, {"command": "test"})
    held = [p for p in seen if not math.isnan(p.held_out_loss)]
    assert [p.step for p in held] == [80, 160]
    assert held[-1].held_out_loss < 0.6  # 1: the spread of what it predicts
    assert seen[-1].loss < 0.5 * seen[0].loss
    return made


class TestTransformerPolicy(PolicyConformance):
    @pytest.fixture
    def policy(self, folder: Path) -> TransformerPolicy:
        return TransformerPolicy(folder)


def test_the_picture_decides_what_it_must_and_the_noise_the_rest(folder: Path):
    policy = TransformerPolicy(folder)
    noise = np.random.default_rng(1).standard_normal((64, 4, 7)).astype(np.float32)
    for up, sign in ((True, 1), (False, -1)):
        features = policy.encode([picture(up)] * 64, np.zeros((64, 7)), [TASKS[0]] * 64)
        done = policy.decode(features, noise).mean(axis=1)
        assert np.mean(np.sign(done[:, 0]) == sign) > 0.95
        assert 0.2 < np.mean(done[:, 1] > 0) < 0.8
        assert np.mean(np.abs(done[:, :2]) > SIDE / 4) > 0.8  # a side, seldom between


def test_its_sampler_can_be_inverted(folder: Path):
    policy = invertible(load_any_policy(folder), folder)
    noise = 0.7 * np.random.default_rng(2).standard_normal((6, 4, 7)).astype(np.float32)
    features = policy.encode([picture(True)] * 6, np.zeros((6, 7)), [TASKS[1]] * 6)
    found = invert(policy, features, policy.decode(features, noise))
    assert np.median(found.residual) < 0.02  # in spreads; noise that does not matter stays open
    assert found.usable().all()


def test_the_spec_is_known_without_the_network(folder: Path):
    policy = load_any_policy(folder)
    assert isinstance(policy, TransformerPolicy)
    assert describe(folder) == policy.spec
    assert policy.spec.tasks == TASKS[::-1]
    assert policy.spec.feature_dim == 2 * 4 + 7 + 4


def test_weights_of_another_network_and_a_foreign_card_are_refused(folder: Path, tmp_path: Path):
    for path in folder.glob("transformer_policy.*"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "roboreward.yaml").write_text("control_hz: 5\n")
    with pytest.raises(CheckpointError, match="other frameworks"):
        describe(tmp_path)
    (tmp_path / "roboreward.yaml").unlink()
    text = (tmp_path / DESCRIPTION_FILE).read_text()
    (tmp_path / DESCRIPTION_FILE).write_text(text.replace('"hidden": 32', '"hidden": 64'))
    with pytest.raises(CheckpointError, match="other shapes"):
        TransformerPolicy(tmp_path)
    (tmp_path / DESCRIPTION_FILE).write_text(text.replace('"format": 1', '"format": 2'))
    with pytest.raises(CheckpointError, match="format"):
        describe(tmp_path)


class KilledError(Exception):
    """What ends a training in its middle."""


def test_a_killed_training_ends_with_the_very_weights_of_a_whole_one(
    store: RowStore, tmp_path: Path
):
    def die(progress: CloneProgress) -> None:
        if progress.step == 8:
            raise KilledError

    _, whole = clone(store, short(), words(store), tmp_path / "whole")
    with pytest.raises(KilledError):
        clone(store, short(), words(store), tmp_path / "cut", on_progress=die)
    steps: list[int] = []
    _, resumed = clone(
        store, short(), words(store), tmp_path / "cut", on_progress=lambda p: steps.append(p.step)
    )
    assert steps[0] == 6  # after the state of step 5
    assert whole.keys() == resumed.keys()
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    one, other = (load_file(tmp_path / n / STATE_FILE) for n in ("whole", "cut"))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_finished_training_is_not_trained_again(store: RowStore, tmp_path: Path):
    _, first = clone(store, short(steps=3), words(store), tmp_path)
    steps: list[int] = []
    _, again = clone(
        store, short(steps=3), words(store), tmp_path, on_progress=lambda p: steps.append(p.step)
    )
    assert not steps
    assert all(torch.equal(first[name], again[name]) for name in first)


@pytest.mark.parametrize("change", [{"seed": 1}, {"learning_rate": 1e-3}, {"batch_size": 16}])
def test_the_state_of_another_training_is_refused(store: RowStore, tmp_path: Path, change):
    clone(store, short(steps=1), words(store), tmp_path)
    with pytest.raises(ConfigError, match="another training"):
        clone(store, short(steps=1, **change), words(store), tmp_path)


def test_a_damaged_state_is_refused(store: RowStore, tmp_path: Path):
    clone(store, short(steps=1), words(store), tmp_path)
    state = tmp_path / STATE_FILE
    state.write_bytes(state.read_bytes()[:-9])
    with pytest.raises(CheckpointError, match="state of a training"):
        clone(store, short(steps=1), words(store), tmp_path)


def test_gradients_gathered_over_parts_are_those_of_the_whole(store: RowStore, tmp_path: Path):
    _, whole = clone(store, short(steps=3), words(store), tmp_path / "one")
    _, parts = clone(store, short(steps=3, accumulate=4), words(store), tmp_path / "four")
    for name, value in whole.items():
        torch.testing.assert_close(parts[name], value, rtol=0, atol=2e-4)


def test_bfloat16_learns_like_float32(store: RowStore, tmp_path: Path):
    losses = {}
    for precision in ("float32", "bfloat16"):
        seen: list[CloneProgress] = []
        recipe = short(steps=12, precision=precision, validate_every=12)
        clone(store, recipe, words(store), tmp_path / precision, on_progress=seen.append)
        losses[precision] = seen[-1].held_out_loss
    assert losses["bfloat16"] == pytest.approx(losses["float32"], rel=0.05)


@pytest.mark.parametrize("kind", ["vit", "resnet"])
def test_pretrained_models_see_and_read(tmp_path: Path, kind: str):
    """The vision model is tuned gently, the text model travels with the policy, frozen."""
    store = write_rows(tmp_path / "rows", 32)
    network = replace(NETWORK, image_size=32, vision=Vision.PRETRAINED, open_vocabulary=True)
    recipe = TransformerRecipe(network, SamplerConfig(), short(steps=3).train)
    text = PretrainedText(make_tiny_text(tmp_path / "bert"))
    config, weights = read_vision(make_tiny_vision(tmp_path / kind, kind), 32)
    out = tmp_path / "policy"
    text.save(out / TEXT_FOLDER)
    description, trained = clone(store, recipe, Start(text, "t", config, weights), out)
    save_policy(out, description, trained, {})
    policy = TransformerPolicy(out)
    assert policy.spec.tasks == ()
    noise = np.zeros((2, 4, 7), np.float32)
    features = policy.encode([picture(True)] * 2, np.zeros((2, 7)), ["open the drawer", "carrot"])
    assert np.abs(features[0] - features[1]).max() > 1e-4
    assert np.isfinite(policy.decode(features, noise)).all()
    moved = [
        float((trained[f"vision.model.{name}"] - value).abs().max())
        for name, value in weights.items()
        if value.is_floating_point()
    ]
    assert 0 < max(moved) < 0.02
    statistics = [name for name in weights if "running" in name]
    assert bool(statistics) == (kind == "resnet")
    assert all(torch.equal(trained[f"vision.model.{n}"], weights[n]) for n in statistics)


def test_a_frozen_vision_model_stays_what_it_was(tmp_path: Path):
    store = write_rows(tmp_path / "rows", 32)
    network = replace(NETWORK, image_size=32, vision=Vision.PRETRAINED)
    recipe = TransformerRecipe(network, SamplerConfig(), short(steps=2, vision_rate=0.0).train)
    config, weights = read_vision(make_tiny_vision(tmp_path / "vit"), 32)
    _, trained = clone(store, recipe, Start(WordBags(store.tasks), "", config, weights), tmp_path)
    assert all(torch.equal(trained[f"vision.model.{name}"], weights[name]) for name in weights)


def test_published_statistics_normalise_instead_of_the_datas_own(store: RowStore, tmp_path: Path):
    recipe = replace(short(steps=1), data=DataConfig(statistics="bridge_data_v2"))
    description, _ = clone(store, recipe, words(store), tmp_path)
    assert description.action.spread[5] == 0.07808
    assert description.action.mean[6] == 0.59716
    wrong = replace(recipe, data=DataConfig(statistics="nonsense"))
    with pytest.raises(ConfigError, match="bridge_data_v2"):
        clone(store, wrong, words(store), tmp_path / "other")


@pytest.mark.parametrize(
    ("network", "named"),
    [
        (replace(NETWORK, image_size=32), "picture side"),
        (replace(NETWORK, vision=Vision.PRETRAINED), "no vision model"),
        (replace(NETWORK, open_vocabulary=True), "text model"),
    ],
)
def test_rows_and_models_that_do_not_fit_are_refused(store: RowStore, tmp_path, network, named):
    with pytest.raises(ConfigError, match=named):
        clone(store, replace(short(), network=network), words(store), tmp_path)


def test_a_training_that_diverges_says_so_and_keeps_what_was_saved(store: RowStore, tmp_path: Path):
    recipe = short(steps=6, save_every=3, learning_rate=1e38, warmup_steps=0)
    with pytest.raises(ConfigError, match="diverged"):
        clone(store, recipe, words(store), tmp_path)
    if (tmp_path / STATE_FILE).is_file():
        assert all(v.isfinite().all() for v in load_file(tmp_path / STATE_FILE).values())


@pytest.mark.parametrize(
    ("size", "value"),
    [("tokens", 0), ("depth", 10**6), ("hidden", 2**63), ("heads", -1), ("text_dim", 2**40)],
)
def test_transformers_that_cannot_be_built_are_refused(size: str, value: int):
    with pytest.raises(ConfigError, match=rf"TransformerConfig\.{size} is out of range"):
        replace(NETWORK, **{size: value})


@pytest.mark.parametrize("kind", TEXT_KINDS)
def test_text_models_read_a_sentence_the_same_in_any_company(tmp_path: Path, kind: str):
    text = PretrainedText(make_tiny_text(tmp_path, kind))
    both = text.embed(["open the drawer", "put the carrot on the plate"])
    assert both.shape == (2, text.width)
    assert np.abs(both[0] - both[1]).max() > 0.1
    np.testing.assert_array_equal(PretrainedText(tmp_path).embed(["open the drawer"])[0], both[0])


@pytest.mark.parametrize("kind", VISION_KINDS)
def test_vision_models_give_a_square_of_tokens(tmp_path: Path, kind: str):
    config, weights = read_vision(make_tiny_vision(tmp_path, kind), 32)
    model = PretrainedTokens(config, 32)
    model.model.load_state_dict(weights)
    assert model(torch.zeros(2, 3, 32, 32)).shape == (2, 16, 8)


def test_a_model_with_missing_weights_is_refused(tmp_path: Path):
    make_tiny_vision(tmp_path)
    kept = load_file(tmp_path / "model.safetensors")
    name = next(name for name in kept if "attention" in name)
    del kept[name]
    save_file(kept, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(CheckpointError, match="missing"):
        read_vision(tmp_path, 32)

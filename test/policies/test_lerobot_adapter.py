# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""LeRobot's diffusion policies: what its own code made of these numbers, and what is refused."""

import copy
import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from roboreward_ros.errors import CheckpointError, ConfigError
from roboreward_ros.policies.adapters.card import CARD_FILE
from roboreward_ros.policies.adapters.lerobot import LeRobotPolicy, describe
from roboreward_ros.protocols import Policy
from roboreward_ros.testing.conformance_policy import PolicyConformance
from roboreward_ros.testing.stored_layout import load_layout, observations, write_lerobot

LAYOUT = load_layout(Path(__file__).parent / "layouts" / "lerobot_diffusion.json")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("lerobot")
    write_lerobot(LAYOUT, made)
    return made


@pytest.fixture
def policy(loaded: Policy) -> Policy:
    return loaded


def rewrite(folder: Path, name: str, change) -> None:
    path = folder / name
    document = json.loads(path.read_text())
    change(document)
    path.unlink()
    path.write_text(json.dumps(document))


class TestLeRobotPolicy(PolicyConformance):
    @pytest.fixture
    def policy(self, loaded: Policy) -> Policy:
        return loaded


def test_it_acts_as_the_upstream_does(policy: Policy) -> None:
    """Decided at the second of two observations, by lerobot 0.4.4 itself."""
    spec = policy.spec
    pictures, proprio = observations(2, 64, 64)
    shape = (1, spec.prediction_horizon, 7)
    noise = np.random.default_rng(6).standard_normal(shape).astype(np.float32)
    features = policy.encode([np.stack(pictures)], proprio[None], ["any task"])
    # The upstream's noise begins one action in the past.
    actions = policy.decode(features, np.roll(noise, -1, axis=1))
    expected = np.array(LAYOUT["expected"])
    assert len(expected) == spec.chunk_size
    assert expected.std() > 0.05
    np.testing.assert_allclose(actions[0, : len(expected)], expected, atol=2e-5)


def test_a_single_observation_is_an_episodes_first(policy: Policy) -> None:
    (picture,), proprio = observations(1, 64, 64)
    twice = policy.encode([np.stack([picture] * 2)], proprio[None].repeat(2, axis=1), ["a"])
    np.testing.assert_array_equal(policy.encode([picture], proprio, ["a"]), twice)


def test_the_older_observation_matters(policy: Policy) -> None:
    pictures, proprio = observations(2, 64, 64)
    moving = policy.encode([np.stack(pictures)], proprio[None], ["a"])
    still = policy.encode([pictures[1]], proprio[1:], ["a"])
    assert np.abs(moving - still).max() > 1e-3


def test_the_spec_is_known_without_the_weights(folder: Path, policy: Policy) -> None:
    assert describe(folder) == policy.spec
    assert policy.spec.observation_steps == 2
    assert policy.spec.chunk_size == 4


def test_the_card_names_tasks_rate_and_chunk_and_changes_the_identity(
    copied: Path, policy: Policy
) -> None:
    (copied / CARD_FILE).write_text(
        "control_hz: 10\nchunk_size: 2\nsample_steps: 3\ntasks: [open the drawer]\n"
    )
    spec = describe(copied)
    assert (spec.control_hz, spec.chunk_size, spec.tasks) == (10.0, 2, ("open the drawer",))
    assert spec.policy_id != policy.spec.policy_id


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("chunk_size: 8", "chunk_size"),
        ("speed: 3", "speed"),
        ("tasks: open", "tasks"),
        ("goals: {open: a.png}", "no goals"),
        ("control_hz: 0", "control_hz"),
    ],
)
def test_a_card_that_does_not_fit_is_refused_by_name(copied: Path, text: str, named: str) -> None:
    (copied / CARD_FILE).write_text(text)
    with pytest.raises(ConfigError, match=named):
        describe(copied)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda c: c.update(type="act"), "act"),
        (lambda c: c.update(attention_heads=3), "attention_heads"),
        (
            lambda c: c["input_features"].update(wrist=c["input_features"]["observation.image"]),
            "wr",
        ),
        (lambda c: c["output_features"]["action"].update(shape=[6]), "another space"),
        (lambda c: c["input_features"]["observation.state"].update(shape=[14]), "14 numbers"),
        (lambda c: c.update(horizon=6), "horizon"),
        (lambda c: c.update(n_action_steps=8), "n_action_steps"),
        (lambda c: c.update(vision_backbone="vit"), "vit"),
        (lambda c: c.update(crop_shape=[99, 9]), "crop_shape"),
        (lambda c: c.update(spatial_softmax_num_keypoints=None), "num_keypoints is None"),
        (lambda c: c.update(n_obs_steps=True), "n_obs_steps is True"),
        (lambda c: c.update(kernel_size=0), "kernel_size"),
        (lambda c: c.update(resize_shape=5), "cannot be read"),
        (lambda c: c.update(resize_shape=[96, 96, 96]), "cannot be read"),
        (lambda c: c.update(crop_shape=[-5, -5]), "crop_shape.height"),
        (lambda c: c.update(down_dims=["a", "b"]), r"down_dims\[0\]"),
        (lambda c: c.update(down_dims=[]), "down_dims"),
        (lambda c: c.update(down_dims=[2**63, 8]), r"down_dims\[0\]"),
        (lambda c: c["normalization_mapping"].update(ACTION="MEDIAN"), "MEDIAN"),
    ],
)
def test_a_policy_that_the_arm_cannot_run_is_refused_by_name(
    copied: Path, change, named: str
) -> None:
    rewrite(copied, "config.json", change)
    with pytest.raises((CheckpointError, ConfigError), match=named):
        describe(copied)


def damaged(folder: Path, change) -> None:
    weights = load_file(folder / "model.safetensors")
    change(weights)
    (folder / "model.safetensors").unlink()
    save_file(weights, folder / "model.safetensors")


NAME = "diffusion.rgb_encoder.out.bias"


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda w: w.pop(NAME), "missing rgb_encoder.out.bias"),
        (lambda w: w.update({NAME: w[NAME][:-1]}), "rgb_encoder.out.bias"),
        (lambda w: w.update({NAME: w[NAME] * np.nan}), "finite"),
        (lambda w: w.update({"diffusion.extra": w[NAME]}), "unexpected extra"),
        (lambda w: w.update({"model.x": w[NAME]}), "model.x"),
    ],
)
def test_weights_that_do_not_fit_are_refused_by_name(copied: Path, change, named: str) -> None:
    damaged(copied, change)
    with pytest.raises(CheckpointError, match=named):
        LeRobotPolicy(copied)


def test_missing_statistics_are_refused_by_name(copied: Path) -> None:
    name = "policy_postprocessor_step_0_unnormalizer_processor.safetensors"
    arrays = load_file(copied / name)
    del arrays["action.min"]
    (copied / name).unlink()
    save_file(arrays, copied / name)
    with pytest.raises(CheckpointError, match=r"action \(MIN_MAX\)"):
        LeRobotPolicy(copied)


def test_processors_that_contradict_the_config_are_refused(copied: Path) -> None:
    def other(document) -> None:
        document["steps"][-1]["config"]["norm_map"]["STATE"] = "MEAN_STD"

    rewrite(copied, "policy_preprocessor.json", other)
    with pytest.raises(CheckpointError, match="differently"):
        LeRobotPolicy(copied)


def test_statistics_inside_the_weights_of_older_releases_are_read(
    copied: Path, policy: Policy
) -> None:
    state = load_file(copied / "policy_preprocessor_step_3_normalizer_processor.safetensors")

    def inside(weights) -> None:
        for name, value in state.items():
            feature, statistic = name.rsplit(".", 1)
            stem = "unnormalize_outputs" if feature == "action" else "normalize_inputs"
            key = f"{stem}.buffer_{feature.replace('.', '_')}.{statistic}"
            weights[key] = copy.deepcopy(value)

    damaged(copied, inside)
    for path in copied.glob("policy_*"):
        path.unlink()
    old = LeRobotPolicy(copied)
    pictures, proprio = observations(1, 64, 64)
    features = policy.encode(pictures, proprio, ["a"])
    np.testing.assert_array_equal(old.encode(pictures, proprio, ["a"]), features)
    noise = np.ones((1, policy.spec.prediction_horizon, 7), np.float32)
    np.testing.assert_array_equal(old.decode(features, noise), policy.decode(features, noise))

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""open-pi-zero's flow policies: what its own code made of these numbers, and what is refused."""

import copy
import json
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from safetensors.numpy import load_file, save_file
from tokenizers import AddedToken, Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit

from roboreward_ros.errors import CheckpointError, ConfigError
from roboreward_ros.policies.adapters.pi_zero import (
    REMEMBERED,
    WEIGHTS_FILE,
    PiZeroPolicy,
    describe,
)
from roboreward_ros.protocols import Policy
from roboreward_ros.testing.conformance_policy import PolicyConformance
from roboreward_ros.testing.stored_layout import draw_all, load_layout, observations

LAYOUT = load_layout(Path(__file__).parent / "layouts" / "open_pi_zero.json")
WORDS = ("<unk>", "open", "the", "drawer", "put", "carrot")


def weights() -> dict[str, np.ndarray]:
    """As the upstream saves them: proprioception and action share one expert."""
    drawn = draw_all(LAYOUT["tensors"])
    return {name: drawn[name.replace(".proprio.", ".action.")] for name in drawn}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("pi_zero")
    save_file(weights(), made / WEIGHTS_FILE)
    (made / "pi_zero.yaml").write_text(yaml.safe_dump(LAYOUT["config"]))
    (made / "pi_zero_statistics.json").write_text(json.dumps(LAYOUT["statistics"]))
    vocabulary = {word: number for number, word in enumerate(WORDS, start=1)}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = WhitespaceSplit()
    tokenizer.add_special_tokens([AddedToken("<bos>", special=True)])
    tokenizer.save(str(made / "tokenizer.json"))
    return made


@pytest.fixture
def policy(loaded: Policy) -> Policy:
    return loaded


class TestPiZeroPolicy(PolicyConformance):
    @pytest.fixture
    def policy(self, loaded: Policy) -> Policy:
        return loaded


@torch.inference_mode()
def test_the_flow_is_the_upstreams(policy: PiZeroPolicy) -> None:
    network, rng = policy._network, np.random.default_rng(6)
    side = policy.spec.image_size
    picture = torch.from_numpy(rng.uniform(-1, 1, (1, 3, side, side)).astype(np.float32))
    proprio = torch.from_numpy(rng.uniform(-1, 1, (1, 7)).astype(np.float32))
    shape = (1, policy.spec.prediction_horizon, 7)
    noise = torch.from_numpy(rng.standard_normal(shape).astype(np.float32))
    _, kept = network.prefix(picture, torch.tensor([LAYOUT["text"]]), proprio)
    expected = np.array(LAYOUT["expected"])
    assert expected.std() > 0.5
    np.testing.assert_allclose(network.flow(noise, kept)[0].numpy(), expected, atol=5e-5)


def test_the_prefix_runs_once_a_decision(policy: PiZeroPolicy, monkeypatch) -> None:
    runs = []
    network = policy._network
    prefix, velocity = network.prefix, network.velocity
    monkeypatch.setattr(network, "prefix", lambda *a: runs.append("prefix") or prefix(*a))
    monkeypatch.setattr(network, "velocity", lambda *a: runs.append("step") or velocity(*a))
    features = policy.encode(*observations(1, 32, 32), ["open the drawer"])
    policy.decode(features, np.zeros((1, policy.spec.prediction_horizon, 7), np.float32))
    assert runs == ["prefix"] + ["step"] * LAYOUT["config"]["num_inference_steps"]


def test_sentence_picture_and_proprioception_matter(policy: Policy) -> None:
    (one, other), proprio = observations(2, 32, 32)
    asked = [
        ([one], proprio[:1], "open the drawer"),
        ([one], proprio[:1], "put the carrot"),
        ([other], proprio[:1], "open the drawer"),
        ([one], proprio[1:], "open the drawer"),
    ]
    noise = np.ones((1, policy.spec.prediction_horizon, 7), np.float32)
    made = [
        policy.decode(policy.encode(images, state, [task]), noise) for images, state, task in asked
    ]
    assert all(np.abs(made[0] - other).max() > 1e-6 for other in made[1:])


def test_features_of_an_observation_that_is_forgotten_are_refused(policy: Policy) -> None:
    images, proprio = observations(1, 32, 32)
    first = policy.encode(images, proprio, ["open"])
    noise = np.zeros((1, policy.spec.prediction_horizon, 7), np.float32)
    policy.decode(first, noise)
    for index in range(REMEMBERED):
        policy.encode(images, proprio + 0.01 * (index + 1), ["open"])
    with pytest.raises(CheckpointError, match="critic is latent"):
        policy.decode(first, noise)


def test_actions_are_physical_and_the_gripper_is_as_trained(policy: PiZeroPolicy) -> None:
    features = policy.encode(*observations(1, 32, 32), ["open"])
    noise = np.zeros((1, policy.spec.prediction_horizon, 7), np.float32)
    actions = policy.decode(features, noise)
    unit = policy._network.flow(torch.from_numpy(noise), policy._recall(torch.tensor(features[0])))
    low, high = (np.array(LAYOUT["statistics"]["action"][key]) for key in ("p01", "p99"))
    wanted = (unit.numpy()[..., :6] + 1) / 2 * (high - low)[:6] + low[:6]
    np.testing.assert_allclose(actions[..., :6], wanted, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(actions[..., 6], unit.numpy()[..., 6], atol=1e-6)


def test_the_spec_is_known_without_the_weights(folder: Path, policy: Policy) -> None:
    assert describe(folder) == policy.spec


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"action_expert_adaptive_mode": "adaLN"}, "adaptive_mode"),
        ({"quantize": True}, "quantize"),
        ({"cond_steps": 2}, "cond_steps"),
        ({"proprio_dim": 8}, "proprio_dim"),
        ({"horizon_steps": "four"}, "four"),
        ({"joint": {}}, "config"),
        ({"env": {"adapter": {"max_seq_len": 4}}}, "tokens"),
    ],
)
def test_another_form_of_the_policy_is_refused_by_name(copied: Path, change, named: str) -> None:
    config = {**copy.deepcopy(LAYOUT["config"]), **change}
    (copied / "pi_zero.yaml").write_text(yaml.safe_dump(config))
    with pytest.raises((CheckpointError, ConfigError), match=named):
        describe(copied)


def test_weights_that_do_not_fit_are_refused_by_name(copied: Path) -> None:
    stored = load_file(copied / WEIGHTS_FILE)
    stored["_orig_mod.action_decoder.bias"] = stored.pop("action_decoder.bias")
    save_file(stored, copied / WEIGHTS_FILE)
    with pytest.raises(CheckpointError, match=r"missing action_decoder\.bias"):
        PiZeroPolicy(copied)


def test_another_tokenizer_is_refused_by_name(copied: Path) -> None:
    Tokenizer(WordLevel({"<unk>": 0}, unk_token="<unk>")).save(str(copied / "tokenizer.json"))
    with pytest.raises(CheckpointError, match="PaliGemma"):
        PiZeroPolicy(copied)
    (copied / "tokenizer.json").unlink()
    with pytest.raises(CheckpointError, match=r"tokenizer\.json"):
        describe(copied)

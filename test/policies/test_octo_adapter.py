# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Octo's checkpoints: what octo-pytorch itself made of these numbers, and what is refused."""

import copy
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from tokenizers.processors import TemplateProcessing

from roboreward_ros.errors import CheckpointError, ConfigError
from roboreward_ros.policies.adapters.octo import WEIGHTS_FILE, OctoPolicy, describe
from roboreward_ros.policies.adapters.octo_config import CONFIG_FILE, STATISTICS_FILE
from roboreward_ros.protocols import Policy
from roboreward_ros.testing.conformance_policy import PolicyConformance
from roboreward_ros.testing.stored_layout import draw_all, load_layout, observations

LAYOUT = load_layout(Path(__file__).parent / "layouts" / "octo.json")
WORDS = ("<pad>", "</s>", "<unk>", "open", "the", "drawer", "put", "carrot")


def weights() -> dict[str, np.ndarray]:
    """As the upstream saves them: T5's words stand under two names."""
    drawn = draw_all(LAYOUT["tensors"])
    tied = "encoder.embed_tokens"
    return {name: drawn[name.replace(tied, "shared")] for name in drawn}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("octo")
    save_file(weights(), made / WEIGHTS_FILE)
    (made / CONFIG_FILE).write_text(json.dumps(LAYOUT["config"]))
    (made / STATISTICS_FILE).write_text(json.dumps(LAYOUT["statistics"]))
    vocabulary = {word: number for number, word in enumerate(WORDS)}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = WhitespaceSplit()
    tokenizer.post_processor = TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    tokenizer.save(str(made / "tokenizer.json"))
    return made


@pytest.fixture
def policy(loaded: Policy) -> Policy:
    return loaded


class TestOctoPolicy(PolicyConformance):
    batch_tolerance = 1e-5  # drawn weights saturate the actions at five spreads

    @pytest.fixture
    def policy(self, loaded: Policy) -> Policy:
        return loaded


@torch.inference_mode()
def test_it_reads_and_denoises_as_the_upstream_does(policy: OctoPolicy) -> None:
    """One row begins an episode, so that its first observation is masked; the other does not."""
    network, rng = policy._network, np.random.default_rng(6)
    side = policy.spec.image_size
    frames = torch.from_numpy(rng.integers(0, 256, (2, 2, side, side, 3), dtype=np.uint8))
    ids = torch.tensor([[5, 9, 1, 0, 0, 0], [7, 3, 2, 8, 1, 0]])
    sentence = network.octo_transformer.sentence(ids, (ids != 0).long())
    present = torch.tensor([[False, True], [True, True]])
    noise = torch.from_numpy(rng.standard_normal((2, 28)).astype(np.float32))
    read = network.octo_transformer(frames, sentence, present)
    expected = np.array(LAYOUT["read"])
    assert expected.std() > 0.5
    np.testing.assert_allclose(read.numpy(), expected, atol=1e-5)
    predicted = network.predict(noise, 10, read)
    np.testing.assert_allclose(predicted.numpy(), np.array(LAYOUT["predicted"]), atol=1e-5)


def test_an_episodes_first_observation_is_not_seen_twice(policy: OctoPolicy) -> None:
    (picture, newer), proprio = observations(2, 32, 32)
    once = policy.encode([picture], proprio[:1], ["open the drawer"])
    twice = policy.encode([np.stack([picture] * 2)], proprio[None, [0, 0]], ["open the drawer"])
    np.testing.assert_array_equal(once, twice)
    # Another state of the arm: the same picture is an observation of its own.
    moved = policy.encode([np.stack([picture] * 2)], proprio[None], ["open the drawer"])
    assert np.abs(moved - once).max() > 1e-3
    both = policy.encode([np.stack([picture, newer])], proprio[None], ["open the drawer"])
    assert np.abs(both - policy.encode([newer], proprio[1:], ["open the drawer"])).max() > 1e-3


def test_the_sentence_matters_and_is_cut_to_what_octo_reads(policy: OctoPolicy) -> None:
    (picture,), proprio = observations(1, 32, 32)
    long = "open the drawer " * 10

    def read(task: str) -> np.ndarray:
        return policy.encode([picture], proprio, [task])

    assert np.abs(read("open the drawer") - read("put the carrot")).max() > 1e-3
    np.testing.assert_array_equal(read(long), read(long + "put the carrot"))


def test_actions_are_restored_by_bridgedatas_statistics_but_for_the_gripper(
    policy: OctoPolicy,
) -> None:
    action = LAYOUT["statistics"]["bridge_dataset"]["action"]
    one = np.ones((1, 1, 7), np.float32)
    restored = policy._config.action.restore(one)[0, 0]
    physical = np.add(action["mean"], action["std"])
    np.testing.assert_allclose(restored, [*physical[:6], 1.0], rtol=1e-6)


def test_the_spec_is_known_without_the_weights(folder: Path, policy: Policy) -> None:
    spec = describe(folder)
    assert spec == policy.spec
    assert (spec.prediction_horizon, spec.chunk_size, spec.observation_steps) == (4, 4, 2)
    assert spec.feature_dim == 16


def rewrite(folder: Path, name: str, change) -> None:
    path = folder / name
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


def head(document) -> dict:
    return document["model"]["heads"]["action"]


def primary(document) -> dict:
    return document["model"]["observation_tokenizers"]["primary"]["kwargs"]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda c: c["model"].update(use_correct_attention=False), "use_correct_attention"),
        (lambda c: head(c).update(name="L1ActionHeadPt"), "L1ActionHead"),
        (lambda c: head(c)["kwargs"].update(use_map=True), "use_map"),
        (lambda c: head(c)["kwargs"].update(action_dim=14), "action_dim"),
        (lambda c: head(c)["kwargs"].update(readout_key="obs"), "readout_key"),
        (lambda c: c["model"]["observation_tokenizers"].update(proprio={}), "proprio"),
        (lambda c: c["model"]["task_tokenizers"].clear(), "task tokenizers"),
        (lambda c: primary(c).update(task_film_keys=["language"]), "task_film_keys"),
        (lambda c: primary(c)["encoder"].update(name="ResNet26FILM"), "ResNet26FILM"),
        (lambda c: c.update(window_size=11), "window"),
        (lambda c: c["model"]["transformer_kwargs"].update(num_layers=10**6), r"1\.\.100"),
        (lambda c: c["model"].update(token_embedding_size=True), "True is no whole number"),
        (lambda c: c.pop("window_size"), "window_size"),
        (lambda c: c["model"].update(token_embedding_size=17), "heads"),
    ],
)
def test_an_octo_that_the_arm_cannot_run_is_refused_by_name(
    copied: Path, change, named: str
) -> None:
    rewrite(copied, CONFIG_FILE, change)
    with pytest.raises((CheckpointError, ConfigError), match=named):
        describe(copied)


def test_statistics_of_several_data_sets_without_bridgedata_are_refused(copied: Path) -> None:
    rewrite(copied, STATISTICS_FILE, lambda s: s.update(kuka=s.pop("bridge_dataset")))
    with pytest.raises(CheckpointError, match="fractal"):
        describe(copied)


def test_a_fine_tuned_octos_own_statistics_are_taken(copied: Path) -> None:
    action = copy.deepcopy(LAYOUT["statistics"]["bridge_dataset"]["action"])
    del action["mask"]
    (copied / STATISTICS_FILE).write_text(json.dumps({"action": action}))
    policy = OctoPolicy(copied)
    assert policy._config.action.spread == tuple(action["std"])


STEM = "module.octo_transformer.observation_tokenizers.primary.encoder_def.embedding.weight"


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda w: w.pop(STEM), "missing octo_transformer.observation_tokenizers.primary"),
        (lambda w: w.update({STEM: w[STEM][:-1]}), "other shapes"),
        (lambda w: w.update({STEM: w[STEM] * np.nan}), "finite"),
        (lambda w: w.update({"module.extra": w[STEM]}), "unexpected extra"),
        (
            lambda w: w.pop(
                "module.octo_transformer.task_tokenizers.language.hf_model.shared.weight"
            ),
            "no T5",
        ),
    ],
)
def test_weights_that_do_not_fit_are_refused_by_name(copied: Path, change, named: str) -> None:
    changed = load_file(copied / WEIGHTS_FILE)
    change(changed)
    save_file(changed, copied / WEIGHTS_FILE)
    with pytest.raises(CheckpointError, match=named):
        OctoPolicy(copied)


def test_a_tokenizer_that_is_not_t5s_is_refused(copied: Path) -> None:
    Tokenizer(WordLevel({"<unk>": 0}, unk_token="<unk>")).save(str(copied / "tokenizer.json"))
    with pytest.raises(CheckpointError, match="not T5"):
        OctoPolicy(copied)

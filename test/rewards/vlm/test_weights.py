# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What may be loaded, and what is refused with a remedy."""

import json
import shutil

import pytest

from roboreward_ros.errors import RewardSourceError
from roboreward_ros.rewards.vlm.backend import Backend
from roboreward_ros.rewards.vlm.prompt import Family, PromptConfig, scoring_prompt
from roboreward_ros.rewards.vlm.settings import WeightsConfig
from roboreward_ros.rewards.vlm.weights import fingerprint, load, locate, require_safetensors
from roboreward_ros.testing.tiny_vlm import TinySize, make_tiny_adapter, make_tiny_vlm, random_clip

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def base(tiny):
    return tiny(Family.QWEN3_VL)


@pytest.fixture
def copy(base, tmp_path):
    return shutil.copytree(base, tmp_path / "copy")


def refuse(match, **options):
    with pytest.raises(RewardSourceError, match=match):
        load(WeightsConfig(**{"device": "cpu", "offline": True, **options}))


def test_a_hub_id_must_be_pinned_and_present_when_offline():
    refuse("not pinned", model="someone/some-model")
    refuse("not pinned", model="someone/some-model", revision="main")
    refuse("not pinned", model="someone/some-model", revision=COMMIT[:8])
    refuse("hf download someone/some-model", model="someone/some-model", revision=COMMIT)
    with pytest.raises(RewardSourceError, match="no such folder"):
        locate("/nowhere/at all", "", True)


def test_pickled_weights_are_never_loaded(copy):
    (copy / "model.safetensors").rename(copy / "pytorch_model.bin")
    refuse("safetensors", model=str(copy))
    with pytest.raises(RewardSourceError, match=r"pytorch_model\.bin"):
        require_safetensors(copy)


def test_another_kind_of_model_is_refused(copy):
    settings = json.loads((copy / "config.json").read_text())
    settings["model_type"] = "llava"
    (copy / "config.json").write_text(json.dumps(settings))
    refuse("qwen3_vl, qwen2_5_vl", model=str(copy))


@pytest.mark.parametrize("content", ["", "[]", "{"])
def test_a_damaged_description_is_refused(copy, content):
    (copy / "config.json").write_text(content)
    refuse(r"config\.json", model=str(copy))


def test_damaged_weights_are_refused(copy):
    data = (copy / "model.safetensors").read_bytes()
    (copy / "model.safetensors").write_bytes(data[: len(data) // 2])
    refuse("cannot be loaded", model=str(copy))


def test_code_beside_the_weights_is_not_run(copy):
    settings = json.loads((copy / "config.json").read_text())
    settings["auto_map"] = {"AutoModelForImageTextToText": "evil.Model"}
    (copy / "config.json").write_text(json.dumps(settings))
    (copy / "evil.py").write_text("raise SystemExit('ran')\n")
    assert load(WeightsConfig(str(copy), device="cpu")).family is Family.QWEN3_VL


def test_devices():
    refuse("no CUDA device|cannot|folder", model="x", device="cuda:9")
    refuse("unknown device", model="x", device="toaster")


def test_the_fingerprint_follows_the_weights(base, copy):
    assert fingerprint(base) == fingerprint(copy)
    data = bytearray((copy / "model.safetensors").read_bytes())
    data[-1] ^= 1
    (copy / "model.safetensors").write_bytes(bytes(data))
    assert fingerprint(base) != fingerprint(copy)


def test_a_folder_is_known_by_what_it_holds_and_not_by_what_is_claimed(base):
    weights = load(WeightsConfig(str(base), revision=COMMIT, device="cpu"))
    assert weights.identity == f"{base.name}@{fingerprint(base)}"


def test_an_adapter_without_effect_is_refused(base, tmp_path):
    zero = make_tiny_adapter(tmp_path / "zero", base, zero=True)
    refuse("all lora_B", model=str(base), adapter=str(zero))


def test_an_incomplete_adapter_is_refused(base, tiny_adapter, tmp_path):
    from safetensors.torch import load_file, save_file

    folder = shutil.copytree(tiny_adapter(Family.QWEN3_VL), tmp_path / "adapter")
    file = folder / "adapter_model.safetensors"
    tensors = load_file(str(file))
    some = next(name for name in tensors if "lora_B" in name)
    save_file({name: t for name, t in tensors.items() if name != some}, str(file))
    refuse("lacks weights", model=str(base), adapter=str(folder))
    save_file({**tensors, some.replace("layers.0", "layers.7"): tensors[some].clone()}, str(file))
    refuse("belong nowhere", model=str(base), adapter=str(folder))
    file.unlink()
    refuse("not an adapter", model=str(base), adapter=str(folder))


def test_an_adapter_of_another_size_is_refused(tiny_adapter, tmp_path):
    smaller = make_tiny_vlm(tmp_path / "smaller", size=TinySize(hidden=48))
    adapter = str(tiny_adapter(Family.QWEN3_VL))
    refuse("does not fit", model=str(smaller), adapter=adapter)


def test_whole_modules_inside_others_are_not_wrapped_twice(base, tmp_path):
    folder = make_tiny_adapter(tmp_path / "visual", base, whole=["visual"])
    before = load(WeightsConfig(str(base), adapter=str(folder), device="cpu"))
    settings = json.loads((folder / "adapter_config.json").read_text())
    settings["modules_to_save"] = ["merger", "visual"]
    (folder / "adapter_config.json").write_text(json.dumps(settings))
    after = load(WeightsConfig(str(base), adapter=str(folder), device="cpu"))
    plain = load(WeightsConfig(str(base), device="cpu"))
    clip = random_clip(4)
    prompt = scoring_prompt("open the drawer", PromptConfig(), Family.QWEN3_VL)
    first, second, third = (Backend(w).score(prompt, clip).logits for w in (before, after, plain))
    assert first == second
    assert first != third

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""bridge_data_v2's goal-conditioned diffusion policy: what Flax made of these numbers, refusals."""

import copy
import json
from pathlib import Path

import cv2
import msgpack
import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from roboreward_ros.cli.main import main
from roboreward_ros.errors import CheckpointError, ConfigError
from roboreward_ros.policies.adapters.gc_ddpm import WEIGHTS_FILE, GcDdpmPolicy, convert, describe
from roboreward_ros.protocols import Policy
from roboreward_ros.testing.conformance_policy import PolicyConformance
from roboreward_ros.testing.stored_layout import draw_all, load_layout, observations

LAYOUT = load_layout(Path(__file__).parent / "layouts" / "gc_ddpm_bc.json")
SIZE = LAYOUT["image_size"]
TASK = "open the drawer"


def flax_bytes(tree: object) -> bytes:
    """As flax.serialization writes it: arrays are extension 1 of (shape, dtype, bytes)."""

    def pack(value: object) -> msgpack.ExtType:
        assert isinstance(value, np.ndarray)
        parts = (value.shape, value.dtype.name, value.tobytes())
        return msgpack.ExtType(1, msgpack.packb(parts, use_bin_type=True))

    return msgpack.packb(tree, default=pack, strict_types=True)


def nested(tensors: dict[str, np.ndarray]) -> dict:
    tree: dict = {}
    for name, value in tensors.items():
        *parents, leaf = name.split("/")
        node = tree
        for parent in parents:
            node = node.setdefault(parent, {})
        node[leaf] = value
    return tree


@pytest.fixture(scope="module")
def flax_files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    made = tmp_path_factory.mktemp("flax")
    actor = nested(draw_all(LAYOUT["tensors"], LAYOUT["gain"]))
    state = {"step": 7, "target_params": {"modules_actor": actor}, "params": {}}
    (made / "checkpoint_7").write_bytes(flax_bytes({"state": state}))
    (made / "config.json").write_text(json.dumps(LAYOUT["config"]))
    return made / "checkpoint_7", made / "config.json"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, flax_files: tuple[Path, Path]) -> Path:
    made = tmp_path_factory.mktemp("gc_ddpm")
    convert(*flax_files, SIZE, made)
    goal = observations(3, SIZE, SIZE)[0][2]
    cv2.imwrite(str(made / "goal.png"), goal[..., ::-1])
    (made / "roboreward.yaml").write_text(f"goals:\n  {TASK}: goal.png\n")
    return made


@pytest.fixture
def policy(loaded: Policy) -> Policy:
    return loaded


class TestGcDdpmPolicy(PolicyConformance):
    batch_tolerance = 5e-5

    @pytest.fixture
    def policy(self, loaded: Policy) -> Policy:
        return loaded


def test_it_sees_and_predicts_as_the_upstream_does(policy: GcDdpmPolicy) -> None:
    pictures, proprio = observations(3, SIZE, SIZE)
    features = policy.encode(pictures[1:2], proprio[1:2], [TASK])
    expected = np.array(LAYOUT["encoded"])
    assert expected.std() > 0.05
    np.testing.assert_allclose(features[0], expected, atol=2e-4)
    shape = (1, policy.spec.prediction_horizon * 7)
    noise = np.random.default_rng(6).standard_normal(shape).astype(np.float32)
    for step, predicted in LAYOUT["predicted"].items():
        got = policy._network.predict(
            torch.from_numpy(noise), int(step), torch.from_numpy(features)
        )
        np.testing.assert_allclose(got[0].numpy(), predicted, atol=5e-4)
    np.testing.assert_allclose(policy._sampler.powers.numpy(), LAYOUT["powers"], atol=1e-6)


def test_the_goal_matters(folder: Path, copied: Path, policy: Policy) -> None:
    (copied / "goal.png").unlink()
    cv2.imwrite(str(copied / "goal.png"), np.zeros((SIZE, SIZE, 3), np.uint8))
    other = GcDdpmPolicy(copied)
    assert other.spec.policy_id != policy.spec.policy_id
    pictures, proprio = observations(1, SIZE, SIZE)
    mine, theirs = (p.encode(pictures, proprio, [TASK]) for p in (policy, other))
    assert np.abs(mine - theirs).max() > 1e-3


def test_actions_are_in_physical_units(policy: Policy) -> None:
    features = policy.encode(*observations(1, SIZE, SIZE), [TASK])
    noise = np.zeros((1, policy.spec.prediction_horizon, 7), np.float32)
    actions = policy.decode(features, noise)
    spread = np.array(policy._statistics.spread)  # type: ignore[attr-defined]
    mean = np.array(policy._statistics.mean)  # type: ignore[attr-defined]
    assert np.all(np.abs(actions - mean) <= 2.0001 * spread)


def test_the_spec_is_known_without_the_weights(folder: Path, policy: Policy) -> None:
    assert describe(folder) == policy.spec
    assert policy.spec.tasks == (TASK,)


def test_a_folder_without_goals_says_what_is_needed(copied: Path) -> None:
    (copied / "roboreward.yaml").unlink()
    with pytest.raises(ConfigError, match="goal picture per task"):
        describe(copied)


def test_a_goal_that_is_no_picture_is_refused(copied: Path) -> None:
    (copied / "goal.png").unlink()
    (copied / "goal.png").write_text("no picture")
    with pytest.raises(CheckpointError, match="goal picture"):
        GcDdpmPolicy(copied)


def _set(config: dict, *path_and_value: object) -> None:
    *path, last, value = path_and_value
    for name in path:
        config = config[name]
    config[last] = value


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (("agent", "gc_bc"), "gc_bc"),
        (("agent_kwargs", "use_proprio", True), "use_proprio"),
        (("agent_kwargs", "early_goal_concat", False), "early_goal_concat"),
        (("encoder_kwargs", "pooling_method", "max"), "pooling_method"),
        (("encoder", "resnetv1-50-bridge"), "resnetv1-50-bridge"),
        (("agent_kwargs", "beta_schedule", "sine"), "sine"),
        (("dataset_kwargs", "act_pred_horizon", None), "whole number"),
        (("bridgedata_config", {}), "action_proprio_metadata"),
        (("agent_kwargs", "score_network_kwargs", "num_blocks", 10**6), r"1\.\.100"),
    ],
)
def test_another_form_of_the_agent_is_refused_by_name(
    flax_files: tuple[Path, Path], tmp_path: Path, change, named: str
) -> None:
    config = copy.deepcopy(LAYOUT["config"])
    _set(config, *change)
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config))
    with pytest.raises((CheckpointError, ConfigError), match=named):
        convert(flax_files[0], path, SIZE, tmp_path / "out")


def test_weights_that_do_not_fit_are_refused_by_name(copied: Path) -> None:
    weights = load_file(copied / WEIGHTS_FILE)
    weights["reverse_network/Dense_2/bias"] = weights.pop("reverse_network/Dense_1/bias")
    (copied / WEIGHTS_FILE).unlink()
    save_file(weights, copied / WEIGHTS_FILE)
    with pytest.raises(CheckpointError, match=r"missing reverse_network\.Dense_1\.bias"):
        GcDdpmPolicy(copied)


def test_no_flax_checkpoint_is_refused_by_name(
    flax_files: tuple[Path, Path], tmp_path: Path
) -> None:
    path = tmp_path / "checkpoint"
    path.write_bytes(b"PK\x03\x04 something else")
    with pytest.raises(CheckpointError, match="Flax checkpoint"):
        convert(path, flax_files[1], SIZE, tmp_path / "out")
    path.write_bytes(flax_bytes({"state": {"params": {}}}))
    with pytest.raises(CheckpointError, match="target_params"):
        convert(path, flax_files[1], SIZE, tmp_path / "out")
    path.write_bytes(flax_bytes({"state": {"target_params": {"modules_actor": {"a": "away"}}}}))
    with pytest.raises(CheckpointError, match="elsewhere"):
        convert(path, flax_files[1], SIZE, tmp_path / "out")


def test_the_command_converts(flax_files: tuple[Path, Path], tmp_path: Path, capsys) -> None:
    out = tmp_path / "converted"
    words = [*map(str, flax_files), "--out", str(out), "--image-size", str(SIZE)]
    assert main(["policy", "convert", *words]) == 0
    assert "goals:" in capsys.readouterr().out
    assert (out / WEIGHTS_FILE).is_file()

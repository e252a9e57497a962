# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The checkpoint in ``assets``: what it promises, and that it belongs to today's recipe."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import roboreward_ros
from roboreward_ros.policies.checkpoint import Checkpoint, load_checkpoint
from roboreward_ros.policies.diffusion import DiffusionPolicy, load_policy
from roboreward_ros.policies.noise import prior_noise
from roboreward_ros.policies.recipe import load_recipe
from roboreward_ros.protocols import Policy
from roboreward_ros.testing.conformance_policy import PolicyConformance

PACKAGE = Path(roboreward_ros.__file__).parent
SHIPPED = PACKAGE / "assets" / "policies" / "widowx_twin"
DEMO_TASK = "open the drawer"
TASKS = {
    DEMO_TASK,
    "put the mushroom on the cloth",
    "put the carrot on the plate",
    "stack the green block on the yellow block",
}


@pytest.fixture(scope="module")
def shipped() -> DiffusionPolicy:
    return load_policy("demo")


@pytest.fixture(scope="module")
def checkpoint() -> Checkpoint:
    return load_checkpoint(SHIPPED)


class TestShippedPolicy(PolicyConformance):
    @pytest.fixture
    def policy(self, shipped: DiffusionPolicy) -> Policy:
        return shipped


def test_it_is_small_and_free_of_pickle():
    names = {path.name: path.stat().st_size for path in SHIPPED.iterdir()}
    assert set(names) == {"policy.json", "policy.safetensors"}
    assert sum(names.values()) < 4_000_000


def test_its_spec_is_what_the_stack_expects(shipped: DiffusionPolicy):
    spec = shipped.spec
    assert set(spec.tasks) == TASKS
    assert spec.control_hz == 5.0
    assert spec.feature_dim <= 160
    assert (spec.prediction_horizon, spec.chunk_size) == (4, 4)


def test_it_comes_from_the_recipe_of_this_checkout(checkpoint: Checkpoint):
    recipe = load_recipe(PACKAGE.parent / "config" / "policies" / "widowx_twin.yaml")
    assert checkpoint.provenance["recipe"] == json.loads(json.dumps(recipe.as_json()))
    assert str(checkpoint.provenance["command"]).startswith("roboreward policy train --sim")
    assert len(str(checkpoint.provenance["data_sha256"])) == 64
    assert checkpoint.description.network == recipe.network
    assert checkpoint.description.sampler == recipe.sampler


def test_its_measured_baselines_leave_room_for_steering(checkpoint: Checkpoint):
    success = checkpoint.provenance["success"]
    assert set(success) == set(checkpoint.description.tasks)
    for rows in success.values():
        assert all(row["n"] >= 100 for row in rows.values())
    for task in (DEMO_TASK, "put the mushroom on the cloth"):
        prior, zero = (success[task][noise]["rate"] for noise in ("prior", "zero"))
        assert 0.3 <= prior <= 0.55
        assert abs(prior - zero) <= 0.1, "no gain may come from a smaller noise alone"


def test_noise_changes_what_it_does_and_the_sentence_what_it_sees(shipped: DiffusionPolicy):
    image = np.full((256, 256, 3), 128, dtype=np.uint8)
    proprio = np.array([[0.25, 0.0, 0.17, 0.0, 0.0, 0.0, 1.0]])
    seen = [shipped.encode([image], proprio, [task]) for task in shipped.spec.tasks]
    assert np.abs(seen[0] - seen[1]).max() > 0.1
    chunks = [shipped.decode(seen[0], prior_noise(0, k, 4)[None]) for k in range(8)]
    assert np.std([chunk[0, :, 1].sum() for chunk in chunks]) > 1e-3  # metres, sideways

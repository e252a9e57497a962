# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Whoever steers the shipped policy sees its features only: they must tell where things are."""

from __future__ import annotations

import numpy as np
import pytest

from roboreward_ros.policies.diffusion import DiffusionPolicy, load_policy
from roboreward_ros.sim.seeds import held_out_seed
from roboreward_ros.sim.tasks import find_task
from roboreward_ros.sim.twin import Twin
from roboreward_ros.types import FloatArray

FITTED, PROBED = 80, 24
RIDGE = 1e-2


@pytest.fixture(scope="module")
def twin():
    twin = Twin()
    yield twin
    twin.close()


@pytest.fixture(scope="module")
def policy() -> DiffusionPolicy:
    return load_policy("demo")


def seen(
    twin: Twin, policy: DiffusionPolicy, task: str, name: str
) -> tuple[FloatArray, FloatArray]:
    """Features ``[N, F]`` and the object's y ``[N]`` (m) at the start of N layouts."""
    sentence = find_task(task).sentence
    features, sideways = [], []
    for index in range(FITTED + PROBED):
        state = twin.reset(sentence, held_out_seed(index))
        image = twin.render(256, 256)
        features.append(policy.encode([image], state.proprio[None], [sentence])[0])
        sideways.append(twin.object_state()[name][1, 3])
    return np.array(features, dtype=np.float64), np.array(sideways)


@pytest.mark.parametrize(("task", "name"), [("drawer", "handle"), ("mushroom", "mushroom")])
def test_a_linear_probe_finds_the_object_s_side(twin, policy, task, name):
    features, sideways = seen(twin, policy, task, name)
    x = np.hstack([features, np.ones((len(features), 1))])
    fit, rest = slice(FITTED), slice(FITTED, None)
    gram = x[fit].T @ x[fit] + RIDGE * np.eye(x.shape[1])
    found = x[rest] @ np.linalg.solve(gram, x[fit].T @ sideways[fit])
    error = float(np.sqrt(np.mean((found - sideways[rest]) ** 2)))
    assert np.std(sideways[rest]) > 0.04
    assert error < 0.012, f"{1e3 * error:.1f} mm"

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What every Policy must do. Subclass ``PolicyConformance`` and give it a ``policy`` fixture."""

from __future__ import annotations

import numpy as np
import pytest

from roboreward_ros.errors import CheckpointError, ConfigError
from roboreward_ros.protocols import Policy
from roboreward_ros.types import ACTION_DIM, PROPRIO_DIM, Float32Array, FloatArray, ImageU8

_CAMERA = (48, 64, 3)


def _inputs(rows: int) -> tuple[list[ImageU8], FloatArray]:
    rng = np.random.default_rng(7)
    images = [rng.integers(0, 256, _CAMERA, dtype=np.uint8) for _ in range(rows)]
    return images, rng.standard_normal((rows, PROPRIO_DIM)) * 0.1


def _task(policy: Policy) -> str:
    return policy.spec.tasks[0] if policy.spec.tasks else "open the drawer"


def _noise(policy: Policy, rows: int, seed: int = 3) -> Float32Array:
    shape = (rows, policy.spec.prediction_horizon, ACTION_DIM)
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


class PolicyConformance:
    """Tests over one policy; the fixture may be of any scope since policies are frozen.

    Attributes:
        batch_tolerance: how far an action of a batch may be from the same alone, physical units;
            untrained weights amplify rounding.
    """

    batch_tolerance = 1e-6

    @pytest.fixture
    def policy(self) -> Policy:
        raise NotImplementedError("give the suite a policy")

    def test_spec_is_consistent(self, policy: Policy) -> None:
        spec = policy.spec
        assert 1 <= spec.chunk_size <= spec.prediction_horizon
        assert spec.feature_dim > 0
        assert spec.control_hz > 0
        assert spec.image_size > 0
        assert len(spec.policy_id) == 64

    def test_shapes_and_dtypes(self, policy: Policy) -> None:
        images, proprio = _inputs(3)
        features = policy.encode(images, proprio, [_task(policy)] * 3)
        assert features.shape == (3, policy.spec.feature_dim)
        assert features.dtype == np.float32
        actions = policy.decode(features, _noise(policy, 3))
        assert actions.shape == (3, policy.spec.prediction_horizon, ACTION_DIM)
        assert actions.dtype == np.float32
        assert np.isfinite(actions).all()

    def test_same_inputs_give_bit_equal_outputs(self, policy: Policy) -> None:
        images, proprio = _inputs(2)
        tasks = [_task(policy)] * 2
        first, again = policy.encode(images, proprio, tasks), policy.encode(images, proprio, tasks)
        np.testing.assert_array_equal(first, again)
        noise = _noise(policy, 2)
        np.testing.assert_array_equal(policy.decode(first, noise), policy.decode(first, noise))

    def test_a_batch_equals_its_rows(self, policy: Policy) -> None:
        images, proprio = _inputs(5)
        task, noise = _task(policy), _noise(policy, 5)
        features = policy.encode(images, proprio, [task] * 5)
        actions = policy.decode(features, noise)
        for row in range(5):
            one = slice(row, row + 1)
            single = policy.encode(images[one], proprio[one], [task])
            np.testing.assert_allclose(single, features[one], rtol=1e-5, atol=2e-6)
            alone = policy.decode(features[one], noise[one])
            np.testing.assert_allclose(alone, actions[one], rtol=1e-5, atol=self.batch_tolerance)

    def test_inputs_are_left_alone(self, policy: Policy) -> None:
        images, proprio = _inputs(2)
        kept = [image.copy() for image in images], proprio.copy()
        features = policy.encode(images, proprio, [_task(policy)] * 2)
        noise = _noise(policy, 2)
        kept_noise, kept_features = noise.copy(), features.copy()
        policy.decode(features, noise)
        np.testing.assert_array_equal(np.stack(images), np.stack(kept[0]))
        np.testing.assert_array_equal(proprio, kept[1])
        np.testing.assert_array_equal(noise, kept_noise)
        np.testing.assert_array_equal(features, kept_features)

    def test_noise_and_observation_matter(self, policy: Policy) -> None:
        images, proprio = _inputs(2)
        features = policy.encode(images, proprio, [_task(policy)] * 2)
        assert np.abs(features[0] - features[1]).max() > 0
        one = features[:1]
        difference = policy.decode(one, _noise(policy, 1, 1)) - policy.decode(
            one, _noise(policy, 1, 2)
        )
        assert np.abs(difference).max() > 0

    def test_wrong_shapes_are_refused(self, policy: Policy) -> None:
        images, proprio = _inputs(2)
        tasks = [_task(policy)] * 2
        features = policy.encode(images, proprio, tasks)
        with pytest.raises(ConfigError):
            policy.encode(images, proprio[:1], tasks)
        with pytest.raises(ConfigError):
            policy.encode(images, proprio, tasks[:1])
        with pytest.raises(ConfigError):
            policy.encode([images[0][..., :2], images[1]], proprio, tasks)
        with pytest.raises(ConfigError):
            policy.encode([images[0].astype(np.float32), images[1]], proprio, tasks)
        with pytest.raises(ConfigError):
            policy.decode(features, _noise(policy, 1))
        with pytest.raises(ConfigError):
            policy.decode(features[:, :-1], _noise(policy, 2))

    def test_values_that_are_not_finite_are_refused(self, policy: Policy) -> None:
        images, proprio = _inputs(1)
        features = policy.encode(images, proprio, [_task(policy)])
        with pytest.raises(ConfigError, match="finite"):
            policy.decode(features, np.full_like(_noise(policy, 1), np.nan))

    def test_an_unknown_task_is_refused_by_name(self, policy: Policy) -> None:
        if not policy.spec.tasks:
            return
        images, proprio = _inputs(1)
        with pytest.raises(CheckpointError, match="juggle the torches"):
            policy.encode(images, proprio, ["juggle the torches"])

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from roboreward_ros.policies.diffusion import DiffusionPolicy
from roboreward_ros.protocols import Policy
from roboreward_ros.testing.conformance_policy import PolicyConformance
from roboreward_ros.testing.fake_policy import FakePolicy


class TestFakePolicy(PolicyConformance):
    @pytest.fixture(params=[(), ("open the drawer",)], ids=["any task", "one task"])
    def policy(self, request: pytest.FixtureRequest) -> Policy:
        return FakePolicy(tasks=request.param)


class TestFakePolicyThatPredictsFurther(PolicyConformance):
    @pytest.fixture
    def policy(self) -> Policy:
        return FakePolicy(prediction_horizon=8, chunk_size=4)


class TestDiffusionPolicy(PolicyConformance):
    @pytest.fixture
    def policy(self, toy_policy: DiffusionPolicy) -> Policy:
        return toy_policy

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Predictions for the benchmark's tests."""

from __future__ import annotations

from roboreward_ros.evaluation.benchmark.predictions import Prediction


def row(key, reward, output, subset="a", **more):
    return Prediction(str(key), subset, "open the drawer", reward, str(output), **more)


def one_hot(level, mass=1.0):
    rest = (1 - mass) / 4
    return tuple(mass if k == level else rest for k in range(1, 6))

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Readers of everything that comes from outside, a few hostile inputs each.

The long form is ``python tools/fuzz.py``; bench/results/fuzz.json keeps its counts.
"""

import tempfile
from pathlib import Path

import fuzz_bags
import fuzz_data
import fuzz_messages
import fuzz_models
import fuzz_network
import fuzz_stores
import pytest
from fuzz_edits import Target, attempt
from hypothesis import HealthCheck, given, settings

MODULES = (fuzz_stores, fuzz_data, fuzz_network, fuzz_messages, fuzz_models, fuzz_bags)
NAMES = [name for module in MODULES for name in module.NAMES]
EXAMPLES = 16


@pytest.fixture(scope="module")
def targets() -> dict[str, Target]:
    return {target.name: target for module in MODULES for target in module.targets()}


@pytest.mark.parametrize("name", NAMES)
def test_nothing_but_an_error_of_the_package_comes_out(
    targets: dict[str, Target], name: str
) -> None:
    target = targets[name]
    read = 0

    @settings(
        max_examples=max(2, EXAMPLES // target.cost),
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(target.inputs)
    def look(value: object) -> None:
        nonlocal read
        with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
            read += attempt(target, value, Path(folder))

    look()

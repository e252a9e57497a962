# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Readers of everything that comes from outside, a few hostile inputs each.

The long form is ``python tools/fuzz.py``; bench/results/fuzz.json keeps its counts. A seed that is
itself refused would leave all that lies behind unseen, so the unaltered one must be read.
"""

import tempfile
from pathlib import Path

import fuzz_all
import pytest
from fuzz_edits import Target, attempt
from hypothesis import HealthCheck, given, settings

EXAMPLES = 16


@pytest.fixture(scope="module")
def targets() -> dict[str, Target]:
    return fuzz_all.targets()


@pytest.mark.parametrize("name", fuzz_all.NAMES)
def test_nothing_but_an_error_of_the_package_comes_out(
    targets: dict[str, Target], name: str
) -> None:
    target = targets[name]
    read: list[bool] = []

    @settings(
        max_examples=max(2, EXAMPLES // target.cost),
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(target.inputs)
    def look(value: object) -> None:
        with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
            read.append(attempt(target, value, Path(folder)))

    look()
    assert read[0], "hypothesis draws the simplest input first: the seed, which must be read"

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What `make audit` calls a finding, and what it does not take for an answer."""

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[2] / "tools" / "audit.py"


@pytest.fixture(scope="module")
def audit() -> ModuleType:
    spec = importlib.util.spec_from_file_location("audit", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["audit"] = module  # its dataclass looks itself up
    spec.loader.exec_module(module)
    return module


def test_a_version_that_is_not_the_pinned_one_is_found(audit: ModuleType) -> None:
    wanted = {"numpy": "2.3.1", "torch": "2.13.0"}
    assert audit.check_pins({"numpy": "2.3.1", "torch": "2.13.0+cpu"}, wanted) == []
    (line,) = audit.check_pins({"numpy": "2.3.2"}, wanted)
    assert "2.3.1 is pinned" in line
    (line,) = audit.check_pins({"leftpad": "1"}, wanted)
    assert "not pinned" in line


def test_every_pin_of_the_repository_can_be_read(audit: ModuleType) -> None:
    found = audit.pins()
    assert {"numpy", "ros-rclpy", "torch"} <= set(found)


@pytest.mark.parametrize(
    "licence", ["GPL-3.0-only", "AGPL-3.0", "GNU General Public License (GPL)"]
)
def test_a_licence_that_binds_users_is_found(audit: ModuleType, licence: str) -> None:
    assert audit.check_licences({"some": licence, "other": "MIT"}) == [f"some: licence {licence}"]


@pytest.mark.parametrize("licence", ["MIT", "LGPL-3.0-only", "MPL-2.0", ""])
def test_other_licences_pass(audit: ModuleType, licence: str) -> None:
    assert audit.check_licences({"some": licence}) == []


def test_no_answer_is_not_a_good_one(audit: ModuleType) -> None:
    answer = {
        "dependencies": [
            {"name": "a", "version": "1", "vulns": [{"id": "X-1", "fix_versions": ["2"]}]},
            {"name": "b", "skip_reason": "not found"},
            {"name": "c", "version": "1", "vulns": []},
        ]
    }
    found, unknown = audit.read_vulnerabilities(json.dumps(answer))
    assert found == ["a 1: X-1, fixed in 2"]
    assert unknown == ["b"]
    assert audit.Audit(unknown=unknown).code == 2
    assert audit.Audit(unknown=unknown, found=found).code == 1
    assert audit.Audit().code == 0
    with pytest.raises(ValueError):
        audit.read_vulnerabilities("<html>")

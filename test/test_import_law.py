# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Imports go downwards only, and heavy frameworks load only where they are needed."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "roboreward_ros"

L0 = {
    "errors", "types", "clock", "files", "memory", "processes", "protocols", "remote",
    "restarts", "stack", "wheels",
}  # fmt: skip
L1 = {"rewards", "policies", "episodes", "robot", "cameras", "session"}
L2 = {"dsrl", "sim", "reward_training", "evaluation", "console", "rehearsal"}
MAY_IMPORT: dict[str, set[str]] = {
    **dict.fromkeys(L0 | L1, L0),
    "dsrl": L0 | {"policies", "episodes", "session"},
    "sim": L0 | {"robot", "cameras"},
    "reward_training": L0 | {"rewards", "episodes"},
    "evaluation": L0 | {"rewards", "episodes"},
    "console": L0 | {"session"},
    "rehearsal": L0 | {"episodes", "robot", "cameras", "session"},
    "studies": L0 | L1 | L2,
    "ros": L0 | {"robot"},
    "testing": L0 | L1 | L2,
    "nodes": L0 | L1 | L2 | {"ros", "testing"},
    "cli": L0 | L1 | L2 | {"studies", "testing"},  # rehearsals break what tests break
    "assets": set(),
}
ROS_MODULES = {
    "rclpy", "launch", "launch_ros", "rcl_interfaces", "sensor_msgs", "std_msgs", "std_srvs",
    "geometry_msgs", "diagnostic_msgs", "lifecycle_msgs", "action_msgs", "builtin_interfaces",
    "trajectory_msgs", "interbotix_xs_msgs",
}  # fmt: skip
GENERATED = {"msg", "srv", "action"}
MAY_USE_ROS = {"ros", "nodes"}


def sources() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def imported_modules(path: Path) -> set[str]:
    """Absolute names of everything that a file imports, at any depth of nesting."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def part_of(path: Path) -> str:
    relative = path.relative_to(PACKAGE).parts
    return relative[0].removesuffix(".py")


@pytest.mark.parametrize("path", sources(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_file_imports_only_what_its_layer_may(path: Path) -> None:
    part = part_of(path)
    if part == "__init__":
        return
    assert part in MAY_IMPORT, f"{part} has no place in the import law"
    ours = {m.split(".")[1] for m in imported_modules(path) if m.startswith("roboreward_ros.")}
    ours -= {"__version__"} | (GENERATED if part in MAY_USE_ROS else set())
    own = {part} if part != "nodes" else set()
    if part == "nodes":
        siblings = {m for m in imported_modules(path) if m.startswith("roboreward_ros.nodes.")}
        assert not siblings, f"nodes never import nodes: {siblings}"
    assert ours <= MAY_IMPORT[part] | own, f"{part} may not import {ours - MAY_IMPORT[part] - own}"


@pytest.mark.parametrize("path", sources(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_ros_stays_in_ros_and_nodes(path: Path) -> None:
    if part_of(path) in MAY_USE_ROS:
        return
    roots = {m.split(".")[0] for m in imported_modules(path)}
    assert not roots & ROS_MODULES, f"{roots & ROS_MODULES} outside ros/, nodes/ and launch/"


@pytest.mark.parametrize("part", sorted(p for p in L0 | L1 | L2 if p != "console"))
def test_a_core_package_imports_without_heavy_frameworks(part: str) -> None:
    location = PACKAGE / part
    if not (location.is_dir() or location.with_suffix(".py").exists()):
        pytest.fail(f"roboreward_ros.{part} does not exist") if part in L0 | L1 else None
        return
    probe = (
        f"import sys, roboreward_ros.{part}\n"
        "heavy = {'rclpy', 'torch', 'transformers', 'mujoco', 'launch'} & set(sys.modules)\n"
        "sys.exit(','.join(sorted(heavy)) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", probe], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"importing {part} loaded: {done.stderr.strip()}"

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The repository keeps its own rules: headers, sizes, configuration that matches the code."""

import dataclasses
import importlib
import re
import subprocess
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path

import pytest
import yaml
from test_import_law import GENERATED, ROOT, imported_modules, part_of, sources

from roboreward_ros.ros.params import HostConfig

HEADER = "# SPDX-FileCopyrightText: 2026 The roboreward_ros authors"
NEEDED = {"camera_node": {"device": "/dev/video0"}}  # what has no sensible default
NODES = sorted(p.stem for p in (ROOT / "roboreward_ros" / "nodes").glob("*_node.py"))


def tracked(pattern: str) -> list[Path]:
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", pattern],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [ROOT / name for name in listing.stdout.split() if (ROOT / name).exists()]


def test_no_two_test_files_share_a_name() -> None:
    # pytest imports them by their name alone: the second would not be collected.
    names = Counter(path.name for path in tracked("test/**/test_*.py"))
    assert not [name for name, count in names.items() if count > 1]


def test_every_python_file_has_the_licence_header_and_a_bearable_size() -> None:
    for path in tracked("*.py"):
        lines = path.read_text(encoding="utf-8").splitlines()
        assert not lines or HEADER in lines[:2], f"{path} has no SPDX header"
        limit = 250 if part_of_or_none(path) == "nodes" else 400
        assert len(lines) <= limit, f"{path} has {len(lines)} lines, {limit} are allowed"


def part_of_or_none(path: Path) -> str | None:
    try:
        return part_of(path)
    except ValueError:
        return None


@pytest.mark.parametrize("node", NODES)
def test_a_nodes_yaml_has_exactly_the_fields_of_its_configuration(node: str) -> None:
    module = importlib.import_module(f"roboreward_ros.nodes.{node}")
    content = yaml.safe_load((ROOT / "config" / f"{node}.yaml").read_text(encoding="utf-8"))
    (key,) = content
    assert key == "/**", "parameters under a bare node name are silently inert in a namespace"
    (config,) = {
        item
        for item in vars(module).values()
        if isinstance(item, type)
        and issubclass(item, HostConfig)
        and item.__module__ == module.__name__
    }
    fields = {f.name for f in dataclasses.fields(config)}
    assert set(content[key]["ros__parameters"]) == fields
    config(**{**content[key]["ros__parameters"], **NEEDED.get(node, {})})


def test_package_xml_names_every_ros_package_that_is_imported() -> None:
    tree = ET.parse(ROOT / "package.xml")
    declared = {element.text for element in tree.iter() if element.tag.endswith("depend")}
    used = {m.split(".")[0] for path in sources() for m in imported_modules(path)}
    ros = {name for name in used if name.endswith(("_msgs", "_srvs", "_interfaces"))} | (
        used & {"rclpy", "launch", "launch_ros"}
    )
    # rclpy itself brings these two.
    assert ros - declared - {"rcl_interfaces", "interbotix_xs_msgs"} == set()


def test_every_interface_is_used() -> None:
    text = "\n".join(path.read_text(encoding="utf-8") for path in sources())
    for kind in sorted(GENERATED):
        for path in (ROOT / kind).glob("*.*"):
            assert re.search(rf"\b{path.stem}\b", text), f"{path.name} is used by no module"


def test_no_machine_path_or_registry_host_is_committed() -> None:
    pattern = re.compile(r"(?:^|[\s\"'=(])/(?:root|home/\w+|work)/|pypi\.org|files\.pythonhosted")
    for path in tracked("*"):
        binary = path.suffix in {".png", ".gif", ".safetensors", ".jpg", ".npz"}
        if binary or ".tfrecord-" in path.name:
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if path != Path(__file__):
                assert not pattern.search(line), f"{path}:{number}: {line.strip()[:100]}"

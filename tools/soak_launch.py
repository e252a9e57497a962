# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""``roboreward launch`` with a disk budget, which a session otherwise gets by configuration.

Usage: python tools/soak_launch.py GIGABYTES name:=value ...
"""

from __future__ import annotations

import sys
from dataclasses import replace

from roboreward_ros.cli.launch import ConsoleSink, run_stack
from roboreward_ros.cli.preflight import preflight
from roboreward_ros.stack import Stack, parse_assignments


def with_budget(stack: Stack, gigabytes: float) -> Stack:
    """The stack whose recorder keeps the run within so much."""
    nodes = [
        replace(node, parameters={**node.parameters, "disk_budget_gb": gigabytes})
        if node.name == "recorder_node"
        else node
        for node in stack.nodes
    ]
    return replace(stack, nodes=tuple(nodes))


if __name__ == "__main__":
    described = preflight(parse_assignments(sys.argv[2:]))
    sys.exit(run_stack(with_budget(described, float(sys.argv[1])), sink=ConsoleSink()))

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""``python -m roboreward_ros.ros.graph_probe SECONDS [NAME ...]``: who is in this ROS domain.

Prints the full names of the nodes as a json list; ends early when one of NAME was seen. A process
of its own, so that the launcher never joins the domain itself.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Set as AbstractSet

from roboreward_ros.clock import SystemClock
from roboreward_ros.ros import dds

OWN_NAME = "roboreward_graph_probe"


def listen(seconds: float, wanted: AbstractSet[str]) -> set[str]:
    """Full names of the other nodes seen within ``seconds``."""
    dds.prepare()
    import rclpy

    context = rclpy.Context()
    rclpy.init(context=context)
    node = rclpy.create_node(
        OWN_NAME, context=context, enable_rosout=False, start_parameter_services=False
    )
    clock = SystemClock()
    end_ns = clock.steady_ns() + round(seconds * 1e9)
    seen: set[str] = set()
    try:
        while not (seen & wanted) and clock.steady_ns() < end_ns:
            seen |= {
                f"{space.rstrip('/')}/{name}"
                for name, space in node.get_node_names_and_namespaces()
                if name != OWN_NAME
            }
            clock.sleep(0.05)
    finally:
        node.destroy_node()
        rclpy.shutdown(context=context)
    return seen


def main() -> int:
    seen = listen(float(sys.argv[1]), frozenset(sys.argv[2:]))
    sys.stdout.write(json.dumps(sorted(seen)) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

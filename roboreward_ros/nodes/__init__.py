# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The processes of the stack: thin nodes over ``ros/`` and what they host.

Importing this package prepares the process (threads, DDS profile), because both are read when
NumPy and rclpy load, and a node's module loads them.
"""

from roboreward_ros.ros import dds

dds.prepare()

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The only glue to rclpy: parameters, QoS, messages, lifecycle, work slots, diagnostics, spinning.

Every module that nodes are made of is imported by its own name; importing this package loads
nothing, because :mod:`roboreward_ros.ros.dds` must run before rclpy does.
"""

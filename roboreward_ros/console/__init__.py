# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The operator's consoles over a ``SessionClient``: a web page and a terminal; no ROS.

The session is the one place where state lives; consoles show it and ask. Closing one stops nothing.
"""

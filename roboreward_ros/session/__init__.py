# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The session without ROS: state machine, plan of episodes, account of time.

Imports L0 only; the session node feeds it events and carries out its commands.
"""

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Robomimic's Lift, Can and Square, RoboReward's own testbed, where robosuite and data are."""

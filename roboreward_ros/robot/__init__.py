# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The arm without any transport: kinematics, BridgeData's frames, control and safety."""

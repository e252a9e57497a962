# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Episodes in other people's formats: LeRobot, RLDS, and folders of labelled videos."""

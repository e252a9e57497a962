# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A recorded run as robot, camera and operator, and what a rehearsal of it did otherwise."""

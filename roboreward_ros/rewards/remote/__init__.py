# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A reward source of another host: frames go there once, as they happen; scores come back."""

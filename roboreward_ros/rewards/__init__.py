# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Reward sources: from a stored episode to Score, Abstain or RewardFailure, never a guess."""

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Blinded comparison of a policy and its steered form on a real arm, judged by a person."""

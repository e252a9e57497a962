# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a run achieved: intervals, tables of arms, figures and the page that shows them.

Reads episodes and ledger as they lie on disk, the twin's ground truth included: evaluation may.
"""

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Episodes, evaluation and studies in one process, through the same protocols as the nodes."""

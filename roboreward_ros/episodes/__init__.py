# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Episodes and labels of a run on disk: the store, the ledger, and the views over both."""

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Training reward models: labelled clips, packed questions, the optimiser's loop, model cards."""

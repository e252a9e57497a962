# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A language-conditioned diffusion transformer, and how it is cloned from data sets on disk."""

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Questions to models behind an OpenAI-compatible chat endpoint."""

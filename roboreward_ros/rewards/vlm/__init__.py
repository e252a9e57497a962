# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Scoring with vision-language models. torch and transformers load with the first model."""

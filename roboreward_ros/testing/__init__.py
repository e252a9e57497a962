# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Fakes and conformance suites, one file a protocol, usable by other packages' tests."""

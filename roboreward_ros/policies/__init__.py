# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Frozen, steerable diffusion policies: the noise is an explicit input.

Import what you need from the modules; torch loads only with ``network``, ``sampler``,
``diffusion``, ``checkpoint`` and ``bc``.
"""

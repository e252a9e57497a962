# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Diffusion steering: reinforcement learning over the noise of a frozen diffusion policy.

Import what you need from the modules; torch loads only with ``actor_network``, ``critic``,
``sac``, ``learner`` and ``checkpoint``. ``actor``, ``shaping``, ``replay`` and ``config`` work with
numpy alone.
"""

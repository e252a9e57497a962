# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A channel to another host: packets over one authenticated, encrypted connection.

Rewards, policies and episodes all speak over it, so it lies below them. It carries the frames of
the reward worker's protocol inside WebSocket messages (the ``websockets`` library brings TLS,
framing, size limits and keepalive). Import what you need from the modules.
"""

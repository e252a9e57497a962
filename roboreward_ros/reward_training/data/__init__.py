# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Labelled videos from many places into one layout that reward models are trained on.

``clip`` is what every source gives, ``sources`` opens them by name (``open_x``, ``lerobot``,
``robo_arena``, ``recordings``, ``hand_videos``, ``simulations``, ``tables``), ``build`` samples and
writes, ``card`` describes, ``check`` judges a folder.
"""

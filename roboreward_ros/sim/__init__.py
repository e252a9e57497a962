# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The WX250S twin: MuJoCo scenes, ground truth and scripted demonstrators.

Import the part that is needed (``sim.twin``, ``sim.adapters``, ``sim.demonstrators``); this
file loads nothing, so that ``sim.tasks`` can be listed without MuJoCo.
"""

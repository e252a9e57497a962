# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Calibrated failures out of successes (RoboReward, arXiv 2601.00675, section 4 and appendix A).

``examples`` is what comes out, ``provider`` who is asked, ``prompted`` asks a language and vision
model, ``constraints`` checks what code can check, ``journal`` keeps every answer, ``episode``
relabels one video, ``pipeline`` all of them, ``output`` writes RoboReward's layout.
"""

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""RoboRewardBench: the official metrics, what they leave out, and the page that compares sources.

``dataset`` reads a folder of labelled videos, ``answering`` has a source score it into a file of
predictions, ``predictions`` reads such files, ``official`` and ``quality`` judge them, ``progress``
judges dense predictions, ``result`` puts everything together and ``page`` draws it.
"""

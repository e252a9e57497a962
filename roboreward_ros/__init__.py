# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Online fine-tuning of a robot's diffusion policy with rewards from vision-language models.

The package is layered; imports go downwards only (``test/test_import_law.py`` holds it):

====  ==============================================================================
L0    ``errors types clock protocols stack``: plain data, no framework
L1    ``rewards policies episodes robot cameras session``: one concern each, L0 only
L2    ``dsrl sim reward_training evaluation console``: built from L1
L3    ``studies ros``: in-process experiments, and the only glue to rclpy
L4    ``nodes cli``: what users start
====  ==============================================================================
"""

from pkgutil import extend_path

# The generated ``msg``, ``srv`` and ``action`` live in the install space of the build; extending
# the path lets a source checkout find them without copying the package there.
__path__ = extend_path(__path__, __name__)
__version__ = "0.1.0"

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The toy run of the learner's tests is needed here, too."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "dsrl"))

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Every target, for the short form (test_fuzz.py) and the long one (tools/fuzz.py)."""

import fuzz_bags
import fuzz_console
import fuzz_data
import fuzz_journal
import fuzz_messages
import fuzz_models
import fuzz_network
import fuzz_stores
from fuzz_edits import Target

MODULES = (
    fuzz_stores,
    fuzz_journal,
    fuzz_data,
    fuzz_network,
    fuzz_console,
    fuzz_messages,
    fuzz_models,
    fuzz_bags,
)
NAMES = tuple(name for module in MODULES for name in module.NAMES)


def targets() -> dict[str, Target]:
    """By name."""
    return {target.name: target for module in MODULES for target in module.targets()}

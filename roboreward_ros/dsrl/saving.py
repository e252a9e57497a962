# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How much gradient work a kill may cost: a minute, one period and one slice of updates. No torch.

The owed updates are done in slices; between two of them the learner looks whether a checkpoint is
due. So a slice is short on any machine, with any network.
"""

from __future__ import annotations

from roboreward_ros.errors import ConfigError

MOST_LOST_S = 60.0
MOST_PERIOD_S = 50.0
SLICE = 20
"""Updates of a slice, at most."""
SLICE_S = 2.0
"""No update of a slice begins later than that."""


def require_period(checkpoint_s: float) -> None:
    """Refuse a period that could cost more.

    Args:
        checkpoint_s: between two checkpoints while it trains, s.

    Raises:
        ConfigError: not above 0, or too long.
    """
    if not 0 < checkpoint_s <= MOST_PERIOD_S:
        raise ConfigError(
            f"checkpoint_s does not fit: a kill may cost {MOST_LOST_S:g} s of gradient work",
            got=checkpoint_s,
            allowed=f"above 0, at most {MOST_PERIOD_S:g} s",
            next_step="Leave it out, or give a shorter one.",
        )

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Changes the reward source of a running session, or says by its kind why it stays."""

from __future__ import annotations

from enum import StrEnum

from roboreward_ros.errors import ConfigError, FormatError, RewardSourceError, StoreError
from roboreward_ros.rewards.config import options_from_json
from roboreward_ros.rewards.host import RewardHost
from roboreward_ros.rewards.jobs import OnSwap, unasked
from roboreward_ros.rewards.registry import build, find_class
from roboreward_ros.types import RewardSpec


class Refusal(StrEnum):
    """Why a source was not taken."""

    UNKNOWN_SOURCE = "unknown_source"
    BAD_OPTIONS = "bad_options"
    WARM_UP_FAILED = "warm_up_failed"
    NOT_STORED = "not_stored"


class SwitchError(RewardSourceError):
    """The old source stays in force; ``refusal`` says why."""

    def __init__(self, refusal: Refusal, why: Exception) -> None:
        super().__init__(str(why))
        self.refusal = refusal


def switch(
    host: RewardHost, source: str, options_json: str, shadow: bool, before: OnSwap = unasked
) -> RewardSpec | None:
    """Warm ``source`` up and let it take over, or run beside the active one.

    Args:
        host: of the session.
        source: registry name; "" with ``shadow`` ends the present shadow.
        options_json: JSON object over the source's configuration file, "" for none.
        shadow: score beside the active source instead of replacing it.
        before: notes down that it takes over; see ``OnSwap``.

    Returns:
        Spec of the source that runs now; None when a shadow was ended.

    Raises:
        SwitchError: the old source stays.
    """
    if shadow and not source:
        host.clear_shadow()
        return None
    step = Refusal.UNKNOWN_SOURCE
    try:
        find_class(source)
        step = Refusal.BAD_OPTIONS
        options = options_from_json(options_json)
        build(source, options).close()
        step = Refusal.WARM_UP_FAILED
        if shadow:
            return host.set_shadow(source, options)
        return host.swap(source, options, before)
    except (StoreError, FormatError) as error:
        raise SwitchError(Refusal.NOT_STORED, error) from error
    except (ConfigError, RewardSourceError) as error:
        raise SwitchError(step, error) from error

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Changes the reward source of a running session, or says by its kind why it stays."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from roboreward_ros.errors import ConfigError, FormatError, RewardSourceError, StoreError
from roboreward_ros.rewards.config import Option, Options, options_from_json
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


OURS = "roboreward_ros."
SEALED = frozenset(
    {
        "base_url", "url", "token_env", "token_file", "plain_token", "verify_tls", "ca_file",
        "cost_file",
    }
)  # fmt: skip
"""Options that say where secrets go to and what is written: by file or at the start only."""


def refuse_from_outside(source: str, options: Options, known: Sequence[str] = ()) -> None:
    """Refuse what nobody on the graph may ask of a running process.

    Whoever reaches the graph may swap sources. That must not become importing any module of the
    machine, or sending a token to an address of theirs.

    Args:
        source: as asked for.
        options: likewise.
        known: names of other packages' sources that may be asked for.

    Raises:
        ConfigError: another package's source that is not among ``known``, or a sealed option.
    """
    if ":" in source and not source.startswith(OURS) and source not in known:
        raise ConfigError(
            "another package's reward source cannot be swapped in by its name",
            got=source,
            allowed=tuple(known) or "sources of this package",
            next_step="Name it in more_sources of config/reward_node.yaml before the start.",
        )
    waiting: list[Option] = [dict(options)]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if sealed := sorted(SEALED & value.keys()):
                raise ConfigError(
                    "these options are not taken from a running system",
                    got=sealed,
                    next_step=f"Set them in config/rewards/{source.rsplit(':')[-1]}.yaml, or with "
                    "reward_options:= at the start.",
                )
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value


def switch(
    host: RewardHost,
    source: str,
    options_json: str,
    shadow: bool,
    before: OnSwap = unasked,
    known: Sequence[str] = (),
) -> RewardSpec | None:
    """Warm ``source`` up and let it take over, or run beside the active one.

    Args:
        host: of the session.
        source: registry name; "" with ``shadow`` ends the present shadow.
        options_json: JSON object over the source's configuration file, "" for none.
        shadow: score beside the active source instead of replacing it.
        before: notes down that it takes over; see ``OnSwap``.
        known: see ``refuse_from_outside``.

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
        refuse_from_outside(source, {}, known)
        find_class(source)
        step = Refusal.BAD_OPTIONS
        options = options_from_json(options_json)
        refuse_from_outside(source, options, known)
        build(source, options).close()
        step = Refusal.WARM_UP_FAILED
        if shadow:
            return host.set_shadow(source, options)
        return host.swap(source, options, before)
    except (StoreError, FormatError) as error:
        raise SwitchError(Refusal.NOT_STORED, error) from error
    except (ConfigError, RewardSourceError) as error:
        raise SwitchError(step, error) from error

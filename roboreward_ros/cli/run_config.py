# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The launch arguments in ``run.json``: a resume keeps those that are not given anew."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from roboreward_ros.dsrl.config import load_profile
from roboreward_ros.episodes.run import open_run, read_run
from roboreward_ros.errors import ConfigError, StoreError
from roboreward_ros.stack import StackArguments

NOT_STORED = ("run_dir", "console", "console_port", "console_address", "console_token")


def load(run_dir: Path) -> dict[str, str]:
    """The stored launch arguments as text by name; empty for a new run.

    Raises:
        FormatError: run.json is damaged or newer.
        StoreError: it cannot be read, or run_dir is no folder.
    """
    if run_dir.exists() and not run_dir.is_dir():
        raise StoreError(
            "run_dir is not a folder", got=str(run_dir), next_step="Give another run_dir:=."
        )
    if not (run_dir / "run.json").exists():
        return {}
    config = read_run(run_dir).config
    return {
        name: str(config[name]).lower() if isinstance(config[name], bool) else str(config[name])
        for name in StackArguments.names()
        if name in config and name not in NOT_STORED
    }


def merge(given: Mapping[str, str], stored: Mapping[str, str], run_dir: Path) -> StackArguments:
    """Launch arguments over stored ones.

    Raises:
        ConfigError: an unknown argument, a bad value, a twin's run resumed on the arm, or another
            seed.
    """
    before = StackArguments.from_strings(stored)
    wished = StackArguments.from_strings({"sim": given.get("sim", str(before.sim))})
    if stored and wished.sim != before.sim:
        raise ConfigError(
            "a run of the twin and one of the real arm do not mix",
            got=f"sim:={str(wished.sim).lower()} for {run_dir}",
            allowed=f"sim:={str(before.sim).lower()}",
            next_step="Leave sim:= out to resume, or give another run_dir:=.",
        )
    kept = dict(stored)
    if given.get("reward", "") not in ("", before.reward):
        kept.pop("reward_options", None)  # another source's options do not fit
    arguments = StackArguments.from_strings({**kept, **given, "run_dir": str(run_dir)})
    if stored and arguments.seed != before.seed:
        raise ConfigError(
            f"the run in {run_dir} has another seed",
            got=arguments.seed,
            allowed=before.seed,
            next_step="Leave the seed out to resume, or give another run_dir:=.",
        )
    return arguments


def save(run_dir: Path, arguments: StackArguments, policy_id: str) -> None:
    """Create the run or resume it with these arguments.

    Args:
        run_dir: of the run.
        arguments: in force from now on.
        policy_id: what the policy's folder holds now; a retrained one is another policy.

    Raises:
        ConfigError: a resume that changes task, robot, policy or noise form.
        StoreError: the folder cannot be written, or holds something that is not a run.
    """
    before = ""
    if (run_dir / "run.json").exists():
        before = str(read_run(run_dir).config.get("policy_id", ""))
    if before and before != policy_id:
        raise ConfigError(
            f"the run in {run_dir} was made with another policy of the same name",
            got=policy_id[:12],
            allowed=before[:12],
            next_step="Put the old checkpoint back as policy:=, or give another run_dir:=.",
        )
    config: dict[str, bool | int | float | str] = {
        name: value for name, value in asdict(arguments).items() if name not in NOT_STORED
    }
    config["noise"] = str(load_profile(arguments.profile).noise)
    config["policy_id"] = policy_id
    open_run(run_dir, config)

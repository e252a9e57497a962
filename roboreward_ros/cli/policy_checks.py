# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Whether a policy can run: its files, task and host, and the noise that a profile gives it."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

from roboreward_ros.dsrl.config import load_profile
from roboreward_ros.errors import CheckpointError, ConfigError, RoboRewardError
from roboreward_ros.policies.remote.folder import FILE as REMOTE_POLICY
from roboreward_ros.stack import StackArguments
from roboreward_ros.types import PolicySpec

POLICY_FILES = ("policy.json", "policy.safetensors")


def problems_of(name: str, check: Callable[[], object]) -> list[str]:
    """The error of a check as one line that begins with what was looked at; [] where it passes."""
    try:
        check()
    except RoboRewardError as error:
        return [f"{name}: {error}"]
    return []


def policy_folder(policy: str) -> Path:
    """Folder of a policy argument: a path, or ``demo`` for the shipped one."""
    if policy == "demo":
        return Path(str(files("roboreward_ros").joinpath("assets", "policies", "widowx_twin")))
    return Path(policy).expanduser()


def described_policy(folder: Path) -> tuple[str, int]:
    """Identity and prediction horizon of a policy's folder, without loading its weights.

    Raises:
        CheckpointError: the description cannot be read.
    """
    if foreign := _foreign_policy(folder):
        return foreign.policy_id, foreign.prediction_horizon
    policy_id, horizon, _ = _own_policy(folder)
    return policy_id, horizon


def _own_policy(folder: Path) -> tuple[str, int, list[str]]:
    """Identity, prediction horizon and tasks of a folder of the package's own layout."""
    path = folder / POLICY_FILES[0]
    try:
        content = json.loads(path.read_text())
        description = content["description"]
        horizon = int(description["network"]["prediction_horizon"])
        return str(content["policy_id"]), horizon, list(description["tasks"])
    except (OSError, ValueError, OverflowError, RecursionError, KeyError, TypeError) as error:
        raise CheckpointError("policy cannot be read", got=f"{path}: {error!r}") from error


def policy_problems(policy: str, task: str) -> list[str]:
    """Looks at the description only: reading the weights would load torch into the launcher."""
    folder = policy_folder(policy)
    try:
        foreign = _foreign_policy(folder)
    except (CheckpointError, ConfigError) as error:
        return [f"policy: {folder}: {error}"]
    if foreign is not None:
        if task and foreign.tasks and task not in foreign.tasks:
            known = ", ".join(foreign.tasks)
            return [f"policy: {folder} was not trained on {task!r}; its card names {known}"]
        return _policy_host_problems(folder)
    missing = [name for name in POLICY_FILES if not (folder / name).is_file()]
    if missing:
        remedy = (
            "give policy:=FOLDER with both, or one of the layouts in docs/how-to/base-policies.md, "
            "or train one: roboreward policy train"
        )
        return [f"policy: no {' and no '.join(missing)} in {folder}; {remedy}"]
    try:
        _, _, tasks = _own_policy(folder)
    except CheckpointError as error:
        return [f"policy: {error}"]
    if task and tasks and task not in tasks:
        return [f"policy: {folder} was not trained on {task!r}; it knows {', '.join(tasks)}"]
    return []


def noise_problems(arguments: StackArguments) -> list[str]:
    """Whether a profile whose first actor is not the base policy was measured with this policy.

    A learner elsewhere has its own profile; what cannot be read is told by the other checks.
    """
    if arguments.learner or not (arguments.policy and arguments.task):
        return []
    try:
        profile = load_profile(arguments.profile)
        if profile.starts_as_prior:
            return []
        policy_id, _ = described_policy(policy_folder(arguments.policy))
    except RoboRewardError:
        return []
    from roboreward_ros.dsrl.noise_record import Place, require_form

    place = Place.TWIN if arguments.sim else Place.ARM
    given = (arguments.profile, arguments.policy, policy_id, arguments.task, place)
    return problems_of("profile", lambda: require_form(profile, *given))


def _foreign_policy(folder: Path) -> PolicySpec | None:
    """What a policy of another framework is; None where the folder is of the package's own layout.

    Raises:
        CheckpointError, ConfigError: it cannot be run here.
    """
    if (folder / POLICY_FILES[0]).is_file() or not folder.is_dir():
        return None
    from roboreward_ros.policies.loading import find_layout

    layout = find_layout(folder)
    return None if layout is None else layout.describe(folder)


def _policy_host_problems(folder: Path) -> list[str]:
    """Asks the host of a policy that lives elsewhere."""
    if not (folder / REMOTE_POLICY).is_file():
        return []
    from roboreward_ros.policies.remote.policy import LOOK_S, RemotePolicy

    return problems_of("policy host", lambda: RemotePolicy(folder, limit_s=LOOK_S).close())

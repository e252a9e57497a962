# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Any policy's folder to a Policy: the layout on disk says which loader reads it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from roboreward_ros.errors import CheckpointError
from roboreward_ros.policies.checkpoint import DESCRIPTION_FILE
from roboreward_ros.policies.diffusion import DEMO_POLICY, load_policy
from roboreward_ros.policies.inversion import Invertible
from roboreward_ros.protocols import Policy
from roboreward_ros.types import PolicySpec


@dataclass(frozen=True, slots=True)
class Layout:
    """How one framework's checkpoints are read.

    Attributes:
        mark: file that a folder of this layout has.
        load: folder and torch device to the policy.
        describe: folder to the policy's spec, without loading weights.
    """

    mark: str
    load: Callable[[Path, str], Policy]
    describe: Callable[[Path], PolicySpec]


def _load_lerobot(folder: Path, device: str) -> Policy:
    from roboreward_ros.policies.adapters.lerobot import LeRobotPolicy

    return LeRobotPolicy(folder, device)


def _describe_lerobot(folder: Path) -> PolicySpec:
    from roboreward_ros.policies.adapters.lerobot import describe

    return describe(folder)


def _load_gc_ddpm(folder: Path, device: str) -> Policy:
    from roboreward_ros.policies.adapters.gc_ddpm import GcDdpmPolicy

    return GcDdpmPolicy(folder, device)


def _describe_gc_ddpm(folder: Path) -> PolicySpec:
    from roboreward_ros.policies.adapters.gc_ddpm import describe

    return describe(folder)


def _load_pi_zero(folder: Path, device: str) -> Policy:
    from roboreward_ros.policies.adapters.pi_zero import PiZeroPolicy

    return PiZeroPolicy(folder, device)


def _describe_pi_zero(folder: Path) -> PolicySpec:
    from roboreward_ros.policies.adapters.pi_zero import describe

    return describe(folder)


def _load_transformer(folder: Path, device: str) -> Policy:
    from roboreward_ros.policies.transformer.policy import TransformerPolicy

    return TransformerPolicy(folder, device)


def _describe_transformer(folder: Path) -> PolicySpec:
    from roboreward_ros.policies.transformer.files import describe

    return describe(folder)


def _load_octo(folder: Path, device: str) -> Policy:
    from roboreward_ros.policies.adapters.octo import OctoPolicy

    return OctoPolicy(folder, device)


def _describe_octo(folder: Path) -> PolicySpec:
    from roboreward_ros.policies.adapters.octo import describe

    return describe(folder)


def _load_remote(folder: Path, device: str) -> Policy:
    from roboreward_ros.policies.remote.policy import RemotePolicy

    del device  # the host's affair
    return RemotePolicy(folder)


def _describe_remote(folder: Path) -> PolicySpec:
    from roboreward_ros.policies.remote.folder import read_folder

    return read_folder(folder)[1]


LAYOUTS = (
    Layout("remote_policy.json", _load_remote, _describe_remote),
    Layout("transformer_policy.json", _load_transformer, _describe_transformer),
    Layout("pi_zero.yaml", _load_pi_zero, _describe_pi_zero),
    Layout("octo.json", _load_octo, _describe_octo),
    Layout("gc_ddpm_bc.json", _load_gc_ddpm, _describe_gc_ddpm),
    Layout("config.json", _load_lerobot, _describe_lerobot),
)
"""Layouts beside the small policy's own, ``policy.json``, which comes before all."""


def find_layout(folder: Path) -> Layout | None:
    """The layout of a folder; None for the small policy's own, or for no policy at all."""
    if (folder / DESCRIPTION_FILE).is_file():
        return None
    return next((layout for layout in LAYOUTS if (folder / layout.mark).is_file()), None)


def load_any_policy(source: str | Path, device: str = "cpu") -> Policy:
    """The policy of a folder, whichever supported framework saved it; or ``demo``.

    Torch is set to one thread: other processes need the cores.

    Raises:
        CheckpointError: no layout that is known, missing or damaged files, weights that do not fit.
        ConfigError: values of a description or card out of range.
    """
    folder = Path(source)
    layout = None if str(source) == DEMO_POLICY else find_layout(folder)
    if layout is None:
        return load_policy(source, device)
    torch.set_num_threads(1)
    return layout.load(folder, device)


def invertible(policy: Policy, source: str | Path) -> Invertible:
    """``policy``, loaded from ``source``, if demonstrations can be taken through it backwards.

    Raises:
        CheckpointError: it is of another framework.
    """
    if not isinstance(policy, Invertible):
        raise CheckpointError(
            "the sampler of this policy cannot be inverted",
            got=str(source),
            allowed="a policy that this package trained",
            next_step="Learn without demonstrations.",
        )
    return policy

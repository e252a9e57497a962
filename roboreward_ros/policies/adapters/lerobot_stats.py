# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""LeRobot's normalisation: statistics and modes to affine maps.

Since lerobot 0.4 they lie beside the weights (``policy_preprocessor.json`` and its state file);
before, inside them (``normalize_inputs.buffer_*``). Both are read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from roboreward_ros.errors import CheckpointError
from roboreward_ros.policies.adapters.files import read_json, read_tensors

PREPROCESSOR, POSTPROCESSOR = "policy_preprocessor.json", "policy_postprocessor.json"
_HARMLESS = {"rename_observations_processor", "to_batch_processor", "device_processor"}
_OLD_INPUT, _OLD_OUTPUT = "normalize_inputs.buffer_", "unnormalize_outputs.buffer_"
_OLD = (_OLD_INPUT, _OLD_OUTPUT, "normalize_targets.buffer_")
_RANGES = {"MIN_MAX": ("min", "max"), "QUANTILES": ("q01", "q99"), "QUANTILE10": ("q10", "q90")}
_EPS = 1e-8


@dataclass(frozen=True, slots=True)
class Affine:
    """``unit = (x - shift) / (scale + eps) + offset`` and its inverse without eps.

    Attributes:
        shift, scale: broadcast against the values.
        offset: what ``shift`` becomes.
        eps: keeps the division finite where a dimension is constant.
    """

    shift: Tensor
    scale: Tensor
    offset: float = 0.0
    eps: float = 0.0

    def to(self, device: str) -> Affine:
        """The same on another device."""
        return Affine(self.shift.to(device), self.scale.to(device), self.offset, self.eps)

    def normalise(self, values: Tensor) -> Tensor:
        """To the network's units."""
        return (values - self.shift) / (self.scale + self.eps) + self.offset

    def restore(self, unit: Tensor) -> Tensor:
        """Back to physical units."""
        return (unit - self.offset) * self.scale + self.shift


def affine(mode: str, statistics: Mapping[str, Tensor], what: str) -> Affine:
    """The map of one feature.

    Args:
        mode: one of ``NORMALISATIONS``.
        statistics: ``mean``, ``std``, ``min``, ... by name.
        what: named in errors.

    Raises:
        CheckpointError: missing or useless statistics.
    """
    if mode == "IDENTITY":
        return Affine(torch.zeros(()), torch.ones(()))
    names = _RANGES.get(mode, ("mean", "std"))
    if not set(names) <= set(statistics):
        raise CheckpointError(
            f"normalisation of {what} ({mode}) lacks statistics",
            got=sorted(statistics),
            allowed=names,
            next_step="Save the policy together with its processors.",
        )
    first, second = (statistics[name].to(torch.float32) for name in names)
    if not (bool(first.isfinite().all()) and bool(second.isfinite().all())):
        raise CheckpointError(f"normalisation of {what} is not finite", got=mode)
    if mode == "MEAN_STD":
        return Affine(first, second, eps=_EPS)
    # unit = 2 (x - low) / range - 1, with a tiny range where a dimension is constant
    span = torch.where(second == first, torch.full_like(first, _EPS), second - first)
    return Affine(first, span / 2, offset=-1.0)


def read_statistics(
    folder: Path, weights: dict[str, Tensor], modes: Mapping[str, str]
) -> tuple[dict[str, dict[str, Tensor]], dict[str, Tensor]]:
    """Statistics of the inputs (by feature) and of the action.

    Args:
        folder: of the checkpoint.
        weights: of the model; buffers of older releases are taken out of it.
        modes: normalisation of the config; the processors must agree.

    Raises:
        CheckpointError: missing, contradictory, or a processor that is not known.
    """
    old = [name for name in weights if name.startswith(_OLD)]
    if old:
        found: dict[str, dict[str, Tensor]] = {}
        for name in old:
            prefix = next(start for start in _OLD if name.startswith(start))
            feature, statistic = name.removeprefix(prefix).rsplit(".", 1)
            found.setdefault(prefix + feature, {})[statistic] = weights.pop(name)
        inputs = {
            name.removeprefix(_OLD_INPUT): value
            for name, value in found.items()
            if name.startswith(_OLD_INPUT)
        }
        return inputs, found.get(_OLD_OUTPUT + "action", {})
    before = _state(folder, PREPROCESSOR, "normalizer_processor", modes)
    after = _state(folder, POSTPROCESSOR, "unnormalizer_processor", modes)
    return before, after.get("action", {})


def statistics_files(folder: Path) -> list[Path]:
    """The processors' files, for the identity of a policy."""
    names = (PREPROCESSOR, POSTPROCESSOR)
    states = sorted(folder.glob("policy_*processor_step_*.safetensors"))
    return [folder / name for name in names if (folder / name).is_file()] + states


def feature(statistics: Mapping[str, Mapping[str, Tensor]], key: str) -> Mapping[str, Tensor]:
    """Statistics of a feature; older releases write its name with underscores."""
    return statistics.get(key, statistics.get(key.replace(".", "_"), {}))


def _state(
    folder: Path, name: str, kind: str, modes: Mapping[str, str]
) -> dict[str, dict[str, Tensor]]:
    document = read_json(folder / name)
    steps = document.get("steps")
    if not isinstance(steps, list):
        raise CheckpointError("processor has no steps", got=name)
    state: dict[str, dict[str, Tensor]] = {}
    for step in steps:
        registered = step.get("registry_name") if isinstance(step, dict) else step
        if registered in _HARMLESS:
            continue
        if registered != kind:
            raise CheckpointError(
                f"{name} has a step that this package does not know",
                got=registered or step,
                allowed=sorted(_HARMLESS | {kind}),
            )
        stored = step.get("config", {}).get("norm_map", {})
        if any(modes.get(feature, "IDENTITY") != mode for feature, mode in stored.items()):
            raise CheckpointError(
                f"{name} and config.json normalise differently", got=stored, allowed=dict(modes)
            )
        file = step.get("state_file")
        if file is None:
            continue
        if Path(file).name != file:
            raise CheckpointError(f"state file of {name} lies elsewhere", got=file)
        for key, value in read_tensors(folder / file).items():
            feature, statistic = key.rsplit(".", 1)
            state.setdefault(feature, {})[statistic] = value
    return state

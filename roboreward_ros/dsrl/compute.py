# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Where and how precisely the updates are computed; what is learned is ``DsrlConfig``'s business.

bf16 runs the hidden layers on bfloat16 copies of float32 weights. Gradients are summed up in
float32 inside each product and collected into the float32 weights, which the optimiser steps; then
the copies are refreshed. Heads, losses, targets, Polyak averages and moments stay float32.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import torch
from torch import Tensor, nn

from roboreward_ros.errors import ConfigError

_CPUINFO = Path("/proc/cpuinfo")


class Precision(StrEnum):
    """Of the hidden layers."""

    FP32 = "fp32"
    BF16 = "bf16"
    AUTO = "auto"  # bf16 for wide layers where the hardware multiplies it, else fp32


@dataclass(frozen=True, slots=True)
class Compute:
    """How the learner uses the hardware.

    Attributes:
        device: cpu; others are refused.
        precision: of the hidden layers.
        compile: use torch.compile; needs a C++ compiler, and the first updates then take up to a
            minute.

    Raises:
        ConfigError: another device.
    """

    device: str = "cpu"
    precision: Precision = Precision.FP32
    compile: bool = False

    def __post_init__(self) -> None:
        if self.device != "cpu":
            raise ConfigError(
                "the learner's updates run on the CPU in this release",
                got=self.device,
                allowed="cpu",
                next_step="Take device cpu for the learner; the policy may use another one.",
            )

    def lowers(self, width: int) -> bool:
        """Whether layers of ``width`` run in bf16; narrow ones lose more by it than they gain."""
        if self.precision is Precision.AUTO:
            return width >= 512 and bool(bf16_path())
        return self.precision is Precision.BF16


@functools.cache
def bf16_path() -> str:
    """Which instructions of this CPU multiply bfloat16: amx_bf16, avx512_bf16, or "" for none."""
    text = _CPUINFO.read_text() if _CPUINFO.is_file() else ""
    flags = next((line for line in text.splitlines() if line.startswith("flags")), "").split()
    return next((name for name in ("amx_bf16", "avx512_bf16") if name in flags), "")


class WorkingCopies:
    """bfloat16 copies that a network computes with, behind its float32 weights.

    Attributes:
        copies: in the order of ``masters``; leaves that collect gradients where the master does.

    Args:
        masters: float32 parameters.
    """

    def __init__(self, masters: Sequence[Tensor]) -> None:
        self.masters = list(masters)
        self._gradients: dict[int, Tensor] = {}
        self.copies = [
            m.detach().to(torch.bfloat16).requires_grad_(m.requires_grad) for m in self.masters
        ]

    def collect(self) -> None:
        """Move the copies' gradients to the masters."""
        for k, (master, copy) in enumerate(zip(self.masters, self.copies, strict=True)):
            if copy.grad is None:
                master.grad = None
                continue
            # Fresh memory for gradients costs more than filling it: keep one buffer each.
            if k not in self._gradients:
                self._gradients[k] = torch.empty_like(master)
            master.grad = self._gradients[k].copy_(copy.grad)
            copy.grad = None

    @torch.no_grad()
    def refresh(self) -> None:
        """The masters changed: copy them again."""
        for master, copy in zip(self.masters, self.copies, strict=True):
            copy.copy_(master)


class Network(nn.Module):
    """Hidden layers of (weight, bias, gain, shift), whatever a subclass does with them.

    ``_layers`` holds what ``forward`` computes with: the parameters themselves, walking whose
    lists costs as much as a small layer, or their working copies.
    """

    weight: nn.ParameterList
    bias: nn.ParameterList
    gain: nn.ParameterList
    shift: nn.ParameterList
    _layers: tuple[tuple[Tensor, Tensor, Tensor, Tensor], ...]

    def lower(self) -> WorkingCopies:
        """Compute in bfloat16 from now on; the see ``equip`` for who keeps the copies fresh."""
        layers = zip(self.weight, self.bias, self.gain, self.shift, strict=True)
        copies = WorkingCopies([tensor for layer in layers for tensor in layer])
        c = copies.copies
        self._layers = tuple((c[k], c[k + 1], c[k + 2], c[k + 3]) for k in range(0, len(c), 4))
        return copies


def equip(
    modules: Iterable[nn.Module], optimizers: Iterable[torch.optim.Optimizer], compute: Compute
) -> list[WorkingCopies]:
    """Let networks compute as ``compute`` says; their algorithm does not notice.

    An optimiser's step collects the gradients of what it steps and refreshes its copies; a network
    that no optimiser steps (a target) refreshes before it is asked.

    Returns:
        The copies, for whoever writes the weights otherwise and must refresh them.
    """
    steppers, made = list(optimizers), []
    for module in modules:
        if not isinstance(module, Network):
            continue
        if compute.lowers(module.weight[-1].shape[-1]):
            copies = module.lower()
            made.append(copies)
            ids = {id(master) for master in copies.masters}
            owners = [
                o
                for o in steppers
                if any(id(p) in ids for g in o.param_groups for p in g["params"])
            ]
            for owner in owners:
                owner.register_step_pre_hook(_calling(copies.collect))
                owner.register_step_post_hook(_calling(copies.refresh))
            if not owners:
                module.register_forward_pre_hook(_calling(copies.refresh))
        if compute.compile:
            module.compile(dynamic=False)
    return made


def _calling(job: Callable[[], None]) -> Callable[..., None]:
    """``job`` as a hook, which is called with what it does not need."""

    def hook(*_: object) -> None:
        job()

    return hook

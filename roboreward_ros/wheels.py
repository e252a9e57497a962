# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Wheels that do not fit together as they come, made to. Loads no framework until it is asked."""

from __future__ import annotations

import ctypes
import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

_SCHEMAS: list[torch.library.Library] = []  # an operator lives as long as its library object


def prepare_torchvision() -> None:
    """Make ``import torchvision`` work beside a CPU build of torch; call before transformers.

    The wheel's operators are built for CUDA and do not load then, and torchvision fails while it
    describes operators that nobody defined. Their signatures are all it needs.
    """
    if _SCHEMAS or "torchvision" in sys.modules:
        return
    import torch

    if torch.version.cuda is not None or torch.version.hip is not None:
        return
    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None:
        return
    for library in Path(spec.origin).parent.glob("_C*.so"):
        try:
            ctypes.CDLL(str(library))
        except OSError:
            continue
        return
    schemas = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
    for name in ("nms", "qnms"):
        signature = f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
        schemas.define(signature)  # type: ignore[no-untyped-call]
    _SCHEMAS.append(schemas)

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Everything odd about transformers' processors, in one place.

Pixels are prepared here and not by the library's video processor: that one resizes by a budget for
the whole video, so that the size of a frame would depend on how many there are, and it needs a
torchvision that fits torch. The layout is the library's; tests hold both equal.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from roboreward_ros.errors import RewardSourceError
from roboreward_ros.rewards.vlm.prompt import Family
from roboreward_ros.types import ImageU8
from roboreward_ros.wheels import prepare_torchvision

if TYPE_CHECKING:
    from transformers import ProcessorMixin

_STATISTICS: Mapping[Family, tuple[tuple[float, ...], tuple[float, ...]]] = {
    Family.QWEN3_VL: ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    Family.QWEN2_5_VL: (
        (0.48145466, 0.4578275, 0.40821073),
        (0.26862954, 0.26130258, 0.27577711),
    ),
}


def load_processor(folder: Path) -> ProcessorMixin:
    """The library's own processor of a checkpoint folder: for training tools and as an oracle."""
    prepare_torchvision()
    from transformers import AutoProcessor

    return AutoProcessor.from_pretrained(
        str(folder), local_files_only=True, trust_remote_code=False
    )


@dataclass(frozen=True, slots=True)
class Patching:
    """How pixels become the rows that a vision tower reads.

    Attributes:
        patch: side of a patch, pixels.
        merge: patches merged to a token, a side.
        temporal: frames in a group.
        mean: of the channels, for pixels in [0, 1].
        std: likewise.
    """

    patch: int
    merge: int
    temporal: int
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @property
    def factor(self) -> int:
        """Height and width of a frame must be multiples of this, pixels."""
        return self.patch * self.merge

    def grid(self, height: int, width: int) -> tuple[int, int]:
        """Patches along height and width."""
        return height // self.patch, width // self.patch

    def rows(self, frames: ImageU8) -> torch.Tensor:
        """Rows ``[groups * gh * gw, 3 * temporal * patch * patch]`` float32 of ``[n, H, W, 3]``.

        The last frame is repeated where ``n`` is no multiple of ``temporal``.
        """
        count, height, width, _ = frames.shape
        if missing := -count % self.temporal:
            frames = np.concatenate([frames, np.repeat(frames[-1:], missing, axis=0)])
        pixels = torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 3, 1, 2).float()
        mean = torch.tensor(self.mean).view(1, 3, 1, 1) * 255
        std = torch.tensor(self.std).view(1, 3, 1, 1) * 255
        pixels = (pixels - mean) / std
        gh, gw = self.grid(height, width)
        groups = len(frames) // self.temporal
        m, p = self.merge, self.patch
        split = pixels.view(groups, self.temporal, 3, gh // m, m, p, gw // m, m, p)
        order = split.permute(0, 3, 6, 4, 7, 2, 1, 5, 8)
        return order.reshape(groups * gh * gw, 3 * self.temporal * p * p)


def read_patching(folder: Path, vision: Mapping[str, object], family: Family) -> Patching:
    """Patching of a checkpoint folder; ``vision`` is the vision part of its config.json."""
    mean, std = _STATISTICS[family]
    for name in (
        "video_preprocessor_config.json",
        "processor_config.json",
        "preprocessor_config.json",
    ):
        path = folder / name
        if not path.is_file():
            continue
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            content = content.get("video_processor", content)
            if "image_mean" in content and "image_std" in content:
                mean, std = _colours(content["image_mean"]), _colours(content["image_std"])
                break
        except (
            OSError,
            ValueError,
            ArithmeticError,
            TypeError,
            AttributeError,
            RecursionError,
        ) as error:
            raise RewardSourceError(f"{path} cannot be read", got=str(error)[:200]) from None
    return Patching(
        patch=_whole(vision, "patch_size", 16),
        merge=_whole(vision, "spatial_merge_size", 2),
        temporal=_whole(vision, "temporal_patch_size", 2),
        mean=mean,
        std=std,
    )


def _colours(values: object) -> tuple[float, float, float]:
    """Raises ValueError for anything but three finite numbers."""
    match values:
        case [int() | float() as r, int() | float() as g, int() | float() as b]:
            return float(r), float(g), float(b)
    raise ValueError(f"three numbers were expected, not {values!r}")


def _whole(values: Mapping[str, object], key: str, default: int) -> int:
    value = values.get(key, default)
    return value if isinstance(value, int) else default

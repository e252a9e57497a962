# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Small real models of both families, made once a session."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

os.environ["HF_HUB_OFFLINE"] = "1"

from roboreward_ros.rewards.vlm.prompt import Family
from roboreward_ros.testing.tiny_vlm import make_tiny_adapter, make_tiny_vlm

VARIANTS = ("qwen3_vl", "qwen2_5_vl", "qwen3_vl+lora", "qwen2_5_vl+lora")


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Family], Path]:
    """Folder of the small model of a family."""
    made: dict[Family, Path] = {}

    def folder(family: Family) -> Path:
        if family not in made:
            made[family] = make_tiny_vlm(tmp_path_factory.mktemp(family.value), family)
        return made[family]

    return folder


@pytest.fixture(scope="session")
def tiny_adapter(tiny, tmp_path_factory: pytest.TempPathFactory) -> Callable[[Family], Path]:
    """Folder of a LoRA adapter for the small model of a family."""
    made: dict[Family, Path] = {}

    def folder(family: Family) -> Path:
        if family not in made:
            place = tmp_path_factory.mktemp(f"{family.value}_lora")
            made[family] = make_tiny_adapter(place, tiny(family))
        return made[family]

    return folder


@pytest.fixture(scope="session")
def backends(tiny, tiny_adapter):
    """Backend by variant name."""
    import torch

    from roboreward_ros.rewards.vlm.backend import Backend
    from roboreward_ros.rewards.vlm.settings import WeightsConfig
    from roboreward_ros.rewards.vlm.weights import load

    torch.set_num_threads(1)
    made: dict[str, Backend] = {}

    def get(variant: str) -> Backend:
        if variant not in made:
            name, _, lora = variant.partition("+")
            family = Family(name)
            adapter = str(tiny_adapter(family)) if lora else ""
            config = WeightsConfig(str(tiny(family)), adapter=adapter, device="cpu", offline=True)
            made[variant] = Backend(load(config))
        return made[variant]

    return get


@pytest.fixture(params=VARIANTS)
def backend(request, backends):
    """Every family, with and without an adapter."""
    return backends(request.param)


@pytest.fixture(params=VARIANTS[:2])
def plain(request, backends):
    """Every family, without an adapter."""
    return backends(request.param)

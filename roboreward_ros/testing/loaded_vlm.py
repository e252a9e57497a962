# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Loads at import what a training process needs, for process servers that fork from there."""

from __future__ import annotations

import importlib

from roboreward_ros.wheels import prepare_torchvision

prepare_torchvision()
for _name in (
    "transformers.models.qwen3_vl.modeling_qwen3_vl",
    "peft",
    "roboreward_ros.reward_training.finetune.train",
):
    importlib.import_module(_name)

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""LoRA adapters: loaded completely, or refused."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from roboreward_ros.errors import RewardSourceError

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_FILE = "adapter_model.safetensors"


def attach(model: PreTrainedModel, folder: Path, name: str = "default") -> PreTrainedModel:
    """``model`` with the adapter of ``folder`` (files of PEFT), beside those it has already.

    A loader that finds no weights for a LoRA layer leaves it at zero, and the base model answers
    under the adapter's name. Whatever is missing is therefore an error here.

    Raises:
        RewardSourceError: files missing or unreadable, weights missing, left over, or all zero.
    """
    for file_name in ("adapter_config.json", _FILE):
        if not (folder / file_name).is_file():
            raise RewardSourceError(f"{folder} is not an adapter", got=f"no {file_name}")
    _check_config(folder)
    from peft import (
        PeftConfig,
        PeftModel,
        get_peft_model_state_dict,
        set_peft_model_state_dict,
    )
    from safetensors.torch import load_file

    try:
        config = PeftConfig.from_pretrained(str(folder))
        if config.modules_to_save:
            config.modules_to_save = _outermost(config.modules_to_save, model)
        tensors = load_file(str(folder / _FILE))
        stored = set(tensors)
        if isinstance(model, PeftModel):
            tuned = model
            config.inference_mode = True
            tuned.add_adapter(name, config)
            set_peft_model_state_dict(tuned, tensors, adapter_name=name)
        else:
            tuned = PeftModel.from_pretrained(
                model, str(folder), adapter_name=name, is_trainable=False, config=config
            )
    except Exception as error:  # the library raises whatever its parsers raise
        raise RewardSourceError(
            f"adapter {folder} does not fit the model", got=f"{type(error).__name__}: {error}"
        ) from None
    expected = get_peft_model_state_dict(tuned, adapter_name=name)
    if missing := sorted(set(expected) - stored):
        raise RewardSourceError(
            f"adapter {folder} lacks weights", got=f"{len(missing)}, such as {missing[0]}"
        )
    if left_over := sorted(stored - set(expected)):
        raise RewardSourceError(
            f"adapter {folder} has weights that belong nowhere in the model",
            got=f"{len(left_over)}, such as {left_over[0]}",
            next_step="Use the base model that the adapter was trained on.",
        )
    rising = [tensor for name, tensor in expected.items() if "lora_B" in name]
    if not any(bool(tensor.any()) for tensor in rising):
        raise RewardSourceError(
            f"all lora_B weights of adapter {folder} are zero",
            got=f"{len(rising)} matrices",
            next_step="It would answer as the untuned model; save it again from training.",
        )
    return tuned


def _check_config(folder: Path) -> None:
    try:
        kind = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))["peft_type"]
    except (OSError, ValueError, OverflowError, RecursionError, KeyError, TypeError) as error:
        raise RewardSourceError(
            f"{folder} has no readable adapter_config.json", got=repr(error)
        ) from None
    if kind != "LORA":
        raise RewardSourceError(f"{folder} is another kind of adapter", got=kind, allowed="LORA")


def _outermost(names: Sequence[str], model: PreTrainedModel) -> list[str]:
    """``names`` without those whose modules lie inside another's.

    LRM's progress adapter lists the vision tower and the merger within it, which PEFT cannot wrap
    twice; the outer one carries all weights.
    """
    paths = [path for path, _ in model.named_modules()]
    found = {
        name: [path for path in paths if path == name or path.endswith(f".{name}")]
        for name in names
    }
    return [
        name
        for name in names
        if not found[name]
        or any(
            not any(
                path.startswith(f"{outer}.")
                for other in names
                if other != name
                for outer in found[other]
            )
            for path in found[name]
        )
    ]

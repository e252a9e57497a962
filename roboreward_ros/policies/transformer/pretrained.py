# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Models of transformers from a folder: no network, no foreign code, no weight left to chance."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

import torch

from roboreward_ros.errors import CheckpointError
from roboreward_ros.wheels import prepare_torchvision

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

_UNUSED = ("pooler.",)
"""Of weights that may be missing, since only tokens are read and never their summary."""


def load_part(folder: Path, part: str) -> tuple[PretrainedConfig, PreTrainedModel]:
    """A model, float32, or that part of a two-tower model.

    Args:
        folder: config.json and model.safetensors as transformers saves them.
        part: ``text`` or ``vision``.

    Raises:
        CheckpointError: missing or damaged, no model of that part, or weights that are missing.
    """
    prepare_torchvision()
    import transformers

    said = transformers.logging.get_verbosity()
    transformers.logging.set_verbosity_error()  # the other tower's weights are no mistake
    try:
        config = transformers.AutoConfig.from_pretrained(
            str(folder), local_files_only=True, trust_remote_code=False
        )
        config = getattr(config, f"{part}_config", None) or config
        model, info = _class_of(config).from_pretrained(
            str(folder), config=config, local_files_only=True, use_safetensors=True,
            dtype=torch.float32, output_loading_info=True, trust_remote_code=False,
        )  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"the {part} model cannot be read",
            got=f"{folder}: {str(error)[:300]}",
            allowed="a folder with config.json and model.safetensors",
        ) from None
    finally:
        transformers.logging.set_verbosity(said)
    missing = sorted(name for name in info["missing_keys"] if not name.startswith(_UNUSED))
    if missing:
        raise CheckpointError(
            f"weights of the {part} model are missing",
            got=f"{folder}: {', '.join(missing[:4])}{' ...' if len(missing) > 4 else ''}",
            next_step="Give a folder whose config.json and weights belong together.",
        )
    return config, model


def load_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """The tokenizer beside a text model.

    Raises:
        CheckpointError: missing or damaged.
    """
    prepare_torchvision()
    from transformers import AutoTokenizer

    try:
        found: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            str(folder), local_files_only=True, trust_remote_code=False
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(
            "the text model's tokenizer cannot be read", got=f"{folder}: {str(error)[:300]}"
        ) from None
    return found


def _class_of(config: PretrainedConfig) -> type[PreTrainedModel]:
    """The class that a configuration is of; encoders only of encoder-decoder models."""
    import transformers

    auto = transformers.AutoModelForTextEncoding
    if type(config) in auto._model_mapping:
        return cast("type[PreTrainedModel]", auto)
    name = type(config).__name__.removesuffix("Config")
    found = getattr(transformers, f"{name}Model", transformers.AutoModel)
    return cast("type[PreTrainedModel]", found)

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The tokenizer that lies beside the weights of a policy that reads sentences."""

from __future__ import annotations

from pathlib import Path

from tokenizers import Tokenizer

from roboreward_ros.errors import CheckpointError


def read_tokenizer(path: Path, whose: str, needed: tuple[str, ...]) -> Tokenizer:
    """A tokenizer of the Hugging Face library.

    Args:
        path: its ``tokenizer.json``.
        whose: of which model it must be, for errors.
        needed: tokens that tell it from others.

    Raises:
        CheckpointError: missing, damaged, or another model's.
    """
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises nothing more special
        raise CheckpointError("tokenizer cannot be read", got=f"{path}: {error}") from error
    if any(tokenizer.token_to_id(token) is None for token in needed):
        raise CheckpointError(
            f"the tokenizer is not {whose}'s", got=str(path), allowed=f"one with {needed}"
        )
    return tokenizer

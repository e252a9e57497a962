# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What to say and do when a model finds no room on the GPU or in memory. Loads no framework."""

from __future__ import annotations

import gc
import sys

from roboreward_ros.errors import RoboRewardError

ADVICE = (
    "Out of memory: look who holds it (nvidia-smi, free -h), end other programs, or take a smaller "
    "model, fewer frames or pixels, a batch of 1, or another device."
)
_SIGNS = ("out of memory", "can't allocate memory", "CUBLAS_STATUS_ALLOC_FAILED")
"""Of the errors that torch and the GPU's libraries raise without a class of their own."""


def ran_out(error: BaseException) -> bool:
    """Whether there was no room: Python's, torch's, or a library's own error."""
    if isinstance(error, MemoryError):
        return True
    named = any(
        kind.__name__ == "OutOfMemoryError" and kind.__module__.startswith("torch")
        for kind in type(error).__mro__
    )
    return named or (type(error) is RuntimeError and any(sign in str(error) for sign in _SIGNS))


def explained(error: BaseException) -> str:
    """An error in words for people: its class where it is not ours, and what helps."""
    text = str(error)
    if ran_out(error):
        text = f"{text.strip().splitlines()[0] if text.strip() else 'no memory'} {ADVICE}"
    ours = isinstance(error, RoboRewardError)
    return text if ours else ": ".join(part for part in (type(error).__name__, text) if part)


def release() -> None:
    """Give back what nobody uses any more, so that a second try may find room.

    Call it outside of the ``except`` clause: until then the error keeps the call's tensors alive.
    """
    gc.collect()
    if "torch" in sys.modules:
        import torch

        if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
            torch.cuda.empty_cache()

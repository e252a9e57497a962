# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Out of memory is told apart from other errors, whoever raised it, and comes with advice."""

import pytest
import torch

from roboreward_ros.errors import CheckpointError, StoreError
from roboreward_ros.memory import ADVICE, explained, ran_out, release

NO_ROOM = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nSee documentation"),
    RuntimeError("CUDA error: out of memory"),
    RuntimeError("cuBLAS error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried 8 bytes"),
    MemoryError(),
]


@pytest.mark.parametrize("error", NO_ROOM, ids=lambda error: type(error).__name__)
def test_no_room_is_known_and_told_in_one_line_with_what_helps(error: BaseException) -> None:
    assert ran_out(error)
    text = explained(error)
    assert text.startswith(type(error).__name__)
    assert text.endswith(ADVICE)
    assert "\n" not in text


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError("no such tensor"), "ValueError: no such tensor"),
        (RuntimeError("shapes differ"), "RuntimeError: shapes differ"),
        (KeyError(), "KeyError"),
        (CheckpointError("it ran out of memory slots"), "it ran out of memory slots"),
        (StoreError("disk", got="full"), "disk; got 'full'"),
    ],
)
def test_other_errors_keep_their_words(error: Exception, text: str) -> None:
    assert not ran_out(error)
    assert explained(error) == text


def test_a_real_allocation_that_is_too_large_is_known() -> None:
    with pytest.raises(RuntimeError) as raised:
        torch.empty(1 << 60, dtype=torch.uint8)
    assert ran_out(raised.value)
    release()

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A set of replay rows with constant-time insertion, removal and uniform draws."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


class RowSet:
    """Rows in no order, each with its place; removal swaps with the last one.

    Both arrays are preallocated and touched only as far as they are used.

    Args:
        capacity: rows are 0 .. capacity - 1.
    """

    def __init__(self, capacity: int) -> None:
        self._rows = np.zeros(capacity, dtype=np.int32)
        self._place = np.zeros(capacity, dtype=np.int32)  # row -> place + 1; 0 where not in it
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def nbytes(self) -> int:
        """Bytes of both arrays."""
        return self._rows.nbytes + self._place.nbytes

    def mark(self, row: int, member: bool) -> None:
        """Put a row in or take it out; idempotent."""
        place = int(self._place[row])
        if member == (place > 0):
            return
        if member:
            self._rows[self._count] = row
            self._count += 1
            self._place[row] = self._count
        else:
            self._count -= 1
            moved = self._rows[self._count]
            self._rows[place - 1] = moved
            self._place[moved] = place
            self._place[row] = 0

    def draw(self, rng: np.random.Generator, size: int) -> npt.NDArray[np.int64]:
        """``size`` members, uniformly with replacement; the set must not be empty."""
        return self._rows[rng.integers(0, self._count, size=size)].astype(np.int64)

    def rows(self) -> npt.NDArray[np.int64]:
        """Members, in the order that draws index them."""
        return self._rows[: self._count].astype(np.int64)

    def restore(self, rows: npt.NDArray[np.int64]) -> None:
        """Take over ``rows`` in their order, as ``rows()`` gave them."""
        self._count = len(rows)
        self._rows[: self._count] = rows
        self._place[:] = 0
        self._place[rows] = np.arange(1, self._count + 1)

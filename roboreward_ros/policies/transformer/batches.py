# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What step k of a training sees: a pure function of the rows, the configuration and k."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from roboreward_ros.policies.transformer.config import CloneConfig, Padding
from roboreward_ros.policies.transformer.rows import RowStore


@dataclass(frozen=True, slots=True)
class Batch:
    """B rows.

    Attributes:
        pixels: ``[B, 3, S, S]`` float32 in 0..1.
        proprio: ``[B, 7]`` float32, physical units.
        chunks: ``[B, P, 7]`` float32, physical units.
        taught: ``[B, P]`` float32, 1 where an action counts.
        task: ``[B]`` int64.
    """

    pixels: Tensor
    proprio: Tensor
    chunks: Tensor
    taught: Tensor
    task: Tensor


def step_seed(seed: int, step: int, purpose: int = 0) -> int:
    """A seed for whatever a step draws."""
    return int(np.random.SeedSequence((seed, step, purpose)).generate_state(1, np.uint64)[0] >> 1)


class RowBatches:
    """Batches by number; each epoch is a shuffle of all rows.

    Args:
        store: the rows.
        rows: which of them.
        config: batch size, padding, augmentation, seed.
        horizon: P.
    """

    def __init__(
        self, store: RowStore, rows: npt.NDArray[np.int64], config: CloneConfig, horizon: int
    ) -> None:
        if not len(rows):
            raise ValueError("no rows")
        self._store, self._rows, self._config, self._horizon = store, rows, config, horizon
        self._epoch, self._order = -1, rows

    def rows_of(self, step: int) -> npt.NDArray[np.int64]:
        """Row numbers of a step ``[B]``."""
        size = self._config.batch_size
        picked = []
        for position in range(step * size, (step + 1) * size):
            epoch, place = divmod(position, len(self._rows))
            if epoch != self._epoch:
                rng = np.random.default_rng((self._config.seed, epoch))
                self._epoch, self._order = epoch, rng.permutation(self._rows)
            picked.append(self._order[place])
        return np.array(picked, np.int64)

    def read(self, rows: npt.NDArray[np.int64]) -> Batch:
        """Rows as they are stored."""
        store = self._store
        pictures = np.stack([store.picture(int(row)) for row in rows])
        chunks, held = store.chunks(rows, self._horizon)
        taught = held if self._config.padding is Padding.MASK else np.ones_like(held)
        return Batch(
            torch.from_numpy(pictures).permute(0, 3, 1, 2).to(torch.float32) / 255,
            torch.from_numpy(np.array(store.proprio[rows])),
            torch.from_numpy(chunks),
            torch.from_numpy(taught.astype(np.float32)),
            torch.from_numpy(store.task[rows]),
        )

    def batch(self, step: int, rows: npt.NDArray[np.int64]) -> Batch:
        """The batch of a step, pictures augmented."""
        found = self.read(rows)
        draws = torch.Generator().manual_seed(step_seed(self._config.seed, step, 1))
        pixels = augment(found.pixels, self._config.crop, self._config.colour, draws)
        return Batch(pixels, found.proprio, found.chunks, found.taught, found.task)

    def from_step(self, first: int, last: int) -> Iterator[Batch]:
        """Batches of steps ``first..last - 1``, read ahead by the configured threads."""
        workers = self._config.workers
        if not workers:
            for step in range(first, last):
                yield self.batch(step, self.rows_of(step))
            return
        with ThreadPoolExecutor(workers) as pool:
            ahead: deque[Future[Batch]] = deque()
            step = first
            try:
                while ahead or step < last:
                    while step < last and len(ahead) < 2 * workers:
                        ahead.append(pool.submit(self.batch, step, self.rows_of(step)))
                        step += 1
                    yield ahead.popleft().result()
            finally:
                for future in ahead:
                    future.cancel()


def augment(pixels: Tensor, crop: float, colour: float, draws: torch.Generator) -> Tensor:
    """Random square crops, resized back, and other brightness, contrast and saturation.

    Args:
        pixels: ``[B, 3, S, S]`` in 0..1.
        crop: smallest side of a crop, as a share of the picture's; 1 is off.
        colour: largest relative change of each of the three; 0 is off.
        draws: of all rows' chances.
    """
    count = len(pixels)
    if crop < 1:
        scale = 1 - (1 - crop) * torch.rand(count, generator=draws)
        moved = (2 * torch.rand((count, 2), generator=draws) - 1) * (1 - scale).unsqueeze(1)
        view = torch.zeros(count, 2, 3)
        view[:, 0, 0] = view[:, 1, 1] = scale
        view[:, :, 2] = moved
        grid = functional.affine_grid(view, list(pixels.shape), align_corners=False)
        pixels = functional.grid_sample(pixels, grid, padding_mode="border", align_corners=False)
    if colour > 0:
        factors = 1 + colour * (2 * torch.rand((3, count, 1, 1, 1), generator=draws) - 1)
        brightness, contrast, saturation = factors
        pixels = pixels * brightness
        mean = pixels.mean(dim=(1, 2, 3), keepdim=True)
        pixels = mean + contrast * (pixels - mean)
        grey = pixels.mean(dim=1, keepdim=True)
        pixels = (grey + saturation * (pixels - grey)).clamp(0, 1)
    return pixels

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What of a chunk's noise the actor chooses: a latent z and the map from it to w ``[P * 7]``.

========= ============ ==================================== =====================================
form      z            w                                    for z ~ N(0, I)
========= ============ ==================================== =====================================
full      ``[P * 7]``  z                                    N(0, I)
repeat    ``[7]``      z at every action                    N(0, 1) each, equal along the chunk
basis     ``[K * 7]``  B' z + (I - B' B) w0                 N(0, I): the rest stays a prior draw
========= ============ ==================================== =====================================

B are the first K rows of the orthonormal DCT-II along the chunk. ``repeat`` is what pi0's DSRL
uses; many policies never saw such noise and fail under it, so its base success must be measured
before it is used (``dsrl.noise_record``). ``basis`` keeps the dimension low and the distribution
exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from roboreward_ros.dsrl.config import NoiseForm
from roboreward_ros.errors import ConfigError
from roboreward_ros.types import ACTION_DIM, Float32Array


@lru_cache(maxsize=32)
def _dct_rows(rows: int, horizon: int) -> Float32Array:
    """The first ``rows`` of the orthonormal DCT-II, on all dimensions: ``[rows * 7, P * 7]``."""
    k = np.arange(rows)[:, None]
    waves = np.cos(np.pi * k * (np.arange(horizon)[None] + 0.5) / horizon)
    waves *= np.where(k == 0, np.sqrt(1.0 / horizon), np.sqrt(2.0 / horizon))
    matrix = np.kron(waves, np.eye(ACTION_DIM)).astype(np.float32)
    matrix.setflags(write=False)
    return matrix


@dataclass(frozen=True, slots=True)
class NoiseMap:
    """The map of one form at one horizon.

    Attributes:
        form: see the module's table.
        horizon: prediction horizon P.
        basis: K of ``NoiseForm.BASIS``.

    Raises:
        ConfigError: more rows than the chunk has actions.
    """

    form: NoiseForm
    horizon: int
    basis: int = 1

    def __post_init__(self) -> None:
        if self.form is NoiseForm.BASIS and not 1 <= self.basis <= self.horizon:
            raise ConfigError(
                "the noise basis does not fit the policy's chunk",
                got=f"basis {self.basis}",
                allowed=f"1..{self.horizon}",
            )

    @property
    def latent_dim(self) -> int:
        """Length of z."""
        rows = {NoiseForm.FULL: self.horizon, NoiseForm.REPEAT: 1, NoiseForm.BASIS: self.basis}
        return rows[self.form] * ACTION_DIM

    @property
    def preserves_prior(self) -> bool:
        """Whether z ~ N(0, I) gives w ~ N(0, I)."""
        return self.form is not NoiseForm.REPEAT

    def rows(self) -> Float32Array:
        """B ``[Z, P * 7]``: a latent's share of w is ``z @ B`` (``basis`` and ``repeat``)."""
        if self.form is NoiseForm.REPEAT:
            return np.tile(np.eye(ACTION_DIM, dtype=np.float32), (1, self.horizon))
        if self.form is NoiseForm.BASIS:
            return _dct_rows(self.basis, self.horizon)
        return np.eye(self.horizon * ACTION_DIM, dtype=np.float32)

    def latents(self, w: Float32Array) -> Float32Array:
        """Latents ``[..., Z]`` of noise ``w [..., P * 7]``."""
        if self.form is NoiseForm.FULL:
            return w
        if self.form is NoiseForm.REPEAT:
            return w[..., :ACTION_DIM]
        return np.asarray(w @ self.rows().T, dtype=np.float32)

    def noise(self, z: Float32Array, w0: Float32Array | None = None) -> Float32Array:
        """Noise ``[..., P * 7]`` of latents ``z [..., Z]``.

        Args:
            z: latents.
            w0: prior draw ``[..., P * 7]`` that ``basis`` takes the rest from; None leaves it 0.
        """
        if self.form is NoiseForm.FULL:
            return z
        w = z @ self.rows()
        if self.form is NoiseForm.BASIS and w0 is not None:
            w = w + w0 - self.latents(w0) @ self.rows()
        return np.asarray(w, dtype=np.float32)

    def fits(self, w: Float32Array) -> npt.NDArray[np.bool_]:
        """Whether noise ``[n, P * 7]`` can be said in this form, bool ``[n]``."""
        if self.form is not NoiseForm.REPEAT:
            return np.ones(len(w), dtype=np.bool_)
        tiled = np.tile(w[:, :ACTION_DIM], (1, self.horizon))
        return np.asarray(np.isclose(w, tiled, atol=1e-6).all(axis=1))

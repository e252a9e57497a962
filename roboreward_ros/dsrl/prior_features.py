# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Frozen features of demonstrations in ``run_dir/features``, so that each is encoded once.

One safetensors file per episode of prior data, written whole; it says which recording and which
policy it is of, and carries a checksum. One that does not fit is named in the log, and its episode
is encoded again. Without the folder nothing but time is lost.
"""

from __future__ import annotations

import logging
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from roboreward_ros.dsrl.learner import fingerprint
from roboreward_ros.files import inside, write_atomic
from roboreward_ros.types import EpisodeMeta, Float32Array, PolicySpec

_LOG = logging.getLogger(__name__)
FOLDER = "features"
FEATURES_FORMAT = 1
MOST_BYTES = 1 << 30
"""Of the folder: a quarter of a million decisions with a thousand features each."""
_HEADER_BYTES = 4096


class PriorFeatures:
    """See the module's text; one thread.

    Args:
        run_dir: of the run that learns.
        spec: of its frozen policy.
        most_bytes: nothing is added to a folder that would hold more.
    """

    def __init__(self, run_dir: Path, spec: PolicySpec, most_bytes: int = MOST_BYTES) -> None:
        self._folder = run_dir / FOLDER
        self._spec = spec
        self._most_bytes = most_bytes
        self._full = False

    def find(self, name: str, meta: EpisodeMeta, steps: Sequence[int]) -> Float32Array | None:
        """Features ``[len(steps), F]`` float32 as ``keep`` got them; None where there are none.

        Args:
            name: id of the prior data.
            meta: of the recording behind them.
            steps: control steps whose observations were encoded.
        """
        try:
            path = self._path(name)
            return self._read(path, meta, steps) if path.is_file() else None
        except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
            _LOG.warning("the features of %s are encoded again: %s", name, error)
            return None

    def _read(self, path: Path, meta: EpisodeMeta, steps: Sequence[int]) -> Float32Array:
        """Raises ValueError, or what reading raises, for a file that is not what was asked for."""
        shape = (len(steps), self._spec.feature_dim)
        most = 4 * shape[0] * shape[1] + 8 * shape[0] + _HEADER_BYTES
        if path.stat().st_size > most:
            raise ValueError(f"{path} has {path.stat().st_size} bytes, at most {most} fit")
        with safe_open(path, framework="numpy") as file:
            said = file.metadata() or {}
            features, kept = file.get_tensor("features"), file.get_tensor("steps")
        want = self._header(meta)
        if other := [f"{k} {said.get(k)}, not {v}" for k, v in want.items() if said.get(k) != v]:
            raise ValueError(f"{path} is of another recording or policy: {'; '.join(other)}")
        if features.dtype != np.float32 or features.shape != shape:
            raise ValueError(f"{path} holds {features.dtype} {features.shape}, not float32 {shape}")
        if kept.tolist() != list(steps):
            raise ValueError(f"{path} holds other control steps")
        if not np.isfinite(features).all() or said["crc32"] != _checksum(features):
            raise ValueError(f"{path} is damaged")
        return np.asarray(features)

    def keep(
        self, name: str, meta: EpisodeMeta, steps: Sequence[int], features: Float32Array
    ) -> None:
        """Write what ``find`` is to give; a failure is logged: learning does not depend on it."""
        tensors = {"features": features, "steps": np.asarray(steps, dtype=np.int64)}
        data = save(tensors, {**self._header(meta), "crc32": _checksum(features)})
        try:
            path = self._path(name)
            if self._room(path, len(data)):
                write_atomic(path, data)
        except (OSError, ValueError) as error:
            _LOG.error("the features of %s are not on disk: %s", name, error)

    def _path(self, name: str) -> Path:
        return inside(self._folder, f"{name}.safetensors")

    def _header(self, meta: EpisodeMeta) -> dict[str, str]:
        return {
            "format": str(FEATURES_FORMAT),
            "policy_id": self._spec.policy_id,
            "recording": fingerprint(meta),
        }

    def _room(self, path: Path, size: int) -> bool:
        """Whether ``size`` bytes in the place of ``path`` fit; that they do not is said once."""
        others = (it for it in self._folder.glob("*") if it != path)
        held = sum(it.stat().st_size for it in others)
        if held + size > self._most_bytes and not self._full:
            self._full = True
            _LOG.warning(
                "%s is full (%d of %d bytes): further demonstrations are encoded at every fresh "
                "start of the learner",
                *(self._folder, held, self._most_bytes),
            )
        return held + size <= self._most_bytes


def _checksum(features: Float32Array) -> str:
    return f"{zlib.crc32(np.ascontiguousarray(features).tobytes()):08x}"

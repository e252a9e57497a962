# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Every figure of the learner as TensorBoard scalars in ``run_dir/logs/tensorboard``."""

from __future__ import annotations

import logging
from pathlib import Path

from torch.utils.tensorboard import SummaryWriter

from roboreward_ros.dsrl.figures import DutyState, scalars

_LOG = logging.getLogger(__name__)


class Board:
    """Appends; a resumed run goes on in the same curves.

    Args:
        run_dir: the run.
    """

    def __init__(self, run_dir: Path | str) -> None:
        self._folder = str(Path(run_dir) / "logs" / "tensorboard")
        self._writer: SummaryWriter | None = None

    def write(self, state: DutyState) -> None:
        """One point per figure, at the number of updates done; none where the disk is full."""
        step = state.status.metrics.grad_steps
        try:
            self._writer = self._writer or SummaryWriter(self._folder, flush_secs=10)
            for name, value in scalars(state).items():
                self._writer.add_scalar(name, value, step)
        except OSError as error:
            _LOG.warning("the learner's curves lack a point: %s", error)
            self._writer = None

    def close(self) -> None:
        """Flush."""
        if self._writer is not None:
            self._writer.close()

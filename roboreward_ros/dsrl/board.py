# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Every figure of the learner as TensorBoard scalars in ``run_dir/logs/tensorboard``."""

from __future__ import annotations

from pathlib import Path

from torch.utils.tensorboard import SummaryWriter

from roboreward_ros.dsrl.figures import DutyState, scalars


class Board:
    """Appends; a resumed run goes on in the same curves.

    Args:
        run_dir: the run.
    """

    def __init__(self, run_dir: Path | str) -> None:
        folder = Path(run_dir) / "logs" / "tensorboard"
        self._writer = SummaryWriter(str(folder), flush_secs=10)

    def write(self, state: DutyState) -> None:
        """One point per figure, at the number of updates done."""
        step = state.status.metrics.grad_steps
        for name, value in scalars(state).items():
            self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        """Flush."""
        self._writer.close()

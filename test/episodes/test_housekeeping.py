# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from roboreward_ros.clock import SystemClock
from roboreward_ros.episodes.housekeeping import Housekeeper
from roboreward_ros.episodes.retention import RetentionConfig
from roboreward_ros.episodes.store import EpisodeStore

LIMIT_S = 60.0


def until(holds: Callable[[], bool], what: str) -> None:
    clock = SystemClock()
    end_ns = clock.steady_ns() + round(LIMIT_S * 1e9)
    while not holds():
        assert clock.steady_ns() < end_ns, f"in vain: {what}"
        clock.sleep(0.01)


def test_a_disk_that_cannot_be_asked_is_told_and_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = EpisodeStore(tmp_path, "w")
    keeper = Housekeeper(store, RetentionConfig(), lambda: ())

    def fail(_: Path) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(shutil, "disk_usage", fail)
    keeper.start()
    until(lambda: "Input/output error" in keeper.state.problem, "the trouble is told")
    monkeypatch.undo()
    keeper.nudge()
    until(lambda: not keeper.state.problem, "the trouble is over")
    keeper.close()
    store.close()

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest

from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.testing.conformance_episode_store import make_meta, record
from roboreward_ros.types import EndCause


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    return tmp_path / "run"


@pytest.fixture
def stored_run(run_dir: Path) -> Path:
    """A run with three committed episodes."""
    store = EpisodeStore(run_dir, "w")
    for index in range(3):
        writer = store.create(make_meta(index))
        record(writer, steps=5)
        writer.commit(EndCause.TIME)
    store.close()
    return run_dir

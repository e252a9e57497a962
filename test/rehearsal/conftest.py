# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest

from roboreward_ros.testing.recorded_run import write_run


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small recorded run."""
    return write_run(tmp_path_factory.mktemp("recorded") / "monday")

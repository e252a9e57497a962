# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the tests of a learner on another host share."""

import os
from contextlib import ExitStack

import pytest

from roboreward_ros.dsrl import remote_duty


@pytest.fixture
def no_waiting(monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda _: None)  # what a power cut takes is tested elsewhere
    monkeypatch.setattr(os, "fdatasync", lambda _: None)
    monkeypatch.setattr(remote_duty, "LONG_POLL_S", 0.0)
    monkeypatch.setattr(remote_duty, "REFUSED_S", 0.0)


@pytest.fixture
def stack():
    with ExitStack() as made:
        yield made

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A try that a disk has ended does not stand in the way of the next one of the same episode."""

import errno

import pytest

from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.errors import StoreError
from roboreward_ros.testing.conformance_episode_store import make_meta, record
from roboreward_ros.testing.faults import failing_disk
from roboreward_ros.types import EndCause


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EIO])
def test_the_next_try_is_recorded_whatever_the_first_left(tmp_path, number):
    store = EpisodeStore(tmp_path, "w")
    journal = tmp_path / "episodes" / ".journal" / "ep_000000"
    with failing_disk(number, tmp_path), pytest.raises(OSError, match=r"\[Errno"):
        store.create(make_meta(0))
    writer = store.create(make_meta(0))
    with pytest.raises(StoreError, match="it is being recorded"):
        store.create(make_meta(0))
    with failing_disk(number, tmp_path):
        with pytest.raises(StoreError):
            record(writer)
        writer.abort()
        assert journal.exists() == (number != errno.ENOSPC), "a full disk lets things go"
    again = store.create(make_meta(0))
    record(again)
    again.commit(EndCause.TIME)
    assert list(store.ids()) == ["ep_000000"]
    with pytest.raises(StoreError, match="exists already"):
        store.create(make_meta(0))
    store.close()

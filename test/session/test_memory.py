# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
import pytest

from roboreward_ros.errors import FormatError, StoreError
from roboreward_ros.session.memory import SessionMemory, load_memory, memory_path, save_memory
from roboreward_ros.types import IdleAccount

MEMORY = SessionMemory("open the drawer", IdleAccount(motion_s=12.5, fault_s=0.25))


def test_what_was_saved_comes_back(tmp_path):
    save_memory(tmp_path, MEMORY)
    assert load_memory(tmp_path) == MEMORY


def test_a_new_run_remembers_nothing(tmp_path):
    assert load_memory(tmp_path) == SessionMemory()


@pytest.mark.parametrize("text", ["", "[]", '{"format": 1, "task": "t", "idle": {}}'])
def test_a_damaged_memory_is_refused_with_a_way_out(tmp_path, text):
    memory_path(tmp_path).write_text(text)
    with pytest.raises(FormatError, match="Remove it"):
        load_memory(tmp_path)


def test_a_newer_memory_is_refused_by_name(tmp_path):
    save_memory(tmp_path, MEMORY)
    path = memory_path(tmp_path)
    path.write_text(path.read_text().replace('"format": 1', '"format": 2'))
    with pytest.raises(FormatError, match=r"newer version.*2"):
        load_memory(tmp_path)


def test_a_folder_that_cannot_be_written_is_an_error_of_the_store(tmp_path):
    (tmp_path / "gone").write_text("a file where the folder should be")
    with pytest.raises(StoreError, match=r"session\.json"):
        save_memory(tmp_path / "gone", MEMORY)

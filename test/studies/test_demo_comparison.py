# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
import json
from pathlib import Path

import pytest

from roboreward_ros.errors import FormatError
from roboreward_ros.evaluation.success import Arm
from roboreward_ros.studies.demo_comparison import (
    KEPT,
    comparison_lines,
    dump,
    kept_rows,
    row_of,
)

RESULTS = Path(__file__).resolve().parents[2] / "bench" / "results"


def table(path: Path, steered: list[float]) -> Path:
    def run(rate: float) -> dict[str, object]:
        success = {str(arm): 0.4 for arm in Arm} | {str(Arm.STEERED): rate}
        return {"success": success, "gain_looking": rate - 0.4, "reward_mae": 0.5, "episodes": 120}

    path.write_text(json.dumps({"task": "open the drawer", "runs": [run(r) for r in steered]}))
    return path


def test_a_row_holds_the_means_over_the_runs_and_the_worst_of_them(tmp_path):
    row = row_of(table(tmp_path / "t.json", [0.8, 1.0]), "mine")
    assert (row.seeds, row.episodes, row.steered, row.lowest) == (2, 120, 0.9, 0.8)
    assert (row.gain, row.error) == (0.5, 0.5)


@pytest.mark.parametrize("text", ["[]", "{}", '{"task": "t", "runs": []}', "nothing"])
def test_another_file_is_refused(tmp_path, text):
    path = tmp_path / "t.json"
    path.write_text(text)
    with pytest.raises(FormatError, match="study"):
        row_of(path, "mine")


def test_what_the_package_carries_is_what_was_measured():
    assert KEPT.read_text(encoding="utf-8") == dump(RESULTS)


def test_the_demo_shows_every_reward_with_its_error():
    rows = kept_rows("open the drawer")
    text = "\n".join(comparison_lines(rows))
    assert len(rows) == 3
    for row in rows:
        assert f"{row.reward:<28}{row.error:>7.2f}" in text


def test_another_task_has_nothing_beside_it():
    assert comparison_lines(kept_rows("fold the towel")) == []

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""``roboreward bench rewards`` from a folder of videos to the page, and over a kill."""

from __future__ import annotations

import json

import pytest

from roboreward_ros.cli.main import main
from roboreward_ros.testing.fake_rewards import AbstainingSource, FakeSource, registry_name
from roboreward_ros.testing.grey_video import write_video

CALM = registry_name(FakeSource)


@pytest.fixture
def folder(tmp_path):
    """Four videos in two subsets, two of the rows about one video."""
    root = tmp_path / "data"
    rows = []
    for number, (subset, reward) in enumerate([("a", 3), ("a", 5), ("b", 1)]):
        name = f"{subset}/{number}.mp4"
        (root / "test" / subset).mkdir(parents=True, exist_ok=True)
        write_video(root / "test" / name, 6 + number)
        rows.append({"file_name": name, "task": f"task {number}", "reward": reward})
    rows.append({"file_name": "a/0.mp4", "task": "another task", "reward": 2})
    (root / "test" / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return root


def bench(folder, tmp_path, *more):
    out = tmp_path / "figures.json"
    code = main(
        ["bench", "rewards", str(folder), "--out", str(tmp_path / "out"), "--json", str(out), *more]
    )
    return code, json.loads(out.read_text())


def test_a_folder_is_scored_and_judged(folder, tmp_path, capsys):
    code, figures = bench(folder, tmp_path, "--source", CALM, "--probes")
    assert code == 0
    # The fake always says 3: subset a is off by 0, 2 and 1, subset b by 2.
    assert figures["mae_by_subset"] == {"a": 1.0, "b": 2.0}
    assert (figures["macro_mae"], figures["n"], figures["unparsed"]) == (1.5, 4, 0)
    assert figures["wrong_instruction"]["n"] == 3
    page = (tmp_path / "out" / "leaderboard.html").read_text()
    assert "Worst disagreements" in page
    assert "data:image/png" in page
    assert "MAE 1.500" in capsys.readouterr().out


def test_a_killed_run_goes_on_where_it_was(folder, tmp_path):
    bench(folder, tmp_path, "--source", CALM)
    saved = next((tmp_path / "out").glob("*.jsonl"))
    lines = saved.read_text().splitlines()
    saved.write_text("\n".join(lines[:2]) + "\n" + lines[2][:20])
    code, figures = bench(folder, tmp_path, "--source", CALM)
    assert (code, figures["n"]) == (0, 4)
    again = saved.read_text().splitlines()
    assert [json.loads(line)["id"] for line in again] == [json.loads(line)["id"] for line in lines]


def test_answers_to_another_question_are_not_mixed_in(folder, tmp_path, capsys):
    bench(folder, tmp_path, "--source", CALM)
    code = main(
        [
            "bench",
            "rewards",
            str(folder),
            "--out",
            str(tmp_path / "out"),
            "--source",
            CALM,
            "--options",
            '{"value": 5}',
        ]
    )
    assert code == 2
    assert "another question" in capsys.readouterr().err


def test_abstentions_are_counted_beside_the_error(folder, tmp_path):
    _, figures = bench(folder, tmp_path, "--source", registry_name(AbstainingSource))
    assert figures["abstained"] == 4


def test_bad_rows_stop_it_or_are_named(folder, tmp_path, capsys):
    (folder / "test" / "b" / "2.mp4").write_bytes(b"cut off")
    code = main(["bench", "rewards", str(folder), "--out", str(tmp_path / "out"), "--source", CALM])
    assert code == 2
    assert "2.mp4" in capsys.readouterr().err
    code, figures = bench(folder, tmp_path, "--source", CALM, "--keep-going")
    assert code == 1
    assert figures["n"] == 3
    assert "2.mp4" in figures["problems"][0]


@pytest.mark.parametrize(
    ("row", "named"),
    [
        ({"file_name": "a/0.mp4", "task": "x", "reward": 7}, "out of range"),
        ({"file_name": "a/0.mp4", "task": " ", "reward": 2}, "task is"),
        ({"file_name": "a/9.mp4", "task": "x", "reward": 2}, "missing video"),
        ({"file_name": "../secret.mp4", "task": "x", "reward": 2}, "outside the folder"),
        ({"file_name": "a/0.mp4", "task": "task 0", "reward": 2}, "duplicated id"),
    ],
)
def test_a_malformed_row_is_refused_by_its_line(folder, tmp_path, capsys, row, named):
    with (folder / "test" / "metadata.jsonl").open("a") as file:
        file.write(json.dumps(row) + "\n")
    code = main(["bench", "rewards", str(folder), "--source", CALM, "--out", str(tmp_path / "o")])
    error = capsys.readouterr().err
    assert code == 2
    assert "line 5" in error
    assert named in error


def test_helms_collected_file_is_read_too(folder, tmp_path):
    item = {
        "subset": "bridge",
        "conversations": [
            {"from": "human", "value": "<video>Rate it.\n\nTask: open the drawer"},
            {"from": "gpt", "value": "ANSWER: 3"},
        ],
        "video": ["test/a/0.mp4"],
        "metadata": {"reward": 3, "original_id": "x"},
    }
    (folder / "test" / "metadata.jsonl").unlink()
    (folder / "final_test.json").write_text(json.dumps([item]))
    _, figures = bench(folder, tmp_path, "--source", CALM)
    assert figures["mae_by_subset"] == {"bridge": 0.0}


def test_saved_predictions_are_compared(tmp_path):
    rows = [{"id": k, "subset": "a", "task": "t", "reward": 5, "output": "5"} for k in range(3)]
    good, bad = tmp_path / "good.jsonl", tmp_path / "bad.jsonl"
    good.write_text("\n".join(map(json.dumps, rows)))
    bad.write_text("\n".join(json.dumps(row | {"output": "1"}) for row in rows))
    out = tmp_path / "f.json"
    words = ["bench", "rewards", "--predictions", str(bad), "--predictions", str(good)]
    assert main([*words, "--json", str(out), "--out", str(tmp_path)]) == 0
    figures = json.loads(out.read_text())
    assert (figures["name"], figures["mean_win_rate"]) == ("bad", 0.0)
    assert [model["name"] for model in figures["models"]] == ["good", "bad"]


def test_nothing_to_judge_says_what_to_type(capsys):
    assert main(["bench", "rewards"]) == 2
    assert "--predictions" in capsys.readouterr().err

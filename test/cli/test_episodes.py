# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
import json
import re

import pytest

from roboreward_ros.cli.main import main
from roboreward_ros.episodes.ledger import Ledger
from roboreward_ros.episodes.promoted import read_changes, read_promoted
from roboreward_ros.episodes.run import open_run
from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.evaluation.run_view import RunView
from roboreward_ros.testing.conformance_episode_store import make_meta, make_truth, record
from roboreward_ros.testing.fake_rewards import FollowingSource, RaisingSource, registry_name
from roboreward_ros.types import EndCause, Score


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Three committed episodes, the second discarded."""
    monkeypatch.setenv("COLUMNS", "200")
    path = tmp_path / "run"
    open_run(path, {"task": "t"})
    store = EpisodeStore(path, "w")
    for index in range(3):
        writer = store.create(make_meta(index))
        record(writer, steps=4 + index)
        writer.commit(EndCause.TIME, ("takeover",) if index == 2 else ())
    store.discard("ep_000001", "camera moved")
    store.close()
    return path


def test_ls_prints_a_json_list(run, capsys):
    assert main(["episodes", "ls", str(run), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["episode_id"] for row in rows] == [f"ep_{k:06d}" for k in range(3)]
    assert [row["n_steps"] for row in rows] == [4, 5, 6]
    assert [row["discarded"] for row in rows] == [False, True, False]
    assert all(row["label"] == "unscored" and row["reward"] is None for row in rows)


def test_ls_prints_a_table_with_rewards_and_notes(run, capsys):
    assert main(["rescore", str(run), "--source", "ground_truth"]) == 0
    capsys.readouterr()
    assert main(["episodes", "ls", str(run)]) == 0
    out = capsys.readouterr().out
    assert re.search(r"ep_000000 .* 4/12 .* 5 .*ground_truth", out)
    assert re.search(r"ep_000001 .*discarded", out)
    assert re.search(r"ep_000002 .*takeover", out)
    assert "3 episodes, 3 labelled" in out


def test_ls_goes_on_past_a_damaged_episode(run, capsys):
    (run / "episodes/ep_000001/meta.json").write_text("{")
    assert main(["episodes", "ls", str(run)]) == 0
    out = capsys.readouterr().out
    assert re.search(r"ep_000001 .*damaged", out)
    assert "ep_000002" in out


@pytest.mark.parametrize("name", ["ep_000002", "2"])
def test_show_knows_everything_about_one(run, capsys, name):
    assert main(["episodes", "show", str(run), name, "--json"]) == 0
    row = json.loads(capsys.readouterr().out)
    assert (row["episode_id"], row["frames"], row["decisions"]) == ("ep_000002", 7, 2)
    assert (row["cut_decisions"], row["damages"], row["taint"]) == (1, [], ["takeover"])
    assert main(["episodes", "show", str(run), name]) == 0
    assert "put the mushroom on the cloth" in capsys.readouterr().out


def test_show_of_what_is_not_there_lists_what_is(run, capsys):
    assert main(["episodes", "show", str(run), "9"]) == 2
    assert "3 episodes, ep_000000 .. ep_000002" in capsys.readouterr().err


def test_verify_tells_sound_from_damaged_by_its_exit_code(run, capsys):
    assert main(["episodes", "verify", str(run)]) == 0
    assert "3 episodes: sound" in capsys.readouterr().out
    frames = run / "episodes/ep_000001/frames/data/c.0"
    data = bytearray(frames.read_bytes())
    data[len(data) // 2] ^= 1
    frames.write_bytes(data)
    assert main(["episodes", "verify", str(run)]) == 1
    assert "ep_000001/frames/data" in capsys.readouterr().out
    assert main(["episodes", "verify", str(run), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)[0]["where"].startswith("episodes/ep_000001")


def test_without_a_run_there_is_a_clear_error(tmp_path, capsys):
    for words in (["episodes", "ls"], ["episodes", "verify"], ["rescore", "--source", "human"]):
        assert main([*words, str(tmp_path / "nowhere")]) == 2
        assert "no such run" in capsys.readouterr().err


def test_rescore_fills_the_ledger_once_and_promotes(run, capsys):
    assert main(["rescore", str(run), "--source", "ground_truth"]) == 0
    assert "3 scored" in capsys.readouterr().out
    records = Ledger(run).records()
    expected = [float(make_truth(4 + k).score) for k in range(3)]
    assert [r.outcome.value for r in records if isinstance(r.outcome, Score)] == expected
    assert read_promoted(run).source == "ground_truth"
    assert main(["rescore", str(run), "--source", "ground_truth"]) == 0
    assert "nothing left" in capsys.readouterr().out
    assert len(Ledger(run).records()) == 3
    assert main(["rescore", str(run), "--source", "ground_truth", "--force"]) == 0
    assert len(Ledger(run).records()) == 6


def test_rescore_takes_options_and_may_leave_replay_alone(run):
    main(["rescore", str(run), "--source", "ground_truth"])
    words = ["--source", "human", "--options", '{"false_positive": 1.0}', "--no-promote"]
    assert main(["rescore", str(run), *words]) == 0
    assert read_promoted(run).source == "ground_truth"
    assert [r.outcome.value for r in Ledger(run).records(3)] == [5.0, 5.0, 5.0]


def test_rescore_waits_for_no_session_and_touches_nothing_while_one_runs(run, capsys):
    assert main(["rescore", str(run), "--source", "ground_truth"]) == 0
    session = Ledger(run, "w")  # as reward_node holds it
    assert main(["rescore", str(run), "--source", "human"]) != 0
    said = capsys.readouterr().err
    assert "stop it first" in said
    assert "set /reward_node source" in said
    assert (len(session.records()), read_promoted(run).source) == (3, "ground_truth")
    session.close()


def test_replay_follows_a_rescore(run):
    assert main(["rescore", str(run), "--source", "ground_truth"]) == 0
    view = RunView(run)
    assert [row.reward for row in view.rows()] == [5.0, 1.0, 2.0]
    words = ["--options", '{"value": 4.0}']
    assert main(["rescore", str(run), "--source", registry_name(FollowingSource), *words]) == 0
    assert [row.reward for row in view.rows()] == [4.0] * 3
    assert [change.why for change in read_changes(run)] == ["rescore", "rescore"]
    assert [r.outcome.text for r in Ledger(run).records()[3:]] == ["3 at once"] * 3


def test_rescore_by_a_source_that_fails_says_so_and_keeps_the_run_open(run, capsys):
    assert main(["rescore", str(run), "--source", registry_name(RaisingSource)]) == 1
    out = capsys.readouterr().out
    assert "no such tensor" in out
    assert "3 failed" in out
    assert read_promoted(run) is None
    assert main(["rescore", str(run), "--source", "ground_truth"]) == 0


def test_rescore_beside_a_running_stack_is_refused_by_pid(run, capsys):
    running = Ledger(run, "w")
    assert main(["rescore", str(run), "--source", "ground_truth"]) == 2
    assert "pid" in capsys.readouterr().err
    running.close()


def test_rescore_by_an_unknown_source_lists_the_known(run, capsys):
    assert main(["rescore", str(run), "--source", "oracle"]) == 2
    said = capsys.readouterr().err
    assert "allowed:" in said
    assert "degraded" in said
    assert "ground_truth" in said


@pytest.mark.parametrize("words", [["ls"], ["ls", "--json"], ["verify"], ["show", "0"]])
def test_a_newer_run_is_refused_by_name(run, capsys, words):
    (run / "run.json").write_text('{"format": 99, "config": {}}')
    verb, *rest = words
    assert main(["episodes", verb, str(run), *rest]) == 2
    assert "newer" in capsys.readouterr().err


def test_rescore_refuses_a_newer_run(run, capsys):
    (run / "run.json").write_text('{"format": 99, "config": {}}')
    assert main(["rescore", str(run), "--source", "ground_truth"]) == 2
    assert "newer" in capsys.readouterr().err


def test_a_pipe_gets_no_trace_of_the_progress_bar(run, capsys):
    assert main(["episodes", "verify", str(run)]) == 0
    assert capsys.readouterr().out.splitlines() == ["3 episodes: sound"]
    assert main(["rescore", str(run), "--source", "ground_truth"]) == 0
    assert capsys.readouterr().out.splitlines() == ["ground_truth: 3 scored"]

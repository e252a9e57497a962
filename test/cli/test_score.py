# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""``roboreward score``: a video or an episode, one source or several, for people and scripts."""

import io
import json
import os
import threading

import pytest
from rich.console import Console

from roboreward_ros.cli import score_view
from roboreward_ros.cli.main import ERROR_EXIT_CODE, main
from roboreward_ros.cli.patience import Patience
from roboreward_ros.episodes.run import open_run
from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.rewards.guard import Guard
from roboreward_ros.rewards.registry import build
from roboreward_ros.testing.conformance_episode_store import make_meta, record
from roboreward_ros.testing.fake_rewards import (
    AbstainingSource,
    FakeSource,
    RaisingSource,
    registry_name,
)
from roboreward_ros.testing.grey_video import write_video
from roboreward_ros.types import EndCause, Provenance, Score, ScoreKind, ScoreScale

FAKE, ABSTAINS, RAISES = map(registry_name, (FakeSource, AbstainingSource, RaisingSource))
TASK = "open the drawer"


@pytest.fixture(autouse=True)
def wide(monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")


@pytest.fixture
def video(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return str(write_video(tmp_path / "take 1.mp4", 24))


@pytest.fixture
def episode(tmp_path):
    run = tmp_path / "run"
    open_run(run, {"task": "t"})
    store = EpisodeStore(run, "w")
    writer = store.create(make_meta(0))
    record(writer, steps=8)
    writer.commit(EndCause.TIME)
    store.close()
    return str(run / "episodes/ep_000000")


def as_json(capsys, *words):
    code = main(["score", *words, "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_a_person_sees_the_level_by_name_and_every_answer(video, capsys):
    assert main(["score", video, TASK, "--source", FAKE, "--options", '{"value": 4}']) == 0
    out = capsys.readouterr().out
    assert "take 1.mp4: open the drawer" in out
    assert "13 frames, 1.1 s" in out or "12 frames" in out
    assert "FakeSource  4 near" in out
    assert [line.split()[0] for line in out.splitlines() if "%" in line][:5] == list("12345")
    assert "100.0%" in out
    assert "entropy 0.00 of 1.61 nats" in out


def test_a_script_gets_one_object(video, capsys):
    code, found = as_json(capsys, video, TASK, "--source", FAKE)
    assert code == 0
    assert (found["task"], found["source"], found["score"]) == (TASK, "FakeSource", 3.0)
    assert found["distribution"] == {"1": 0, "2": 0, "3": 1, "4": 0, "5": 0}
    assert found["latency_s"] > 0
    (result,) = found["results"]
    assert result["rubric"] == "partial"
    assert result["provenance"]["model"] == "fake"


def test_several_sources_stand_side_by_side(video, capsys):
    words = [FAKE, FAKE, ABSTAINS, RAISES]
    words = [part for name in words for part in ("--source", name)]
    assert main(["score", video, TASK, *words, "--options", '{"value": 5}']) == 1
    lines = capsys.readouterr().out.splitlines()
    rows = {line.split("  ")[0]: line for line in lines}
    assert "5 perfect" in rows["FakeSource 1"]
    assert "3 partial" in rows["FakeSource 2"]
    assert "abstained: 1.4 nats" in rows["AbstainingSource"]
    assert "no such tensor" in " ".join(lines)
    code, found = as_json(capsys, video, TASK, *words)
    assert code == 1
    assert [item["outcome"] for item in found["results"]] == [
        "score", "score", "abstain", "failure",
    ]  # fmt: skip


def test_an_abstention_is_an_answer_without_a_score(video, capsys):
    code, found = as_json(capsys, video, TASK, "--source", ABSTAINS)
    assert (code, found["score"], found["results"][0]["reason"]) == (0, None, "entropy")


def test_every_n_th_prefix_is_scored_and_plotted(video, capsys, tmp_path):
    code, found = as_json(capsys, video, TASK, "--source", FAKE, "--every", "5")
    assert code == 0
    frames = [point["frame"] for point in found["results"][0]["curve"]]
    assert frames == [4, 9, 12]
    assert (tmp_path / found["plot"]).read_bytes().startswith(b"\x89PNG")
    assert found["plot"] == "take 1.progress.png"
    place = tmp_path / "new/curve.png"
    words = ["--source", FAKE, "--source", ABSTAINS, "--every", "9", "--plot", str(place)]
    code, found = as_json(capsys, video, TASK, *words)
    assert place.exists()
    curve = found["results"][1]["curve"]
    assert all(point["value"] is None and point["note"] == "1.4 nats" for point in curve)


def test_an_episode_brings_its_task_and_its_truth(episode, capsys):
    words = ["--source", "ground_truth", "--options", '{"form": "progress"}', "--every", "3"]
    code, found = as_json(capsys, episode, *words, "--plot", episode + "/../../curve.png")
    assert code == 0
    assert found["task"] == make_meta(0).task
    (result,) = found["results"]
    assert [point["frame"] for point in result["curve"]] == [2, 5, 8]
    assert result["curve"][-1]["value"] == found["score"]
    assert as_json(capsys, episode, "lift it", "--source", FAKE)[1]["task"] == "lift it"
    assert main(["score", episode, "lift it", "--source", "ground_truth"]) == ERROR_EXIT_CODE
    assert "the episode's own task only" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nothing.mp4", TASK, "--source", FAKE], "no such video"),
        (["VIDEO", "--source", FAKE], "the task is empty"),
        (["VIDEO", TASK, "--source", "nope"], "unknown reward source"),
        (["VIDEO", TASK, "--source", "ground_truth"], "a video has none"),
        (["VIDEO", TASK, "--source", FAKE, "--options", "{"], "not JSON"),
        (["VIDEO", TASK, "--source", FAKE, "--options", "{}", "--options", "{}"], "more --options"),
        (["VIDEO", TASK, "--source", FAKE, "--plot", "a.png"], "--every 1 or more"),
        (["VIDEO", TASK, "--source", FAKE, "--every", "-1"], "--every 1 or more"),
        ([".", TASK, "--source", FAKE], "no episode"),
        (["broken.mp4", TASK, "--source", FAKE], "cannot be decoded"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(video, capsys, tmp_path, words, message):
    (tmp_path / "broken.mp4").write_bytes(b"no video at all" * 100)
    words = [video if word == "VIDEO" else word for word in words]
    assert main(["score", *words]) == ERROR_EXIT_CODE
    errors = capsys.readouterr().err
    assert message in errors
    assert len(errors.splitlines()) == 1


def test_names_in_brackets_are_text_not_markup(tmp_path, capsys):
    path = write_video(tmp_path / "[bold]x.mp4", 3)
    assert main(["score", str(path), "put [red] away", "--source", FAKE]) == 0
    assert "[bold]x.mp4: put [red] away" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("value", "scale", "text"),
    [
        (4.0, ScoreScale.RUBRIC, "4 near"),
        (3.6, ScoreScale.RUBRIC, "3.60 (about near)"),
        (0.3, ScoreScale.UNIT, "0.30 of 1"),
        (-1.0, ScoreScale.SIGN, "-1.00 -1 earlier .. 1 later"),
    ],
)
def test_numbers_say_what_they_stand_for(value, scale, text):
    assert score_view.meaning(value, scale) == text


def test_printed_text_is_shown(capsys):
    outcome = Score(2.0, ScoreScale.RUBRIC, ScoreKind.NONE, Provenance("a"), text="ANSWER: 2")
    from roboreward_ros.types import RewardSpec

    item = score_view.Judgement("a", RewardSpec("a", ScoreScale.RUBRIC), outcome)
    score_view.show_one(Console(), item)
    assert "it printed: ANSWER: 2" in capsys.readouterr().out


class Lines(io.StringIO):
    """Notices a line."""

    def __init__(self) -> None:
        super().__init__()
        self.came = threading.Event()

    def write(self, text: str) -> int:
        count = super().write(text)
        self.came.set()
        return count


def test_a_long_wait_is_explained():
    stream = Lines()
    with Patience(stream, first_s=0.01, again_s=0.01) as patience:
        patience.now("loading roboreward")
        assert stream.came.wait(20)
    assert stream.getvalue().startswith("loading roboreward (0 s)\n")


def test_a_short_command_says_nothing():
    stream = Lines()
    with Patience(stream, first_s=60) as patience:
        patience.now("reading")
    assert stream.getvalue() == ""


def test_a_real_model_scores_a_video(video, capsys, tmp_path, monkeypatch):
    from roboreward_ros.testing.tiny_vlm import make_tiny_vlm

    def in_process(name, options):  # that it runs in a child too is the worker's test
        guard = Guard(build(name, options))
        guard.warm_up(60)
        return guard

    monkeypatch.setitem(os.environ, "HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("roboreward_ros.cli.score.open_source", in_process)
    options = {"model": str(make_tiny_vlm(tmp_path / "model")), "max_entropy": 9.0}
    options |= {"max_off_answer_mass": 1.0, "sampling": "grid", "dense": True, "device": "cpu"}
    words = ["--source", "roboreward", "--options", json.dumps(options), "--every", "6"]
    code, found = as_json(capsys, video, TASK, *words)
    assert code == 0
    assert found["score"] in (1, 2, 3, 4, 5)
    assert sum(found["distribution"].values()) == pytest.approx(1)
    assert len(found["results"][0]["curve"]) == 3

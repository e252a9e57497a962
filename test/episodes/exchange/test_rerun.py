# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Recordings for the rerun viewer: what is logged where; the library itself is optional."""

from __future__ import annotations

import importlib

import numpy as np
import pytest

from roboreward_ros.cli.main import main
from roboreward_ros.episodes.exchange.rerun_write import (
    AXES,
    LabelStated,
    Moment,
    RerunFile,
    load_rerun,
    log_episodes,
)
from roboreward_ros.episodes.ledger import Ledger
from roboreward_ros.episodes.pictures import PictureBook
from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.episodes.views import RewardView, ViewConfig
from roboreward_ros.errors import ConfigError
from roboreward_ros.testing.conformance_episode_store import make_meta, record
from roboreward_ros.types import (
    EndCause,
    LabelRecord,
    Provenance,
    Score,
    ScoreKind,
    ScoreScale,
)


class Recorded:
    """Keeps what was logged, with its moment."""

    def __init__(self):
        self.moment = None
        self.curves = {}
        self.logged = []

    def names(self, entity, names):
        self.curves[entity] = tuple(names)

    def at(self, moment):
        self.moment = moment

    def picture(self, entity, jpeg):
        self.logged.append((self.moment, entity, jpeg))

    def numbers(self, entity, values):
        self.logged.append((self.moment, entity, tuple(values)))

    def line(self, entity, text):
        self.logged.append((self.moment, entity, text))

    def of(self, entity):
        return [(moment, what) for moment, name, what in self.logged if name == entity]


def logged(run):
    ledger = Ledger(run, "w")
    score = Score(4.0, ScoreScale.RUBRIC, ScoreKind.NONE, Provenance("ground_truth"))
    ledger.append(LabelRecord(-1, "ep_000001", score, 0))
    ledger.close()
    store, view = EpisodeStore(run), RewardView.of_run(run, ViewConfig("ground_truth"))
    recording = Recorded()
    stated = [LabelStated(store.open(name), view.status(name)) for name in store.ids()]
    return recording, log_episodes(stated, recording), stated


def test_pictures_states_and_actions_lie_at_the_stamps_of_the_store(stored_run):
    recording, frames, stated = logged(stored_run)
    pictures = recording.of("camera")
    assert frames == len(pictures) == 3 * 6
    first = stated[0].episode
    assert [what for _, what in pictures[:6]] == list(first.frames())
    moments = [Moment(s, k, 0) for k, s in enumerate(first.stamps_ns())]
    assert [moment for moment, _ in pictures[:6]] == moments
    assert [moment for moment, _ in recording.of("state")[:6]] == moments
    np.testing.assert_array_equal([v for _, v in recording.of("state")[:6]], first.proprio())
    actions = recording.of("action")[:5]  # no action follows the last picture
    assert [moment for moment, _ in actions] == moments[:-1]
    np.testing.assert_array_equal([v for _, v in actions], first.actions())
    assert recording.curves["action"] == recording.curves["state"] == AXES
    assert [moment.frame for moment, _ in pictures] == list(range(18))
    assert [moment.episode for moment, _ in pictures[::6]] == [0, 1, 2]


def test_only_a_labelled_episode_has_a_reward_and_the_log_says_why_others_have_none(stored_run):
    recording, _, stated = logged(stored_run)
    last = Moment(stated[1].episode.stamps_ns()[-1], 11, 1)
    assert recording.of("reward") == [(last, (4.0,))]
    ends = [text for _, text in recording.of("log") if text.startswith("end by")]
    assert ends == [
        "end by time, no reward (unscored)",
        "end by time, reward 4 by ground_truth",
        "end by time, no reward (unscored)",
    ]


def test_an_episode_whose_pictures_were_removed_says_so_and_has_the_rest(stored_run):
    PictureBook(stored_run).remove("ep_000001", "disk budget of 1 GB", 100)
    recording, frames, _ = logged(stored_run)
    assert (frames, len(recording.of("camera")), len(recording.of("state"))) == (18, 12, 18)
    lines = [text for _, text in recording.of("log")]
    assert sum("ep_000001 were removed on" in text for text in lines) == 1


def test_flags_of_actions_are_lines_where_they_change(run_dir):
    store = EpisodeStore(run_dir, "w")
    writer = store.create(make_meta(canary=True))
    record(writer, steps=5)
    writer.commit(EndCause.OPERATOR)
    store.discard("ep_000000", "bumped")
    store.close()
    flags = EpisodeStore(run_dir).open("ep_000000").flags()
    recording, _, _ = logged(run_dir)
    lines = [text for _, text in recording.of("log")]
    changes = sum(a != b for a, b in zip([0, *flags], flags, strict=False))
    assert len(lines) == changes + 2
    assert lines[0] == "ep_000000: “put the mushroom on the cloth”, canary"
    assert "discarded" in lines[-1]


def test_without_the_library_the_error_names_the_install_line(monkeypatch, stored_run, capsys):
    real = importlib.import_module

    def absent(name, package=None):
        if name.split(".")[0] == "rerun":
            raise ImportError("No module named 'rerun'")
        return real(name, package)

    monkeypatch.setattr(importlib, "import_module", absent)
    with pytest.raises(ConfigError, match="pip install 'rerun-sdk"):
        load_rerun()
    out = stored_run.parent / "out.rrd"
    assert main(["episodes", "export", str(stored_run), str(out), "--format", "rerun"]) == 2
    assert "pip install" in capsys.readouterr().err
    assert list(stored_run.parent.glob("*.rrd")) == []


@pytest.mark.parametrize("name", ["out", "out.mp4", "there.rrd"])
def test_a_file_of_another_kind_or_one_that_exists_is_refused(tmp_path, name):
    (tmp_path / "there.rrd").touch()
    with pytest.raises(ConfigError, match="a new file that ends in"):
        RerunFile(tmp_path / name, "run")
    assert (tmp_path / "there.rrd").read_bytes() == b""

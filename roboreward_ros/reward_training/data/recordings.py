# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Our own recordings: episodes of runs with their labels, and folders in the labelled layout."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from roboreward_ros.episodes.exchange.labelled_layout import (
    Fault,
    LayoutRow,
    OnProblem,
    Problem,
    find_table,
    read_table,
)
from roboreward_ros.episodes.exchange.video import nominal_rate, read_frames
from roboreward_ros.episodes.labels import HUMAN
from roboreward_ros.episodes.ledger import SCORES, Ledger
from roboreward_ros.episodes.promoted import read_promoted
from roboreward_ros.episodes.reader import StoredEpisode
from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.episodes.views import RewardView, ViewConfig
from roboreward_ros.errors import ConfigError, FormatError
from roboreward_ros.reward_training.data.clip import Clip
from roboreward_ros.reward_training.data.content import file_sha256
from roboreward_ros.reward_training.data.options import Options
from roboreward_ros.types import ImageU8, Score, ScoreScale

PEOPLE, VIEW = "people", "view"
_ATTEMPT = re.compile(r"_(attempt_\d+|end_\d+)_score_\d$")
_RATES = 1024
_KEPT = ("kind", "parent", "end", "attempt", "paraphrase_of", "gpt5_mini_check")


class RunSource:
    """Complete, kept episodes of a run that have a label on the 1..5 scale.

    Args:
        options: ``labels``: ``people`` (the operator's keys, audits among them) or ``view``
            (what the learner sees: people first, then the promoted source); ``name``.

    Raises:
        ConfigError: no such run.
    """

    def __init__(self, options: Options) -> None:
        self.run_dir = options.path
        self.name = options.text("name", options.path.resolve().name)
        self.labels = options.text("labels", PEOPLE)
        options.finish()
        if self.labels not in (PEOPLE, VIEW):
            raise ConfigError("option labels of run", got=self.labels, allowed=(PEOPLE, VIEW))
        self.store = EpisodeStore(self.run_dir)

    def describe(self) -> str:
        whose = "people's labels" if self.labels == PEOPLE else "the labels of the run's view"
        return f"{self.name}: run {self.run_dir.name}, {whose}"

    def clips(self, on_problem: OnProblem) -> Iterator[Clip]:
        config = read_promoted(self.run_dir) or ViewConfig(source="")
        view = RewardView.of_run(
            self.run_dir,
            ViewConfig(config.source, ScoreScale.RUBRIC, config.fallbacks),
        )
        machine = machine_scores(self.run_dir, config.source)
        for episode_id in self.store.ids():
            place = f"{self.name}/{episode_id}"
            try:
                episode = self.store.open(episode_id)
            except FormatError as error:
                on_problem(Problem(Fault.DAMAGED, place, str(error)))
                continue
            summary = episode.summary
            if summary.discarded or not summary.complete:
                continue
            found = view.status(episode_id)
            score = found.score
            person = score is not None and score.provenance.source == HUMAN
            if score is None or (self.labels == PEOPLE and not person):
                on_problem(Problem(Fault.UNLABELLED, place, found.detail or "nobody labelled it"))
                continue
            yield Clip(
                id=f"{summary.meta.created_ns}_{episode_id}",
                task=summary.meta.task,
                reward=round(score.value),
                fps=summary.meta.control_hz,
                frames=partial(stored_frames, episode),
                columns={
                    "episode_id": episode_id,
                    "label_by": score.provenance.source,
                    "model": config.source,
                    "model_score": machine.get(episode_id),
                    "taint": ", ".join(summary.taint),
                },
            )


def machine_scores(run_dir: Path, source: str) -> dict[str, float]:
    """The newest 1..5 score of a source by episode: what it said before people corrected it."""
    found = {}
    for record in Ledger(run_dir, "r", SCORES).records(0):
        outcome = record.outcome
        if (
            isinstance(outcome, Score)
            and outcome.provenance.source == source
            and outcome.scale is ScoreScale.RUBRIC
            and not record.operator
        ):
            found[record.episode_id] = outcome.value
    return found


def stored_frames(episode: StoredEpisode) -> Iterator[ImageU8]:
    """Frames of a stored episode, the last one included.

    Raises:
        FormatError: a damaged frame.
    """
    import cv2

    for step, jpeg in enumerate(episode.frames()):
        image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
        if image is None:
            raise FormatError(f"{episode.folder}: frame {step} cannot be decoded")
        yield np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)


class LayoutSource:
    """A folder in RoboReward's layout, such as the published data set.

    Args:
        options: ``split`` of the folder, ``subset`` for one of its sources, ``name`` for all rows
            (default: each row's subset keeps its name).

    Raises:
        ConfigError: no such folder or split.
    """

    def __init__(self, options: Options) -> None:
        self.table = find_table(options.path, options.text("split", "train"))
        self.subset = options.text("subset")
        self.merged = options.text("name")
        self.name = self.merged or self.subset or options.path.resolve().name
        options.finish()

    def describe(self) -> str:
        part = f", subset {self.subset}" if self.subset else ""
        return f"{self.name}: labelled layout, {self.table.parent.name}{part}, labels as written"

    def clips(self, on_problem: OnProblem) -> Iterator[Clip]:
        rate = lru_cache(_RATES)(nominal_rate)  # rows of one video often follow one another
        for row in read_table(self.table, on_problem):
            if self.subset and row.subset != self.subset:
                continue
            try:
                fps = rate(row.path)
            except FormatError as error:
                on_problem(Problem(Fault.DAMAGED, row.place, str(error)))
                continue
            yield Clip(
                id=row.id,
                task=row.task,
                reward=row.reward,
                fps=fps,
                frames=partial(read_frames, row.path),
                file=row.path,
                content=row.video_sha256 or whole_video(row),
                source=self.merged or row.subset,
                columns={
                    key: value
                    for key in _KEPT
                    if isinstance(value := row.columns.get(key), str | int | float)
                },
            )


def whole_video(row: LayoutRow) -> str:
    """sha256 of the video that a row's clip was cut from, where its name tells; else ""."""
    whole = row.path.with_stem(_ATTEMPT.sub("", row.path.stem))
    return file_sha256(whole) if whole != row.path and whole.is_file() else ""

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Rollouts that a source calls done, as training data: the second use of a reward model."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from roboreward_ros.episodes.ledger import OPERATOR, SCORES, Ledger
from roboreward_ros.episodes.promoted import read_promoted
from roboreward_ros.episodes.run import read_run
from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.episodes.views import RewardView, ViewConfig
from roboreward_ros.errors import ConfigError, FormatError, StoreError
from roboreward_ros.policies.dataset import Demonstrations, chunks_of
from roboreward_ros.policies.diffusion import shrink_image
from roboreward_ros.protocols import EpisodeReader
from roboreward_ros.rewards.registry import SOURCES
from roboreward_ros.studies.lrm.keep import Keep
from roboreward_ros.types import Float32Array, ImageU8, Score, ScoreScale, StepFlag

ANSWERS = ("completion", "score")
FACTS = (*ANSWERS, "steps", *sorted(SOURCES))
"""What ``--keep`` may ask: the chosen source's answer on 0..1 and on 1..5, the length in control
steps, and any other source's answer on 0..1 by its name."""
_NOT_THE_POLICY = StepFlag.HOLD | StepFlag.LATE | StepFlag.FAULT


@dataclass(frozen=True, slots=True)
class Kept:
    """What came through.

    Attributes:
        data: rows of all kept rollouts.
        source: whose answers ``completion`` and ``score`` were.
        episodes: run folder -> ids kept.
        dropped: rollouts that do not meet the condition.
        unanswered: rollouts without an answer that the condition needs; never kept.
        unfit: rollouts that are incomplete, discarded or tainted.
    """

    data: Demonstrations
    source: str
    episodes: Mapping[str, tuple[str, ...]]
    dropped: int
    unanswered: int
    unfit: int

    @property
    def count(self) -> int:
        """Rollouts kept."""
        return sum(map(len, self.episodes.values()))


class _Answers:
    """What the sources of one run say about its episodes; a person's key wins, as in replay."""

    def __init__(self, run_dir: Path, source: str, keep: Keep) -> None:
        self._views: dict[str, RewardView] = {}
        named = sorted(keep.names & set(SOURCES))
        for name in dict.fromkeys([*([source] if keep.names & set(ANSWERS) else []), *named]):
            view = ViewConfig(name, scale_of(run_dir, name), include_shadow=True)
            self._views[name] = RewardView.of_run(run_dir, view)
        self._source = source

    def facts(self, episode: EpisodeReader) -> dict[str, float] | None:
        """Facts of an episode; None where a source that is asked has no answer."""
        summary = episode.summary
        facts = {"steps": float(summary.n_steps)}
        for name, view in self._views.items():
            score = view.label(summary.meta.episode_id)
            if score is None:
                return None
            facts[name] = unit(score)
        if self._source in self._views:
            facts["completion"] = facts[self._source]
            facts["score"] = 1 + 4 * facts["completion"]
        return facts


def filter_runs(
    runs: Sequence[Path], keep: Keep, source: str, image_size: int, horizon: int
) -> Kept:
    """Collect the rollouts of ``runs`` that ``keep`` holds for.

    Args:
        runs: their folders.
        keep: the condition.
        source: whose answers; "" is the source that the first run goes by.
        image_size: side that the policy's pictures have, pixels.
        horizon: P of the policy.

    Raises:
        ConfigError: nothing is kept, or no source is known.
        StoreError: no such run, or a source never scored it.
    """
    promoted = read_promoted(runs[0])
    chosen = source or (promoted.source if promoted is not None else "")
    if not chosen and keep.names & set(ANSWERS):
        raise ConfigError(
            f"run {runs[0]} goes by no source",
            got="no --source",
            next_step="Name the source whose answers count: --source NAME.",
        )
    rows: list[_Rollout] = []
    kept: dict[str, tuple[str, ...]] = {}
    dropped = unanswered = unfit = 0
    for run_dir in runs:
        read_run(run_dir)
        answers = _Answers(run_dir, chosen, keep)
        ids = []
        for episode in EpisodeStore(run_dir):
            summary = episode.summary
            if summary.discarded or summary.taint or not summary.complete:
                unfit += 1
                continue
            facts = answers.facts(episode)
            if facts is None:
                unanswered += 1
            elif keep(facts):
                rows.append(_rollout(episode, image_size, horizon))
                ids.append(summary.meta.episode_id)
            else:
                dropped += 1
        kept[str(run_dir)] = tuple(ids)
    if not any(len(rollout.chunks) for rollout in rows):
        raise ConfigError(
            f"no rollout meets --keep '{keep.text}'",
            got=f"{dropped} that do not, {unanswered} without an answer, {unfit} unfit",
            next_step="Ask for less, or let the source score them: roboreward rescore RUN.",
        )
    return Kept(_joined(rows), chosen, kept, dropped, unanswered, unfit)


def scale_of(run_dir: Path, source: str) -> ScoreScale:
    """The scale on which a source last scored a run.

    Raises:
        StoreError: it never did.
    """
    for name in (SCORES, OPERATOR):
        for record in reversed(Ledger(run_dir, "r", name).records()):
            outcome = record.outcome
            if isinstance(outcome, Score) and outcome.provenance.source == source:
                return outcome.scale
    raise StoreError(
        f"source '{source}' has scored no episode of run {run_dir}",
        next_step=f"Let it: roboreward rescore {run_dir} --source {source} --no-promote",
    )


def unit(score: Score) -> float:
    """A score on 0..1, whatever its own scale."""
    if score.scale is ScoreScale.UNIT:
        return score.value
    if score.scale is ScoreScale.SIGN:
        return (score.value + 1) / 2
    return (score.value - 1) / 4


@dataclass(frozen=True, slots=True)
class _Rollout:
    """Rows of one episode."""

    task: str
    images: ImageU8
    proprio: Float32Array
    chunks: Float32Array


def _rollout(episode: EpisodeReader, image_size: int, horizon: int) -> _Rollout:
    """Pictures, states and executed actions; without rows whose chunk was not all the policy's."""
    flags = np.array(episode.flags())
    steps = len(flags)
    foreign = np.concatenate([(flags & _NOT_THE_POLICY) != 0, np.zeros(horizon, np.bool_)])
    whole = [k for k in range(steps) if not foreign[k : k + horizon].any()]
    frames = episode.frames()
    images = [shrink_image(_picture(frames[k]), image_size) for k in whole]
    return _Rollout(
        task=episode.summary.meta.task,
        images=np.array(images, dtype=np.uint8).reshape(-1, image_size, image_size, 3),
        proprio=episode.proprio()[whole].astype(np.float32),
        chunks=chunks_of(episode.actions(), horizon)[whole],
    )


def _joined(rollouts: Sequence[_Rollout]) -> Demonstrations:
    tasks = tuple(dict.fromkeys(rollout.task for rollout in rollouts))
    numbers = [np.full(len(r.chunks), tasks.index(r.task), dtype=np.int64) for r in rollouts]
    rows = sum(len(r.chunks) for r in rollouts)
    return Demonstrations(
        tasks=tasks,
        images=np.concatenate([r.images for r in rollouts]),
        proprio=np.concatenate([r.proprio for r in rollouts]),
        chunks=np.concatenate([r.chunks for r in rollouts]),
        task=np.concatenate(numbers),
        positions=np.zeros((rows, 0), dtype=np.float32),
    )


def _picture(jpeg: bytes) -> ImageU8:
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise FormatError("a stored frame cannot be decoded", got=f"{len(jpeg)} bytes")
    return np.ascontiguousarray(image[..., ::-1])


def summary_of(kept: Kept) -> dict[str, object]:
    """Plain values for the provenance of a checkpoint."""
    values = {field.name: getattr(kept, field.name) for field in dataclasses.fields(kept)}
    values.pop("data")
    values["episodes"] = {run: list(ids) for run, ids in kept.episodes.items()}
    return {**values, "rows": len(kept.data.images), "data_sha256": kept.data.sha256()}

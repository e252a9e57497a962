# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Relabelling without any model: rules over the positions of the twin's objects.

The rules see where things are, how large they are and what the gripper holds, as a careful observer
would, and nothing of the tasks' own tests. What they say is compared with the twin's judgement, so
that the error which such labels carry is a number.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from roboreward_ros.episodes.exchange.video import write_video
from roboreward_ros.errors import FormatError
from roboreward_ros.files import write_atomic
from roboreward_ros.reward_training.data.content import file_sha256
from roboreward_ros.reward_training.relabel.examples import Kind, SourceVideo
from roboreward_ros.reward_training.relabel.pipeline import Relabelled
from roboreward_ros.reward_training.relabel.provider import Analysis, Verdict
from roboreward_ros.sim.demo_style import DemoStyle
from roboreward_ros.sim.demonstrators import demonstrate
from roboreward_ros.sim.seeds import demo_seed
from roboreward_ros.sim.tasks import TASKS, TaskSpec, find_task
from roboreward_ros.studies.reward_data import NAMES, WatchedTwin
from roboreward_ros.studies.reward_sentences import SENTENCES, THINGS, Sentence, Swap, swap_of
from roboreward_ros.types import FloatArray, ImageU8

LAYOUTS = 300_000_000  # first demonstration layout that is for relabelling
MOVED, BESIDE, LOW = 0.02, 0.01, 0.02  # m
CRACKS = (0.004, 0.030, 0.065, 0.100)  # m open: lower ends of 2, 3, 4 and 5
RISES = (0.015, 0.030, 0.050)  # m: lower ends of 3, 4 and 5
WORDINGS = {"put": ("place", "set"), "lift": ("raise", "pick up"), "open": ("pull open",)}


@dataclass(frozen=True, slots=True)
class Record:
    """What the twin knows of one video.

    Attributes:
        task: key of its scene.
        states: privileged state at every frame ``[T + 1, D]``.
        scores: the twin's judgement by sentence, at every frame.
    """

    task: str
    states: FloatArray
    scores: Mapping[str, Sequence[int]]


def make_videos(
    folder: Path,
    count: int,
    seed: int = 0,
    on_video: Callable[[int], object] = lambda _: None,
) -> list[SourceVideo]:
    """Demonstrations of all four tasks as videos, most of them successes; what is there is kept.

    Args:
        folder: for ``NNNN.mp4`` and what the twin knows, ``NNNN.json``.
        count: how many.
        seed: of layouts and errors.
        on_video: told how many there are.
    """
    folder.mkdir(parents=True, exist_ok=True)
    twin = WatchedTwin()
    twin.wanted = frozenset(range(1000))
    try:
        for index in range(count):
            if not (folder / f"{index:04d}.json").exists():
                _make(twin, TASKS[index % len(TASKS)], folder / f"{index:04d}", seed, index)
            on_video(index + 1)
    finally:
        twin.close()
    return [source_video(folder / f"{index:04d}.mp4") for index in range(count)]


def _make(twin: WatchedTwin, spec: TaskSpec, stem: Path, seed: int, index: int) -> None:
    rng = np.random.default_rng((seed, index))
    layout = demo_seed(LAYOUTS + seed * 100_000 + index)
    ideal = bool(rng.random() < 0.8)
    demonstrate(twin, spec.sentence, layout, rng, style=DemoStyle(), ideal=ideal)
    seen = [twin.seen[step] for step in sorted(twin.seen)]
    frames: list[ImageU8] = []
    for snapshot in seen:
        bgr = cv2.imdecode(np.frombuffer(snapshot.jpeg, np.uint8), cv2.IMREAD_COLOR)
        frames.append(np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8))
    write_video(stem.with_suffix(".mp4"), frames, twin.config.control_hz)
    known = {
        "task": spec.key,
        "states": [[None if np.isnan(x) else round(float(x), 5) for x in s.state] for s in seen],
        "scores": {
            sentence.text: [s.scores[number] for s in seen]
            for number, sentence in enumerate(SENTENCES)
        },
    }
    write_atomic(stem.with_suffix(".json"), json.dumps(known))


def source_video(path: Path) -> SourceVideo:
    """A video of ``make_videos`` under its own sentence and the twin's score."""
    record = read_record(path)
    task = find_task(record.task).sentence
    reward = record.scores[task][-1]
    return SourceVideo(f"twin/{path.stem}", "twin", path, file_sha256(path), task, reward)


@lru_cache(maxsize=64)
def read_record(path: Path) -> Record:
    """What the twin knows of the video at ``path``; raises FormatError without it."""
    try:
        known = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        return Record(known["task"], np.array(known["states"], np.float64), known["scores"])
    except (OSError, ValueError, KeyError) as error:
        raise FormatError("no twin's record beside this video", got=f"{path}: {error}") from None


class RuleProvider:
    """Answers from object positions (protocol ``Provider``)."""

    identity = "rules over the twin's object positions, version 2"
    spent = 0.0

    def rewrite(self, task: str) -> str:
        return " ".join(task.split()).rstrip(".").lower()

    def analyse(self, video: SourceVideo) -> Analysis:
        record = read_record(video.path)
        own = _sentence(find_task(record.task).sentence)
        there = tuple(THINGS[record.task])
        states = record.states
        moved = [name for name in there if _travel(record.task, states, name, -1) > MOVED]
        return Analysis(
            scene="a robot arm at a table",
            objects=there,
            primary_object=own.source,
            actions=tuple(f"moves the {name}" for name in moved),
            final_state=f"moved: {', '.join(moved) or 'nothing'}",
        )

    def plan(self, task: str, analysis: Analysis) -> tuple[str, str, str, str]:
        del task, analysis
        return ("an untouched thing", "another goal, far", "another goal, nearer", "another, near")

    def write(
        self,
        video: SourceVideo,
        task: str,
        analysis: Analysis,
        score: int,
        mode: str,
        earlier: Sequence[str],
        problems: Sequence[str],
    ) -> str:
        del task, mode, problems
        record = read_record(video.path)
        spec = find_task(record.task)
        for sentence in SENTENCES:
            fits = swap_of(spec, sentence) not in (Swap.OWN, Swap.ABSENT)
            kept = score < 3 or sentence.source == analysis.primary_object
            fresh = sentence.text not in earlier
            if fits and kept and fresh and rule_score(record, sentence, -1) == score:
                return sentence.text
        return ""

    def score_clip(self, video: SourceVideo, task: str, end: float) -> int:
        record = read_record(video.path)
        return min(4, rule_score(record, _sentence(task), frame_at(record, end)))

    def validate(self, video: SourceVideo, task: str, score: int, end: float) -> Verdict:
        record = read_record(video.path)
        found = rule_score(record, _sentence(task), frame_at(record, end))
        return Verdict(found == score, f"the positions at the end are worth {found}.")

    def paraphrase(self, task: str, count: int) -> tuple[str, ...]:
        sentence = _sentence(task)
        rest = task.split(" ", 1)[1]
        return tuple(f"{verb} {rest}" for verb in WORDINGS.get(sentence.verb, ()))[:count]


def frame_at(record: Record, end: float) -> int:
    """Last frame of the share ``end``, as a clip is cut."""
    return max(1, round(end * len(record.states))) - 1


def rule_score(record: Record, sentence: Sentence, frame: int) -> int:
    """Score 1..5 of a frame by positions alone."""
    there = THINGS[record.task]
    if sentence.source not in there or (sentence.target and sentence.target not in there):
        return 1
    states = record.states
    if sentence.verb == "open":
        return 1 + sum(bool(states[frame, 4] >= limit) for limit in CRACKS)
    if sentence.verb == "close" or there[sentence.source].fixed:
        return 1
    held = bool(states[frame, _column(record.task, sentence.source) + 3])
    if not held and _travel(record.task, states, sentence.source, frame) < MOVED:
        return 1
    place = _place(record.task, states, sentence.source)
    if sentence.verb == "lift":
        return 2 + sum(bool(place[frame, 2] - place[0, 2] >= limit) for limit in RISES)
    goal = _place(record.task, states, sentence.target)
    start, now = (float(np.linalg.norm((place - goal)[k, :2])) for k in (0, frame))
    thing, below = there[sentence.source], there[sentence.target]
    near = below.half[0] + thing.half[1] + BESIDE
    if now <= near:
        resting = goal[frame, 2] + below.half[2] + thing.half[2]
        on = now <= below.half[0] and place[frame, 2] - resting < LOW and not held
        return 5 if on else 4
    return 3 if now <= 0.5 * (start + near) else 2


def _sentence(text: str) -> Sentence:
    for sentence in SENTENCES:
        if sentence.text == text:
            return sentence
    raise FormatError("no rule for this sentence", got=text)


def _place(task: str, states: FloatArray, name: str) -> FloatArray:
    at = _column(task, name)
    return states[:, at : at + 3]


def _column(task: str, name: str) -> int:
    """Where a thing's state begins: x, y, z, held, touched."""
    return 5 + 5 * NAMES.index(f"{task}/{name}")


def _travel(task: str, states: FloatArray, name: str, frame: int) -> float:
    place = _place(task, states, name)
    return float(np.linalg.norm(place[frame] - place[0]))


@dataclass(frozen=True, slots=True)
class LabelError:
    """How far labels are from the twin's judgement.

    Attributes:
        kind: of the examples.
        n: how many.
        mae: mean absolute error in levels.
        exact: share without error.
        worst: largest error.
    """

    kind: Kind
    n: int
    mae: float
    exact: float
    worst: int


def label_errors(found: Iterable[Relabelled]) -> list[LabelError]:
    """Errors by kind; a paraphrase is judged by the sentence that it says in other words."""
    gaps: dict[Kind, list[int]] = {}
    for item in found:
        by_id = {example.id: example for example in item.examples}
        record = read_record(item.video.path)
        for example in item.examples:
            worded = example.kind == Kind.PARAPHRASE
            meant = by_id.get(example.parent, example) if worded else example
            truth = record.scores[meant.task][frame_at(record, example.end)]
            gaps.setdefault(example.kind, []).append(abs(example.reward - truth))
    return [
        LabelError(
            kind,
            len(values),
            float(np.mean(values)),
            float(np.mean(np.equal(values, 0))),
            max(values),
        )
        for kind, values in sorted(gaps.items())
    ]

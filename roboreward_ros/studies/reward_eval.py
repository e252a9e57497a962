# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A reward model against the twin's ground truth on held-out layouts, beside what it must beat.

Questions are asked through the training package's packed pass, which gives what the reward source
gives (tests hold both equal), because an evaluation asks each video 26 questions in two orders.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from roboreward_ros.errors import ConfigError
from roboreward_ros.protocols import Policy
from roboreward_ros.reward_training.dataset import ClipSet, Int64Array
from roboreward_ros.reward_training.loss import ask, probabilities
from roboreward_ros.reward_training.packing import Packer
from roboreward_ros.reward_training.sampling import Video, as_clip
from roboreward_ros.rewards.vlm.backend import Backend
from roboreward_ros.rewards.vlm.clips import Clip
from roboreward_ros.rewards.vlm.prompt import Order
from roboreward_ros.rewards.vlm.settings import VideoConfig
from roboreward_ros.studies.reward_data import CollectConfig, collect
from roboreward_ros.studies.reward_rows import IntArray, Row, by_label, row, table
from roboreward_ros.studies.reward_sentences import Swap
from roboreward_ros.types import FloatArray

ROLLOUTS = (0.0, 0.0, 0.0, 0.5, 0.5)  # base and steered, no script
CHUNK = 24
SHARD = 64  # rollouts
Change = Callable[[Video], Video]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Judged:
    """All questions about a set of clips, in one order.

    Attributes:
        clip: number of the clip ``[N]``.
        sentence: number of the sentence ``[N]``.
        truth: score ``[N]``.
        masses: of the answers 1..5 ``[N, 5]``.
        beside: mass on anything else ``[N]``.
    """

    clip: Int64Array
    sentence: Int64Array
    truth: IntArray
    masses: FloatArray
    beside: FloatArray

    @property
    def guess(self) -> FloatArray:
        """The most likely answer ``[N]``."""
        best: FloatArray = self.masses.argmax(axis=1) + 1.0
        return best

    @property
    def entropy(self) -> FloatArray:
        """Nats ``[N]``."""
        spread: FloatArray = -(self.masses * np.log(np.maximum(self.masses, 1e-12))).sum(axis=1)
        return spread


def held_out_rollouts(
    folder: Path,
    episodes: int,
    policy: Policy,
    frame_size: int = 96,
    on_shard: Callable[[int, int], None] = lambda _a, _b: None,
) -> ClipSet:
    """Base and steered rollouts on layouts that no training saw; made once, then read.

    Where the policy does not know a task, its episodes are scripted; the report counts them.

    Args:
        folder: keeps the rollouts of each policy apart.
        episodes: how many, rounded up to whole shards.
        policy: whose rollouts.
        frame_size: side of the model's frames, pixels.
        on_shard: shards done, and in all.
    """
    size = min(SHARD, episodes)
    config = CollectConfig(1, size, frame_size, held_out=True, shares=ROLLOUTS)
    place = folder / f"{policy.spec.policy_id[:12]}-{size}x{frame_size}"
    count = -(-episodes // size)
    collect(place, config, range(count), policy, (), lambda k: on_shard(k + 1, count))
    return ClipSet(place, count)


@torch.no_grad()
def judge(
    backend: Backend,
    clips: ClipSet,
    chosen: Int64Array,
    order: Order,
    questions: Int64Array | None = None,
    change: Change | None = None,
    wording: dict[int, str] | None = None,
) -> Judged:
    """Ask every chosen clip every sentence.

    Args:
        backend: the model.
        clips: data.
        chosen: numbers of clips.
        order: of the prompt.
        questions: numbers of sentences for each chosen clip ``[n, J]``; None for all.
        change: what is done to a video first.
        wording: what is asked instead of a sentence.
    """
    packer = Packer(backend)
    sentences = clips.vocabulary.sentences
    if questions is None:
        questions = np.tile(np.arange(len(sentences)), (len(chosen), 1))
    masses, beside = [], []
    for start in range(0, len(chosen), CHUNK):
        part = slice(start, start + CHUNK)
        videos = []
        for index in chosen[part]:
            frames, steps, states = clips.clip(int(index))
            video = Video(as_clip(frames, steps, clips.vocabulary.control_hz), states)
            videos.append(change(video) if change else video)
        texts = [[(wording or {}).get(int(k), sentences[k]) for k in q] for q in questions[part]]
        found, off = probabilities(backend, ask(backend, packer, videos, texts, order).states)
        masses.append(found.double().numpy())
        beside.append(off.double().numpy())
    owner = np.repeat(chosen, questions.shape[1])
    number = questions.reshape(-1)
    truth = clips.labels[owner, number].astype(np.int64)
    return Judged(owner, number, truth, np.concatenate(masses), np.concatenate(beside))


def last_frame_only(video: Video) -> Video:
    """The end in the place of the start and of everything between."""
    clip = video.clip
    frames = np.repeat(clip.frames[-1:], len(clip.frames), axis=0)
    return Video(Clip(frames, clip.times_s, clip.seconds_per_frame), video.states)


def no_picture(video: Video) -> Video:
    """Grey frames."""
    clip = video.clip
    frames = np.full_like(clip.frames, 128)
    return Video(Clip(frames, clip.times_s, clip.seconds_per_frame), video.states)


@dataclass(frozen=True, slots=True)
class Report:
    """An evaluation.

    Attributes:
        model: its identity.
        rollouts: episodes.
        origins: episodes of each kind.
        sections: title -> rows.
        coverage: share of own questions that were not abstained from.
        abstained_by_truth: share abstained at each true score 1..5.
    """

    model: str
    rollouts: int
    origins: dict[str, int]
    sections: dict[str, list[Row]]
    coverage: float
    abstained_by_truth: tuple[float, ...]

    def as_json(self) -> dict[str, object]:
        """Plain values; a number that does not exist is null."""
        return {
            "model": self.model,
            "rollouts": self.rollouts,
            "origins": self.origins,
            "sections": {k: [_plain(r) for r in rows] for k, rows in self.sections.items()},
            "coverage": self.coverage,
            "abstained_by_truth": [x if x == x else None for x in self.abstained_by_truth],
        }

    def as_markdown(self) -> str:
        """Tables."""
        parts = [f"Model `{self.model}`, {self.rollouts} held-out rollouts ({self.origins})."]
        for title, rows in self.sections.items():
            parts.append(f"## {title}\n\n{table(rows)}")
        by = ", ".join("-" if x != x else f"{100 * x:.1f} %" for x in self.abstained_by_truth)
        parts.append(
            f"Abstention: {100 * self.coverage:.1f} % of the own questions are answered; abstained "
            f"at truth 1..5: {by}."
        )
        return "\n\n".join(parts) + "\n"


def _plain(found: Row) -> dict[str, object]:
    return {k: None if isinstance(v, float) and v != v else v for k, v in asdict(found).items()}


def evaluate(backend: Backend, clips: ClipSet, config: VideoConfig) -> Report:
    """All rows of a model on rollouts.

    Raises:
        ConfigError: no whole episode among the clips.
    """
    vocabulary = clips.vocabulary
    own = vocabulary.swaps.index(Swap.OWN)
    whole = np.flatnonzero(clips.is_whole)
    if not len(whole):
        raise ConfigError("there is no whole episode among the clips", got=str(clips.folder))
    asked = {order: judge(backend, clips, whole, order) for order in Order}
    main = asked[config.order]
    kind = clips.swaps[main.clip, main.sentence]
    mine = kind == own
    origin = np.array(vocabulary.origins)[clips.origin[main.clip]]
    task = np.array(vocabulary.tasks)[clips.task[main.clip]]

    def rows(j: Judged, parts: Sequence[tuple[str, BoolArray]]) -> list[Row]:
        return [row(name, j.truth[at], j.guess[at]) for name, at in parts]

    sections: dict[str, list[Row]] = {}
    sections["The scene's own sentence, whole episodes"] = rows(
        main,
        [
            ("all", mine),
            *[(f"{o} rollouts", mine & (origin == o)) for o in sorted(set(origin))],
            *[(t, mine & (task == t)) for t in vocabulary.tasks],
        ],
    )
    sections["By true score, own sentence"] = by_label(main.truth[mine], main.guess[mine])
    sections["Other sentences about the same videos"] = rows(
        main,
        [
            *[(f"{s} swapped", kind == vocabulary.swaps.index(s)) for s in list(Swap)[1:4]],
            (
                "... of these, truth above 1",
                (kind > own) & (kind < vocabulary.swaps.index(Swap.ABSENT)) & (main.truth > 1),
            ),
            ("thing not in the scene", kind == vocabulary.swaps.index(Swap.ABSENT)),
        ],
    )
    sections["Every question with truth <= 2"] = rows(main, [("all sentences", main.truth <= 2)])
    sections["Order of the prompt, own sentence"] = rows_of_orders(asked, mine)
    early = np.flatnonzero(~clips.is_whole)
    own_question = (clips.swaps == own).argmax(axis=1)[:, None]
    if len(early):
        cut = judge(backend, clips, early, config.order, own_question[early])
        truth = np.concatenate([main.truth[mine], cut.truth])
        guess = np.concatenate([main.guess[mine], cut.guess])
        sections["Episodes cut short, own sentence"] = [
            row("cut short", cut.truth, cut.guess),
            row("cut short and whole", truth, guess),
        ]
    sections["Controls, own sentence"] = _controls(backend, clips, whole, config.order, main, mine)
    keep = (main.entropy <= config.max_entropy) & (main.beside <= config.max_off_answer_mass)
    sections["Abstention, own sentence"] = rows(
        main, [("answered always", mine), ("abstained ones left out", mine & keep)]
    )
    gone = tuple(
        float(1 - keep[mine & (main.truth == level)].mean())
        if (mine & (main.truth == level)).any()
        else float("nan")
        for level in range(1, 6)
    )
    names = np.array(vocabulary.origins)[clips.origin[whole]]
    return Report(
        backend.weights.identity,
        len(whole),
        {str(name): int((names == name).sum()) for name in sorted(set(names))},
        sections,
        float(keep[mine].mean()),
        gone,
    )


def rows_of_orders(asked: dict[Order, Judged], mine: BoolArray) -> list[Row]:
    """One row for each order of the prompt, and how often both agree."""
    found = [row(str(order), j.truth[mine], j.guess[mine]) for order, j in asked.items()]
    first, second = (asked[order].guess[mine] for order in Order)
    found.append(row("one order against the other", first.astype(np.int64), second))
    return found


def _controls(
    backend: Backend,
    clips: ClipSet,
    whole: Int64Array,
    order: Order,
    main: Judged,
    mine: BoolArray,
) -> list[Row]:
    """What can be had without one part of the question."""
    own = clips.vocabulary.swaps.index(Swap.OWN)
    question = (clips.swaps[whole] == own).argmax(axis=1)[:, None]
    truth = main.truth[mine]
    blind = dict.fromkeys(range(len(clips.vocabulary.sentences)), "do it")
    found = [row("the model", truth, main.guess[mine])]
    for name, change, wording in (
        ("text-blind: asked `do it` (ablation)", None, blind),
        ("video-blind: grey frames (ablation)", no_picture, None),
        ("last frame only, in all places (ablation)", last_frame_only, None),
    ):
        j = judge(backend, clips, whole, order, question, change, wording)
        found.append(row(name, j.truth, j.guess))
    tasks = clips.task[whole].astype(np.int64)
    found.append(
        row("sentence only: its median label (fitted, two-fold)", truth, fitted(tasks, truth))
    )
    every = np.arange(len(clips))
    labels = clips.labels[every, (clips.swaps == own).argmax(axis=1)].astype(np.int64)
    lengths = clips.task.astype(np.int64) * 16 + clips.end_steps.astype(np.int64) // 5
    found.append(
        row(
            "length and sentence only, cut episodes too (fitted, two-fold)",
            labels,
            fitted(lengths, labels),
        )
    )
    return found


def fitted(keys: Int64Array, truth: IntArray) -> FloatArray:
    """For each item the median label of its key in the other half of the data ``[n]``."""
    half = np.arange(len(keys)) % 2
    guess = np.ones(len(keys))
    for side in (0, 1):
        there, here = half != side, half == side
        usual = float(np.median(truth[there])) if there.any() else 1.0
        for key in np.unique(keys[here]):
            same = there & (keys == key)
            value = float(np.median(truth[same])) if same.any() else usual
            guess[here & (keys == key)] = round(value)
    return guess

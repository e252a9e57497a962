# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Who is asked about videos and sentences: one small protocol over models, rules and people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from roboreward_ros.reward_training.relabel.examples import SourceVideo


@dataclass(frozen=True, slots=True)
class Analysis:
    """What is to be seen in a video.

    Attributes:
        scene: the surroundings in a sentence.
        objects: visible things; nothing invented.
        primary_object: what the task is about.
        actions: what the robot does, in order.
        final_state: the true last frame.
    """

    scene: str
    objects: tuple[str, ...]
    primary_object: str
    actions: tuple[str, ...]
    final_state: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a label fits; ``reason`` is kept with the example."""

    fits: bool
    reason: str


class Provider(Protocol):
    """Answers the pipeline's questions. Deterministic, so that a run can be repeated.

    Every method may raise RewardSourceError; the video is tried again by the next run.
    """

    @property
    def identity(self) -> str:
        """Models and revisions, for the lineage."""

    @property
    def spent(self) -> float:
        """Money spent so far, in the endpoint's currency; 0 where nothing costs."""

    def rewrite(self, task: str) -> str:
        """The sentence with its grammar, spelling and case put right, its meaning kept."""

    def analyse(self, video: SourceVideo) -> Analysis:
        """What the video shows at one frame a second, the last frame included."""

    def plan(self, task: str, analysis: Analysis) -> tuple[str, str, str, str]:
        """Ways to fail for the scores 1 to 4, each strictly better than the one before."""

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
        """An instruction under which the video deserves ``score``; "" if there is none.

        Args:
            video: that it is about.
            task: the original.
            analysis: of the video.
            score: 1..4.
            mode: the way to fail that was planned.
            earlier: instructions that were accepted or refused before.
            problems: what was wrong with the last draft.
        """

    def score_clip(self, video: SourceVideo, task: str, end: float) -> int:
        """Score 1..4 of the beginning of a success, up to the share ``end``."""

    def validate(self, video: SourceVideo, task: str, score: int, end: float) -> Verdict:
        """Whether the task can be judged from this video and the score fits its rubric."""

    def paraphrase(self, task: str, count: int) -> tuple[str, ...]:
        """Other wordings of the same meaning."""

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Relabels one video: every stage asks through the journal, so none is repeated after a kill.

Rewrite, analyse, plan four ways to fail, write an instruction for each from 1 to 4, clip early,
middle and late, paraphrase; what was written or clipped is validated, and drafts that do not pass
are written anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import cast

from roboreward_ros.errors import ConfigError, FormatError
from roboreward_ros.reward_training.relabel.constraints import (
    Situation,
    paraphrase_violations,
    violations,
    words,
)
from roboreward_ros.reward_training.relabel.examples import (
    Example,
    Kind,
    SourceVideo,
    make_example,
)
from roboreward_ros.reward_training.relabel.journal import Journal
from roboreward_ros.reward_training.relabel.provider import Analysis, Provider, Verdict
from roboreward_ros.types.codec import JsonValue

SUCCESS = 5
LADDER = (1, 2, 3, 4)


@dataclass(frozen=True, slots=True)
class RelabelConfig:
    """What is made of a video.

    Attributes:
        attempts: drafts of an instruction before its rung is given up.
        clip_ends: shares of a success at which it is cut, ascending; empty for no clips. The paper
            says early, middle and late, but not where.
        paraphrases: further wordings of every example.

    Raises:
        ConfigError: a value out of range.
    """

    attempts: int = 3
    clip_ends: tuple[float, ...] = (0.25, 0.5, 0.75)
    paraphrases: int = 2

    def __post_init__(self) -> None:
        if self.attempts < 1 or self.paraphrases < 0:
            raise ConfigError(
                "attempts or paraphrases out of range",
                got=(self.attempts, self.paraphrases),
                allowed=">= 1 and >= 0",
            )
        ends = self.clip_ends
        if any(not 0 < end < 1 for end in ends) or list(ends) != sorted(set(ends)):
            raise ConfigError("clip_ends", got=ends, allowed="ascending, inside (0, 1)")


@dataclass(slots=True)
class Relabelled:
    """What came of one video: examples, and refusals as ``stage: why``."""

    examples: list[Example] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


def relabel(
    video: SourceVideo,
    provider: Provider,
    journal: Journal,
    config: RelabelConfig,
    verbs: frozenset[str] = frozenset(),
) -> Relabelled:
    """All examples of one video; counterfactuals and clips are made of successes only.

    Args:
        video: with its label.
        provider: answers.
        journal: keeps the answers about it.
        config: what to make.
        verbs: further first words that are verbs.

    Raises:
        RewardSourceError: the provider could not answer; asking again goes on from here.
    """
    return _Episode(video, provider, journal, config, verbs).run()


class _Episode:
    def __init__(
        self,
        video: SourceVideo,
        provider: Provider,
        journal: Journal,
        config: RelabelConfig,
        verbs: frozenset[str],
    ) -> None:
        self.video, self.provider, self.config, self.verbs = video, provider, config, verbs
        self._journal = journal
        self.found = Relabelled()

    def ask(self, question: str, ask: Callable[[], JsonValue]) -> JsonValue:
        return self._journal.answer(question, ask)

    def run(self) -> Relabelled:
        video, provider = self.video, self.provider
        task = str(self.ask("rewrite", lambda: provider.rewrite(video.task))).strip()
        if not task:
            self.found.refused.append("rewrite: it is empty")
            task = video.task
        original = make_example(video, Kind.ORIGINAL, task, video.reward)
        self.found.examples.append(original)
        if video.reward == SUCCESS:
            self.counterfactuals(task, original)
            self.clips(task, original)
        for example in list(self.found.examples):
            self.paraphrases(example)
        return self.found

    def counterfactuals(self, task: str, original: Example) -> None:
        provider, video = self.provider, self.video
        analysis = _analysis(self.ask("analyse", lambda: _plain(provider.analyse(video))))
        answer = self.ask("plan", lambda: list(provider.plan(task, analysis)))
        modes = [str(mode) for mode in cast("list[JsonValue]", answer)]
        if len(modes) != len(LADDER):
            raise FormatError("a plan needs four ways to fail", got=len(modes))
        taken = [task]
        for score, mode in zip(LADDER, modes, strict=True):
            example = self.rung(task, analysis, score, mode, taken, original)
            if example is not None:
                self.found.examples.append(example)

    def rung(
        self,
        task: str,
        analysis: Analysis,
        score: int,
        mode: str,
        taken: list[str],
        original: Example,
    ) -> Example | None:
        """An accepted instruction for one score; drafts are added to ``taken``."""
        provider, problems = self.provider, list[str]()
        for attempt in range(self.config.attempts):
            place = f"{score}.{attempt}"

            def draft(problems: Sequence[str] = tuple(problems)) -> JsonValue:
                return provider.write(
                    self.video, task, analysis, score, mode, list(taken), problems
                )

            text = str(self.ask(f"write {place}", draft)).strip()
            if not text:
                self.found.refused.append(f"write {score}: there is no such instruction")
                return None
            situation = Situation(score, analysis.primary_object, list(taken), self.verbs)
            problems = violations(text, situation)
            if not problems:
                verdict = self.validate(f"write {place}", text, score, 1.0)
                if verdict.fits:
                    taken.append(text)
                    return make_example(
                        self.video,
                        Kind.COUNTERFACTUAL,
                        text,
                        score,
                        parent=original.id,
                        attempt=attempt,
                        check=verdict.reason,
                    )
                problems = [verdict.reason]
            taken.append(text)
            self.found.refused.append(f"write {score}: {'; '.join(problems)}")
        return None

    def clips(self, task: str, original: Example) -> None:
        """Beginnings of the success; scores may not fall from one to the next."""
        provider, video, least = self.provider, self.video, 1
        for end in self.config.clip_ends:

            def ask(end: float = end) -> JsonValue:
                return provider.score_clip(video, task, end)

            answer = self.ask(f"clip {end:g}", ask)
            score = int(cast("int", answer))
            if score not in LADDER or score < least:
                self.found.refused.append(f"clip {end:g}: score {score} after {least}")
                continue
            verdict = self.validate(f"clip {end:g}", task, score, end)
            if not verdict.fits:
                self.found.refused.append(f"clip {end:g}: {verdict.reason}")
                continue
            least = score
            self.found.examples.append(
                make_example(
                    video, Kind.CLIP, task, score, end=end, parent=original.id, check=verdict.reason
                )
            )

    def paraphrases(self, example: Example) -> None:
        count = self.config.paraphrases
        if not count:
            return
        provider = self.provider
        answer = self.ask(
            f"paraphrase {example.id}", lambda: list(provider.paraphrase(example.task, count))
        )
        taken: list[str] = []
        for text in [str(item).strip() for item in cast("list[JsonValue]", answer)][:count]:
            problems = paraphrase_violations(text, example.task, taken)
            if problems:
                self.found.refused.append(f"paraphrase: {'; '.join(problems)}")
                continue
            taken.append(text)
            self.found.examples.append(
                make_example(
                    self.video,
                    Kind.PARAPHRASE,
                    text,
                    example.reward,
                    end=example.end,
                    parent=example.id,
                )
            )

    def validate(self, place: str, task: str, score: int, end: float) -> Verdict:
        video = self.video

        def ask() -> JsonValue:
            verdict = self.provider.validate(video, task, score, end)
            return {"fits": verdict.fits, "reason": verdict.reason}

        answer = cast("dict[str, JsonValue]", self.ask(f"validate {place}", ask))
        return Verdict(bool(answer["fits"]), str(answer["reason"]))


def first_words(tasks: Iterable[str]) -> frozenset[str]:
    """First words that at least two of a data set's different tasks share: taken for verbs."""
    counts: dict[str, int] = {}
    for task in tasks:
        for word in words(task)[:1]:
            counts[word] = counts.get(word, 0) + 1
    return frozenset(word for word, count in counts.items() if count > 1)


def _plain(analysis: Analysis) -> JsonValue:
    return {
        "scene": analysis.scene,
        "objects": list(analysis.objects),
        "primary_object": analysis.primary_object,
        "actions": list(analysis.actions),
        "final_state": analysis.final_state,
    }


def _analysis(answer: JsonValue) -> Analysis:
    content = cast("dict[str, JsonValue]", answer)
    return Analysis(
        str(content["scene"]),
        tuple(str(item) for item in cast("list[JsonValue]", content["objects"])),
        str(content["primary_object"]),
        tuple(str(item) for item in cast("list[JsonValue]", content["actions"])),
        str(content["final_state"]),
    )

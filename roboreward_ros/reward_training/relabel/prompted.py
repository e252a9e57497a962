# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A provider that asks models: sentences go to one, videos to another (or the same).

The prompts are ours; what they ask for follows RoboReward's appendix A.2. Answers are JSON objects
and nothing else counts: an answer that cannot be read is asked for once more, then it is an error.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import cast

from roboreward_ros.errors import RewardSourceError
from roboreward_ros.reward_training.relabel.constraints import MAX_WORDS
from roboreward_ros.reward_training.relabel.examples import SourceVideo
from roboreward_ros.reward_training.relabel.provider import Analysis, Verdict
from roboreward_ros.rewards.rubric import rubric
from roboreward_ros.types.codec import JsonObject, JsonValue

AskText = Callable[[str], str]
"""A prompt to a reply."""
AskVideo = Callable[[str, SourceVideo, float], str]
"""A prompt, a video and the share of it to show (a frame a second and the last), to a reply."""
TRIES = 2

REWRITE = """Correct grammar, spelling and letter case of this robot instruction. Change nothing of
its meaning, add and leave out nothing.
Instruction: {task}
Reply with JSON: {{"instruction": "..."}}"""
ANALYSE = """You see a robot at work, one frame a second; the last frame is the true end.
Its instruction was: {task}
Report only what is visible; invent no object. Reply with JSON:
{{"scene": "one sentence", "objects": ["every visible thing"],
"primary_object": "what the instruction is about",
"actions": ["what the robot does, in order"], "final_state": "the last frame"}}"""
PLAN = """A robot carried out "{task}".
Scene: {scene}. Visible: {objects}. It did: {actions}. At the end: {final_state}.
Design four other instructions' flaws, so that this same video would deserve the scores 1, 2, 3 and
4 under them, each clearly better than the one before:
{rubric}
Reply with JSON: {{"modes": ["for 1", "for 2", "for 3", "for 4"]}}"""
WRITE = """A robot carried out "{task}".
Visible: {objects}. At the end: {final_state}.
Write another instruction under which this video deserves exactly {score} of 5: {meaning}.
Flaw to use: {mode}.
Rules: begin with a verb; plain ASCII; at most {words} words; the style of the original; only
visible things and relations; not true before the robot moved; no easier part of the original;
nothing about recordings or scores.{keep} Different from: {earlier}.{problems}
Reply with JSON: {{"instruction": "..."}}; an empty text if there is none."""
SCORE_CLIP = """You see the beginning of a robot's attempt at "{task}".
Judge the state in the last frame:
{rubric}
Reply with JSON: {{"score": 1 to 4}}"""
VALIDATE = """You see a robot at work, one frame a second and the true last frame.
Instruction: {task}
Claimed score of the end state: {score} of 5, by this rubric:
{rubric}
Say no if the instruction cannot be judged from this view, a detail that matters is not visible or a
thing is called wrongly. Left and right are the robot's own. One missed detail beside the main thing
and the main relation is a 4; several, or a central one, is a 3 or less.
Reply with JSON: {{"reason": "one sentence", "fits": true or false}}"""
PARAPHRASE = """Say this robot instruction in {count} other ways that mean exactly the same:
{task}
Reply with JSON: {{"instructions": ["..."]}}"""


class PromptedProvider:
    """Asks a language model and a vision model.

    Args:
        text: asks about sentences.
        video: asks about videos.
        identity: models and revisions.
        spent: money so far.
        version: of the rubric.
    """

    def __init__(
        self,
        text: AskText,
        video: AskVideo,
        identity: str,
        spent: Callable[[], float] = lambda: 0.0,
        version: str = "v2",
    ) -> None:
        self._text, self._video = text, video
        self._identity, self._spent = identity, spent
        self._rubric = rubric(version)
        self._levels = "\n".join(f"{x.score}: {x.meaning}" for x in self._rubric.levels)

    @property
    def identity(self) -> str:
        return self._identity

    @property
    def spent(self) -> float:
        return self._spent()

    def rewrite(self, task: str) -> str:
        return _text(self._ask_text(REWRITE.format(task=task), "instruction"), "instruction")

    def analyse(self, video: SourceVideo) -> Analysis:
        keys = ("scene", "objects", "primary_object", "actions", "final_state")
        found = self._ask_video(ANALYSE.format(task=video.task), video, 1.0, *keys)
        return Analysis(
            _text(found, "scene"),
            _texts(found, "objects"),
            _text(found, "primary_object"),
            _texts(found, "actions"),
            _text(found, "final_state"),
        )

    def plan(self, task: str, analysis: Analysis) -> tuple[str, str, str, str]:
        prompt = PLAN.format(
            task=task,
            scene=analysis.scene,
            objects=", ".join(analysis.objects),
            actions=", ".join(analysis.actions),
            final_state=analysis.final_state,
            rubric=self._levels,
        )
        modes = _texts(self._ask_text(prompt, "modes"), "modes")
        if len(modes) != 4:
            raise RewardSourceError("the model planned other than four flaws", got=len(modes))
        return modes[0], modes[1], modes[2], modes[3]

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
        del video  # its analysis says what a writer needs
        keep = f" Keep the {analysis.primary_object}." if score >= 3 else ""
        prompt = WRITE.format(
            task=task,
            objects=", ".join(analysis.objects),
            final_state=analysis.final_state,
            score=score,
            meaning=self._rubric.level(score).meaning,
            mode=mode,
            words=MAX_WORDS,
            keep=keep,
            earlier="; ".join(earlier),
            problems=f" The last draft failed: {'; '.join(problems)}." if problems else "",
        )
        return _text(self._ask_text(prompt, "instruction"), "instruction")

    def score_clip(self, video: SourceVideo, task: str, end: float) -> int:
        prompt = SCORE_CLIP.format(task=task, rubric=self._levels)
        score = self._ask_video(prompt, video, end, "score")["score"]
        if isinstance(score, bool) or not isinstance(score, int):
            raise RewardSourceError("the model's score is no whole number", got=score)
        return score

    def validate(self, video: SourceVideo, task: str, score: int, end: float) -> Verdict:
        prompt = VALIDATE.format(task=task, score=score, rubric=self._levels)
        found = self._ask_video(prompt, video, end, "reason", "fits")
        if not isinstance(found["fits"], bool):
            raise RewardSourceError("the model's verdict is neither true nor false", got=found)
        return Verdict(found["fits"], _text(found, "reason"))

    def paraphrase(self, task: str, count: int) -> tuple[str, ...]:
        prompt = PARAPHRASE.format(task=task, count=count)
        return _texts(self._ask_text(prompt, "instructions"), "instructions")[:count]

    def _ask_text(self, prompt: str, *keys: str) -> JsonObject:
        return _object(lambda: self._text(prompt), keys)

    def _ask_video(self, prompt: str, video: SourceVideo, end: float, *keys: str) -> JsonObject:
        return _object(lambda: self._video(prompt, video, end), keys)


def _object(ask: Callable[[], str], keys: Sequence[str]) -> JsonObject:
    """The JSON object of a reply, which may stand in a code fence."""
    reply = ""
    for _ in range(TRIES):
        reply = ask()
        start, end = reply.find("{"), reply.rfind("}")
        try:
            found = json.loads(reply[start : end + 1]) if 0 <= start < end else None
        except (ValueError, OverflowError, RecursionError):
            found = None
        if isinstance(found, dict) and all(key in found for key in keys):
            return cast("JsonObject", found)
    raise RewardSourceError(
        "the model's answer is not the JSON that was asked for",
        got=reply[:200],
        allowed=list(keys),
    )


def _text(found: JsonObject, key: str) -> str:
    value: JsonValue = found[key]
    if not isinstance(value, str):
        raise RewardSourceError(f"the model's '{key}' is no text", got=value)
    return value.strip()


def _texts(found: JsonObject, key: str) -> tuple[str, ...]:
    value: JsonValue = found[key]
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise RewardSourceError(f"the model's '{key}' is no list of texts", got=value)
    return tuple(str(item).strip() for item in value)

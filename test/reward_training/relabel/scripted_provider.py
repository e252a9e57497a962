# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A provider that says what a test wants, and counts what it is asked."""

from __future__ import annotations

from roboreward_ros.errors import RewardSourceError
from roboreward_ros.reward_training.relabel.provider import Analysis, Verdict


class ScriptedProvider:
    identity = "scripted"
    spent = 0.0

    def __init__(self, fail_at=None, drafts=None, verdicts=None):
        self.asked = []
        self.fail_at = fail_at
        self.drafts = drafts or {}
        self.verdicts = verdicts or {}

    def _note(self, what):
        if len(self.asked) == self.fail_at:
            raise RewardSourceError("the endpoint is down")
        self.asked.append(what)

    def rewrite(self, task):
        self._note("rewrite")
        return task.lower()

    def analyse(self, video):
        self._note("analyse")
        return Analysis("a table", ("red cup", "blue plate"), "red cup", ("moves it",), "on it")

    def plan(self, task, analysis):
        self._note("plan")
        return ("other thing", "other place", "wrong side", "tilted")

    def write(self, video, task, analysis, score, mode, earlier, problems):
        self._note(f"write {score}")
        texts = self.drafts.get(score, [f"put the red cup in place {score}"])
        return texts[min(self.asked.count(f"write {score}"), len(texts)) - 1]

    def score_clip(self, video, task, end):
        self._note(f"clip {end:g}")
        return {0.25: 1, 0.5: 3, 0.75: 2}[end]

    def validate(self, video, task, score, end):
        self._note(f"validate {task}")
        return Verdict(self.verdicts.get(task, True), "seen in the last frame.")

    def paraphrase(self, task, count):
        self._note("paraphrase")
        return tuple(f"{task}, variant {'abcdef'[k]}" for k in range(count))

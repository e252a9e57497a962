# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Sentences to bags of words over the words of the trained tasks.

A policy accepts exactly the sentences it was trained on, up to case, punctuation and spaces: a
sentence that it never saw is refused by name rather than mapped to whatever lies nearest.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from roboreward_ros.errors import CheckpointError, ConfigError
from roboreward_ros.types import Float32Array

_WORD = re.compile(r"[a-z0-9]+")


def words(sentence: str) -> tuple[str, ...]:
    """Lower-case words of a sentence, in order."""
    return tuple(_WORD.findall(sentence.lower()))


class Vocabulary:
    """The trained tasks and their words.

    Args:
        tasks: sentences of the training data, distinct, each with at least one word.

    Raises:
        ConfigError: no tasks, an empty one, or two that read the same.
    """

    def __init__(self, tasks: Sequence[str]) -> None:
        self.tasks = tuple(tasks)
        self._bags = {words(task): task for task in self.tasks}
        if not self.tasks or () in self._bags or len(self._bags) != len(self.tasks):
            raise ConfigError("tasks of a policy must be distinct sentences", got=list(self.tasks))
        self.words = tuple(sorted({word for bag in self._bags for word in bag}))
        self._column = {word: column for column, word in enumerate(self.words)}

    def canonical(self, sentence: str) -> str:
        """The trained sentence that ``sentence`` is.

        Raises:
            CheckpointError: the policy was not trained on it.
        """
        task = self._bags.get(words(sentence))
        if task is None:
            raise CheckpointError(
                "the policy was not trained on this task",
                got=sentence,
                allowed=self.tasks,
                next_step="Choose one of these tasks, or a policy that was trained on yours.",
            )
        return task

    def bags(self, sentences: Sequence[str]) -> Float32Array:
        """Word frequencies ``[B, V]`` float32; rows sum to 1.

        Raises:
            CheckpointError: a sentence the policy was not trained on.
        """
        table = np.zeros((len(sentences), len(self.words)), dtype=np.float32)
        for row, sentence in enumerate(sentences):
            found = words(self.canonical(sentence))
            for word in found:
                table[row, self._column[word]] += 1 / len(found)
        return table

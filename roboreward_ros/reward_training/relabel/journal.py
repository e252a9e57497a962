# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Every answer of a provider, kept as it comes: a killed run asks no question twice.

The result of a run is a pure function of the videos and these answers: it does not depend on how
often, where or in which order it was interrupted. A video has a file of its own, so any number of
workers can share a folder, and only one video's answers are in memory.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from roboreward_ros.clock import Clock, SystemClock
from roboreward_ros.episodes.locks import sync_directory
from roboreward_ros.errors import FormatError, RewardSourceError, StoreError
from roboreward_ros.types.codec import JsonValue

FORMAT = 2
"""1 kept one file a worker."""


class Journals:
    """The folder of all videos' answers.

    Args:
        folder: may be shared by workers.
        asked_of: identity of the provider; a folder holds the answers of one.
        clock: measures how long answers take.

    Raises:
        FormatError: answers of an older format.
    """

    def __init__(self, folder: Path, asked_of: str, clock: Clock | None = None) -> None:
        self.folder, self.asked_of = folder, asked_of
        self.clock = clock or SystemClock()
        self.asked = 0
        self.seconds = 0.0
        if next(folder.glob("answers-*.jsonl"), None) is not None:
            raise FormatError(
                f"{folder} holds answers of format 1",
                allowed=f"format {FORMAT}",
                next_step="Choose another --out; an unreleased version wrote this one.",
            )

    def open(self, video: str, *, replay: bool = False) -> Journal:
        """The answers about one video.

        Args:
            video: its id.
            replay: ask nothing: a question without an answer is a RewardSourceError.

        Raises:
            StoreError: it cannot be written.
            FormatError: a damaged line, or answers of another provider or video.
        """
        return Journal(self, video, replay)

    def path(self, video: str) -> Path:
        """File of a video's answers."""
        name = hashlib.sha256(video.encode()).hexdigest()
        return self.folder / name[:2] / f"{name[2:34]}.jsonl"


class Journal:
    """Answers about one video, by question; see ``Journals.open``."""

    def __init__(self, journals: Journals, video: str, replay: bool) -> None:
        self._all, self._replay = journals, replay
        self._answers: dict[str, JsonValue] = {}
        self._path = journals.path(video)
        self._header: dict[str, JsonValue] = {
            "format": FORMAT,
            "provider": journals.asked_of,
            "video": video,
        }
        self._file: IO[str] | None = None
        try:
            if self._path.exists():
                self._read()
        except OSError as error:
            raise StoreError("a journal cannot be read", got=str(error)) from None

    def _read(self) -> None:
        content = self._path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        if whole != content and not self._replay:  # a kill in the middle of a line
            with self._path.open("rb+") as file:
                file.truncate(len(whole))
        for number, line in enumerate(whole.decode("utf-8").splitlines(), 1):
            try:
                row = json.loads(line)
                if number > 1:
                    self._answers[row["question"]] = row["answer"]
                elif row != self._header:
                    raise FormatError(
                        f"{self._path} holds answers of another provider, video or format",
                        got=row,
                        allowed=self._header,
                        next_step="Choose another folder.",
                    )
            except (ValueError, OverflowError, RecursionError, KeyError, TypeError) as error:
                raise FormatError(
                    f"{self._path}, line {number} is damaged", got=repr(error)
                ) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __len__(self) -> int:
        return len(self._answers)

    def answer(self, question: str, ask: Callable[[], JsonValue]) -> JsonValue:
        """The kept answer, or a new one, on disk before it is returned.

        Raises:
            RewardSourceError: the provider failed, or this is a replay and nobody answered.
            StoreError: the answer cannot be kept.
        """
        if question in self._answers:
            return self._answers[question]
        if self._replay:
            raise RewardSourceError("nobody has answered yet", got=question)
        start = self._all.clock.steady_ns()
        found = ask()
        self._all.asked += 1
        self._all.seconds += (self._all.clock.steady_ns() - start) * 1e-9
        try:
            self._append({"question": question, "answer": found})
        except OSError as error:
            raise StoreError("an answer cannot be kept", got=str(error)) from None
        self._answers[question] = found
        return found

    def _append(self, row: dict[str, JsonValue]) -> None:
        rows = [row]
        if self._file is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            if not self._path.exists() or self._path.stat().st_size == 0:
                rows = [self._header, row]
            self._file = self._path.open("a", encoding="utf-8")
            if len(rows) > 1:
                sync_directory(self._path.parent)
        self._file.write("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file; idempotent."""
        if self._file is not None:
            self._file.close()
            self._file = None

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Every answer of a provider, kept as it comes: a killed run asks no question twice.

The result of a run is a pure function of the videos and these answers: it does not depend on how
often, where or in which order it was interrupted. Several workers keep a file each.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from roboreward_ros.clock import Clock, SystemClock
from roboreward_ros.errors import FormatError, StoreError
from roboreward_ros.types.codec import JsonValue

FORMAT = 1


class Journal:
    """Answers by question; safe to use from threads.

    Args:
        folder: of all workers' files.
        worker: number of this one; no two may share it.
        asked_of: identity of the provider; a folder holds the answers of one.
        clock: measures how long answers take.

    Raises:
        StoreError: the folder cannot be written.
        FormatError: a damaged line, or answers of another provider.
    """

    def __init__(
        self, folder: Path, worker: int, asked_of: str, clock: Clock | None = None
    ) -> None:
        self._clock = clock or SystemClock()
        self._answers: dict[str, JsonValue] = {}
        self._lock = threading.Lock()
        self.asked = 0
        self.seconds = 0.0
        try:
            folder.mkdir(parents=True, exist_ok=True)
            own = folder / f"answers-{worker:03d}.jsonl"
            for path in sorted(folder.glob("answers-*.jsonl")):
                self._read(path, asked_of, mine=path == own)
            fresh = not own.exists() or own.stat().st_size == 0
            self._file = own.open("a", encoding="utf-8")
            if fresh:
                self._append({"format": FORMAT, "provider": asked_of})
        except OSError as error:
            raise StoreError("the journal cannot be written", got=str(error)) from None

    def _read(self, path: Path, asked_of: str, *, mine: bool) -> None:
        content = path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        if mine and whole != content:  # a kill in the middle of a line
            with path.open("rb+") as file:
                file.truncate(len(whole))
        for number, line in enumerate(whole.decode("utf-8").splitlines(), 1):
            try:
                row = json.loads(line)
                if number == 1:
                    if (row["format"], row["provider"]) != (FORMAT, asked_of):
                        raise FormatError(
                            f"{path} holds answers of another provider or format",
                            got=(row["format"], row["provider"]),
                            allowed=(FORMAT, asked_of),
                            next_step="Choose another folder.",
                        )
                else:
                    self._answers[row["question"]] = row["answer"]
            except (ValueError, KeyError, TypeError) as error:
                raise FormatError(f"{path}, line {number} is damaged", got=repr(error)) from None

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
        """The kept answer, or a new one, on disk before it is returned."""
        with self._lock:
            if question in self._answers:
                return self._answers[question]
        start = self._clock.steady_ns()
        found = ask()
        with self._lock:
            self.asked += 1
            self.seconds += (self._clock.steady_ns() - start) * 1e-9
            self._append({"question": question, "answer": found})
            self._answers[question] = found
            return found

    def _append(self, row: dict[str, JsonValue]) -> None:
        self._file.write(json.dumps(row, ensure_ascii=False) + "\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file; idempotent."""
        self._file.close()

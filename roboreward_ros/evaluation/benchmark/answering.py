# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Has a source score a benchmark, row by row, into a file that survives being killed."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from roboreward_ros.errors import FormatError, RewardSourceError
from roboreward_ros.evaluation.benchmark.dataset import LabelledVideo, file_sha256
from roboreward_ros.evaluation.benchmark.predictions import Prediction, parse_row
from roboreward_ros.types import (
    RUBRIC_MIN,
    Abstain,
    RewardFailure,
    RewardOutcome,
    Score,
    ScoreScale,
)

PROBE = "probe:"
"""Ids of rows that show a video under another video's sentence."""
RUBRIC_LEVELS = (1.0, 2.0, 3.0, 4.0, 5.0)


@dataclass(frozen=True, slots=True)
class Answered:
    """What a run of ``answer`` did: rows now in the file, new ones, and failures by sentence."""

    rows: tuple[Prediction, ...]
    new: int
    problems: tuple[str, ...]


def with_probes(rows: Sequence[LabelledVideo], seed: int = 0) -> list[tuple[LabelledVideo, bool]]:
    """The rows, then each video once under the sentence of a row with another task.

    A video whose folder knows no other task gets no probe. Its label is 1: nothing of an unrelated
    task was done, as far as one can know without looking.
    """
    found = [(row, False) for row in rows]
    rng = np.random.default_rng(seed)
    seen: set[Path] = set()
    for row in rows:
        others = sorted({other.task for other in rows if other.path != row.path} - {row.task})
        if row.path in seen or not others:
            continue
        seen.add(row.path)
        task = others[int(rng.integers(len(others)))]
        probe = LabelledVideo(f"{PROBE}{row.id}", row.subset, task, RUBRIC_MIN, row.path)
        found.append((probe, True))
    return found


def answer(
    rows: Sequence[tuple[LabelledVideo, bool]],
    ask: Callable[[LabelledVideo], RewardOutcome],
    out: Path,
    *,
    keep_going: bool = False,
    on_row: Callable[[int], object] = lambda _: None,
) -> Answered:
    """Score what ``out`` does not hold yet and append it, one synced line a row.

    Args:
        rows: with whether each is a probe.
        ask: scores one row.
        out: file of predictions; begun, or gone on with where a run was killed.
        keep_going: name failed rows and go on; else the first one ends the run. A failure of the
            machinery is no answer of the model, so no line is written for it.
        on_row: told how many rows are done.

    Raises:
        RewardSourceError: a row failed (unless ``keep_going``).
        FormatError: ``out`` holds something else.
    """
    done = _recover(out)
    hashes: dict[Path, str] = {}
    problems: list[str] = []
    new = 0
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.open("a", encoding="utf-8") as file:
        for number, (row, probe) in enumerate(rows, 1):
            if row.id not in done:
                outcome = ask(row)
                if isinstance(outcome, RewardFailure):
                    if not keep_going:
                        raise RewardSourceError(
                            f"row '{row.id}' could not be scored",
                            got=outcome.message,
                            next_step="Run the command again to go on from here, "
                            "or with --keep-going to leave such rows out.",
                        )
                    problems.append(f"{row.id}: {outcome.message}")
                else:
                    if row.path not in hashes:
                        hashes[row.path] = file_sha256(row.path)
                    done[row.id] = _prediction(row, outcome, hashes[row.path], probe)
                    file.write(done[row.id].to_json() + "\n")
                    file.flush()
                    os.fsync(file.fileno())
                    new += 1
            on_row(number)
    wanted = [row.id for row, _ in rows]
    return Answered(tuple(done[key] for key in wanted if key in done), new, tuple(problems))


def _recover(out: Path) -> dict[str, Prediction]:
    """Rows of an earlier run; a last line that was cut off by a kill is cut away."""
    if not out.exists():
        return {}
    content = out.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if whole != content:
        with out.open("rb+") as file:
            file.truncate(len(whole))
    rows: dict[str, Prediction] = {}
    for number, line in enumerate(whole.decode("utf-8").splitlines(), 1):
        row = parse_row(line, f"{out}, line {number}")
        if row.id in rows:
            raise FormatError(f"{out}, line {number} repeats an id", got=row.id)
        rows[row.id] = row
    return rows


def _prediction(
    row: LabelledVideo, outcome: Score | Abstain, sha256: str, probe: bool
) -> Prediction:
    """The row's answer; one that abstained is judged by what it would have said."""
    masses = outcome.probabilities if outcome.levels == RUBRIC_LEVELS else ()
    if isinstance(outcome, Score):
        output = outcome.text or f"ANSWER: {_rubric(outcome):g}"
    elif masses:
        output = f"ANSWER: {int(np.argmax(masses)) + 1}"
    else:
        output = outcome.text
    return Prediction(
        id=row.id,
        subset=row.subset,
        task=row.task,
        reward=row.reward,
        output=output,
        probabilities=masses,
        latency_s=outcome.latency_s,
        video_sha256=sha256,
        abstained=isinstance(outcome, Abstain),
        paraphrase_of=row.paraphrase_of,
        probe=probe,
    )


def _rubric(score: Score) -> float:
    """A score on the rubric's scale; progress and signs are stretched onto 1..5."""
    match score.scale:
        case ScoreScale.RUBRIC:
            return score.value
        case ScoreScale.UNIT:
            return 1 + 4 * score.value
        case ScoreScale.SIGN:
            return 3 + 2 * score.value

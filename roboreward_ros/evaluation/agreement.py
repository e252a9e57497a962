# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How far reward sources agree with what is true and with each other, and what they leave out.

Everything comes from a run's ledgers and episodes: a candidate that scored in the shadow of the
active source has left its records there. All on the 1-5 scale.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from roboreward_ros.episodes.labels import FAILURE
from roboreward_ros.episodes.ledger import OPERATOR, SCORES, Ledger
from roboreward_ros.episodes.promoted import read_promoted
from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.evaluation.intervals import Interval, wilson
from roboreward_ros.evaluation.run_view import to_rubric
from roboreward_ros.types import Abstain, LabelRecord, RewardFailure, RewardOutcome, Score

LEVELS = (1, 2, 3, 4, 5)
SUCCESS, FAILED = 5, 2
"""An episode succeeded at 5, and certainly failed at 2 and below."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Of one source's scores with reference scores of the same episodes.

    Attributes:
        n: episodes that both scored; the other figures are NaN without any.
        exact: share with the same level.
        within_one: share at most one level apart.
        kappa: Cohen's kappa with quadratic weights over the five levels; NaN where it is not
            defined (both constant).
        mae: mean absolute difference, levels.
        false_positives: share of certain failures (reference <= 2) called a success (5), with its
            95 % Wilson interval; NaN without any.
        n_failed: certain failures.
    """

    n: int
    exact: float
    within_one: float
    kappa: float
    mae: float
    false_positives: Interval
    n_failed: int


def agreement(said: Sequence[float], reference: Sequence[float]) -> Agreement:
    """Compare scores ``[n]`` with references ``[n]``, both 1..5; levels are rounded scores."""
    nan = math.nan
    if not said:
        return Agreement(0, nan, nan, nan, nan, Interval(nan, nan, nan), 0)
    a, b = np.asarray(said, np.float64), np.asarray(reference, np.float64)
    la, lb = np.clip(np.rint(a), 1, 5), np.clip(np.rint(b), 1, 5)
    failed = lb <= FAILED
    praised = int(np.sum(failed & (la >= SUCCESS)))
    n_failed = int(failed.sum())
    return Agreement(
        n=len(a),
        exact=float(np.mean(la == lb)),
        within_one=float(np.mean(np.abs(la - lb) <= 1)),
        kappa=quadratic_kappa(la.astype(int).tolist(), lb.astype(int).tolist()),
        mae=float(np.mean(np.abs(a - b))),
        false_positives=wilson(praised, n_failed) if n_failed else Interval(nan, nan, nan),
        n_failed=n_failed,
    )


def quadratic_kappa(a: Sequence[int], b: Sequence[int]) -> float:
    """1 - sum(w * observed) / sum(w * expected), w = (i - j)^2; NaN where nothing is expected.

    Cohen (1968), weighted kappa with quadratic disagreement weights, over levels 1..5.
    """
    observed = np.zeros((5, 5))
    for i, j in zip(a, b, strict=True):
        observed[i - 1, j - 1] += 1
    observed /= observed.sum()
    grid = np.arange(5)
    weights = (grid[:, None] - grid[None, :]) ** 2
    expected = float((weights * np.outer(observed.sum(1), observed.sum(0))).sum())
    return 1 - float((weights * observed).sum()) / expected if expected > 0 else math.nan


@dataclass(frozen=True, slots=True)
class Coverage:
    """What a source answered and what it left out.

    Attributes:
        asked: episodes that it scored, declined or failed.
        scored: with a score.
        abstained: declined.
        failed: neither; to be tried again.
        abstain_rate: true score 1..5 -> (declined, episodes), where the truth is known.
        mae: mean |score - truth| over scored episodes with known truth; NaN without any.
        mae_with_abstained: the same, with the declined ones by the likeliest answer that they
            would have given; NaN without any.
    """

    asked: int
    scored: int
    abstained: int
    failed: int
    abstain_rate: Mapping[int, tuple[int, int]]
    mae: float
    mae_with_abstained: float

    @property
    def coverage(self) -> float:
        """Share of asked episodes that have a score; NaN while none was asked."""
        return self.scored / self.asked if self.asked else math.nan


@dataclass(frozen=True, slots=True)
class SourceReport:
    """One source of a run.

    Attributes:
        name: registry name.
        shadow: its newest records were written beside the active source.
        coverage: what it answered.
        truth: agreement with the people's labels, else the twin's truth.
        active: agreement with the source that the run goes by; of that source itself empty.
    """

    name: str
    shadow: bool
    coverage: Coverage
    truth: Agreement
    active: Agreement


@dataclass(slots=True)
class _Answers:
    """A source's newest answer per episode."""

    outcomes: dict[str, RewardOutcome] = field(default_factory=dict)
    shadow: bool = False

    def add(self, record: LabelRecord) -> None:
        known = self.outcomes.get(record.episode_id)
        if isinstance(record.outcome, RewardFailure) and known is not None:
            return  # an answer is not undone by a later failure
        self.outcomes[record.episode_id] = record.outcome
        self.shadow = record.shadow

    def scores(self) -> dict[str, float]:
        return {k: to_rubric(o) for k, o in self.outcomes.items() if isinstance(o, Score)}


class AgreementBook:
    """Follows a run's ledgers; cheap to ask again. One thread uses it.

    Args:
        run_dir: the run.
    """

    def __init__(self, run_dir: Path | str) -> None:
        self._run_dir = Path(run_dir)
        self._store = EpisodeStore(run_dir)
        self._ledgers = (Ledger(run_dir, "r", SCORES), Ledger(run_dir, "r", OPERATOR))
        self._truth: dict[str, int | None] = {}

    def reports(self) -> tuple[SourceReport, ...]:
        """One report a source, the active one first, then by name.

        Raises:
            FormatError: a ledger or an episode is damaged.
        """
        answers, people = self._collect()
        config = read_promoted(self._run_dir)
        active = config.source if config is not None else ""
        truth = self._known_truth(answers.values()) | people
        reference = answers[active].scores() if active in answers else {}
        order = sorted(answers, key=lambda name: (name != active, name))
        return tuple(
            SourceReport(
                name,
                answers[name].shadow and name != active,
                coverage(answers[name].outcomes, truth),
                _compare(answers[name].scores(), truth),
                _compare({} if name == active else answers[name].scores(), reference),
            )
            for name in order
        )

    def known(self) -> dict[str, float]:
        """Results 1..5 by episode: as people said, else by the twin's truth."""
        answers, people = self._collect()
        return self._known_truth(answers.values()) | people

    def answers(self, source: str) -> tuple[dict[str, float], tuple[str, ...]]:
        """Scores 1..5 of a source by episode, and the episodes that it declined."""
        found = self._collect()[0].get(source, _Answers())
        declined = [k for k, outcome in found.outcomes.items() if isinstance(outcome, Abstain)]
        return found.scores(), tuple(declined)

    def _collect(self) -> tuple[dict[str, _Answers], dict[str, float]]:
        answers: dict[str, _Answers] = defaultdict(_Answers)
        people: dict[str, float] = {}
        for ledger in self._ledgers:
            records = ledger.records()
            gone = {record.retracts for record in records if record.retracts >= 0}
            for record in records:
                if record.seq in gone or record.retracts >= 0:
                    continue
                outcome = record.outcome
                if not record.operator:
                    answers[outcome.provenance.source].add(record)
                elif isinstance(outcome, Score):
                    people.pop(record.episode_id, None)
                    if outcome.text != FAILURE:  # "failure" alone says no level
                        people[record.episode_id] = to_rubric(outcome)
        return answers, people

    def _known_truth(self, answers: Iterable[_Answers]) -> dict[str, float]:
        asked = {episode_id for one in answers for episode_id in one.outcomes}
        for episode_id in asked & set(self._store.ids()) - set(self._truth):
            truth = self._store.open(episode_id).truth()
            self._truth[episode_id] = truth[-1].score if truth else None
        return {k: float(v) for k, v in self._truth.items() if v is not None and k in asked}


def coverage(outcomes: Mapping[str, RewardOutcome], truth: Mapping[str, float]) -> Coverage:
    """What one source answered, by episode id; ``truth`` 1..5 where it is known."""
    rates: dict[int, tuple[int, int]] = {}
    errors: list[float] = []
    guesses: list[float] = []
    for episode_id, outcome in outcomes.items():
        if episode_id not in truth or isinstance(outcome, RewardFailure):
            continue
        true = truth[episode_id]
        declined, count = rates.get(round(true), (0, 0))
        rates[round(true)] = (declined + isinstance(outcome, Abstain), count + 1)
        if isinstance(outcome, Score):
            errors.append(abs(to_rubric(outcome) - true))
        elif outcome.probabilities and set(outcome.levels) <= set(LEVELS):
            guess = outcome.levels[int(np.argmax(outcome.probabilities))]
            guesses.append(abs(guess - true))
    every = errors + guesses
    kinds = [type(outcome) for outcome in outcomes.values()]
    return Coverage(
        asked=len(outcomes),
        scored=kinds.count(Score),
        abstained=kinds.count(Abstain),
        failed=kinds.count(RewardFailure),
        abstain_rate=dict(sorted(rates.items())),
        mae=sum(errors) / len(errors) if errors else math.nan,
        mae_with_abstained=sum(every) / len(every) if every else math.nan,
    )


def _compare(said: Mapping[str, float], reference: Mapping[str, float]) -> Agreement:
    both = sorted(said.keys() & reference.keys())
    return agreement([said[k] for k in both], [reference[k] for k in both])

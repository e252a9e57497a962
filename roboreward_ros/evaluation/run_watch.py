# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A running session's stores as an operator's console draws them.

Success is what the labels claim, and says so: the twin's truth is read by the agreement of sources
alone, which is evaluation's own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from roboreward_ros.episodes.ledger import OPERATOR, SCORES, Ledger
from roboreward_ros.episodes.promoted import read_promoted
from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.episodes.tally import claims_success
from roboreward_ros.episodes.views import Label, LabelStatus, RewardView
from roboreward_ros.errors import FormatError, StoreError
from roboreward_ros.evaluation.agreement import Agreement, AgreementBook
from roboreward_ros.evaluation.filmstrip import frame_indices
from roboreward_ros.evaluation.intervals import wilson
from roboreward_ros.evaluation.run_view import to_rubric
from roboreward_ros.types import (
    AskCard,
    EpisodeSummary,
    LabelEvent,
    LabelRecord,
    Rate,
    RewardPoint,
    RunFacts,
    Score,
    ShadowAgreement,
)

HUMAN = "human"
TAKEOVER = "takeover"
AUDIT = Label(LabelStatus.UNSCORED, detail="drawn for an audit")
STRIP = 6
HISTORY = 40
ASKED = (LabelStatus.ABSTAINED, LabelStatus.ASK)


class StoreWatch:
    """Follows the stores of one run (protocol ``RunWatch``); for one thread.

    Args:
        run_dir: the run; may have no episodes yet, but must exist.

    Raises:
        StoreError: there is no such run.
    """

    def __init__(self, run_dir: Path | str) -> None:
        self._run_dir = Path(run_dir)
        self._store = EpisodeStore(run_dir)
        self._scores = Ledger(run_dir, "r", SCORES)
        self._keys = Ledger(run_dir, "r", OPERATOR)
        self._view: RewardView | None = None
        self._summaries: dict[str, EpisodeSummary] = {}
        self._damaged: set[str] = set()
        self._book = AgreementBook(run_dir)
        self._compared: tuple[tuple[int, int], tuple[ShadowAgreement, ...]] = ((0, 0), ())

    def frame(self, episode_id: str, index: int) -> bytes:
        """See the protocol; an id that is no committed episode's is refused."""
        if episode_id not in self._store.ids():
            raise StoreError("no such episode", got=ascii(episode_id[:40]))
        frames = self._store.open(episode_id).frames()
        if not 0 <= index < len(frames):
            raise StoreError("no such picture", got=index, allowed=f"0..{len(frames) - 1}")
        return frames[index]

    def audits(self, episode_ids: Sequence[str]) -> tuple[AskCard, ...]:
        """See the protocol."""
        known = (self._summaries.get(name) for name in episode_ids)
        drawn = [s for s in known if s is not None and not self._discarded(s.meta.episode_id)]
        return tuple(replace(_card(s, AUDIT), audit=True) for s in drawn)

    def _discarded(self, episode_id: str) -> bool:
        return self._store.marks.discarded(episode_id)

    def facts(self) -> RunFacts:
        """See the protocol."""
        config = read_promoted(self._run_dir)
        if config is not None and (self._view is None or self._view.config != config):
            self._view = RewardView.of_run(self._run_dir, config)
        summaries = self._follow()
        discarded = {name for name in summaries if self._discarded(name)}
        labels = {name: self._label(name) for name in summaries}
        counted = [s for name, s in summaries.items() if name not in discarded]
        own = [s for s in counted if TAKEOVER not in s.taint]  # the policy's, not a person's
        return RunFacts(
            episodes=len(summaries),
            discarded=len(discarded),
            source=config.source if config is not None else "",
            points=self._points(summaries, labels),
            success=_rate(own, labels),
            steered=_rate([s for s in own if not s.meta.canary], labels),
            base=_rate([s for s in own if s.meta.canary], labels),
            labels=history(self._keys.records()),
            queue=tuple(
                _card(s, labels[s.meta.episode_id])
                for s in counted
                if labels[s.meta.episode_id].status in ASKED
            ),
            agreement=self._agreement(config.source if config is not None else ""),
            tasks=tuple(dict.fromkeys(s.meta.task for s in reversed(summaries.values()))),
        )

    def _follow(self) -> dict[str, EpisodeSummary]:
        for episode_id in self._store.ids():
            if episode_id not in self._summaries and episode_id not in self._damaged:
                try:
                    self._summaries[episode_id] = self._store.open(episode_id).summary
                except (FormatError, StoreError):
                    self._damaged.add(episode_id)  # `roboreward episodes verify` says what is wrong
        return self._summaries

    def _label(self, episode_id: str) -> Label:
        if self._view is None:
            return Label(LabelStatus.UNSCORED)
        return self._view.status(episode_id)

    def _points(
        self, summaries: dict[str, EpisodeSummary], labels: dict[str, Label]
    ) -> tuple[RewardPoint, ...]:
        newest: dict[tuple[str, str, bool], RewardPoint] = {}
        for record in self._scores.records():
            summary = summaries.get(record.episode_id)
            if summary is None or not isinstance(record.outcome, Score):
                continue
            source = record.outcome.provenance.source
            newest[record.episode_id, source, record.shadow] = RewardPoint(
                index=summary.meta.index,
                episode_id=record.episode_id,
                value=to_rubric(record.outcome),
                source=source,
                shadow=record.shadow,
                counts=labels[record.episode_id].score == record.outcome and not record.shadow,
            )
        for episode_id, label in labels.items():
            if label.score is not None and label.score.provenance.source == HUMAN:
                newest[episode_id, HUMAN, False] = RewardPoint(
                    index=summaries[episode_id].meta.index,
                    episode_id=episode_id,
                    value=to_rubric(label.score),
                    source=HUMAN,
                    counts=True,
                )
        return tuple(sorted(newest.values(), key=lambda point: point.index))

    def _agreement(self, source: str) -> tuple[ShadowAgreement, ...]:
        """Of the candidates with the source in force, and with what people and tests know."""
        mark = (len(self._scores.records()), len(self._keys.records()))
        if mark == self._compared[0]:
            return self._compared[1]
        rows = []
        for report in self._book.reports():
            if report.shadow:
                rows += [_row(report.name, source, report.active)]
            if report.shadow or report.truth.n:
                rows += [_row(report.name, "known results", report.truth)]
        found = tuple(row for row in rows if row.n)
        self._compared = (mark, found)
        return found


def history(records: Sequence[LabelRecord]) -> tuple[LabelEvent, ...]:
    """The operator's ledger as keys, newest first."""
    undone = {record.retracts for record in records}
    return tuple(
        LabelEvent(
            seq=record.seq,
            stamp_ns=record.stamp_ns,
            episode_id=record.episode_id,
            key=record.outcome.text if isinstance(record.outcome, Score) else "u",
            operator=record.operator,
            undone=record.seq in undone,
        )
        for record in reversed(records[-HISTORY:])
    )


def _rate(summaries: Sequence[EpisodeSummary], labels: dict[str, Label]) -> Rate:
    scores = [labels[s.meta.episode_id].score for s in summaries]
    known = [score for score in scores if score is not None]
    successes = sum(claims_success(score) for score in known)
    bounds = wilson(successes, len(known))
    return Rate(successes, len(known), bounds.low, bounds.high)


def _row(source: str, against: str, figures: Agreement) -> ShadowAgreement:
    def known(value: float) -> float | None:
        return None if math.isnan(value) else value

    return ShadowAgreement(
        source=source,
        against=against,
        n=figures.n,
        exact=figures.exact,
        within_one=figures.within_one,
        kappa=known(figures.kappa),
        mae=figures.mae,
        false_positive=known(figures.false_positives.value),
    )


def _card(summary: EpisodeSummary, label: Label) -> AskCard:
    meta = summary.meta
    return AskCard(
        episode_id=meta.episode_id,
        index=meta.index,
        task=meta.task,
        needs_level=label.status is LabelStatus.ASK,
        detail=label.detail,
        frames=tuple(frame_indices(summary.n_steps + 1, STRIP)),
    )

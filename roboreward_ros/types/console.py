# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What an operator's console shows of a run beyond the session's own state."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class RewardPoint:
    """One score of one episode.

    Attributes:
        index: of the episode.
        episode_id: its name.
        value: on the 1-5 scale.
        source: registry name, or ``human``.
        shadow: of a candidate that labels nothing.
        counts: it is the label that the learner sees.
    """

    index: int
    episode_id: str
    value: float
    source: str
    shadow: bool = False
    counts: bool = False


@dataclass(frozen=True, slots=True)
class Rate:
    """Successes of ``n`` episodes with the bounds of the 95 % interval, all shares 0..1."""

    successes: int = 0
    n: int = 0
    low: float = 0.0
    high: float = 1.0

    @property
    def value(self) -> float:
        """The share; 0 where nothing was counted."""
        return self.successes / self.n if self.n else 0.0


@dataclass(frozen=True, slots=True)
class LabelEvent:
    """One key of the operator, in the order of the ledger.

    Attributes:
        seq: place in the operator's ledger.
        stamp_ns: when, ns since the epoch.
        episode_id: which.
        key: ``s``, ``f``, ``1``..``5``, or ``u`` for a label that was taken back.
        operator: who.
        undone: a later record took it back.
    """

    seq: int
    stamp_ns: int
    episode_id: str
    key: str
    operator: str
    undone: bool = False


@dataclass(frozen=True, slots=True)
class AskCard:
    """An episode that a person is asked about.

    Attributes:
        episode_id: which.
        index: its number.
        task: what was to be done.
        needs_level: failure is known; only how far it got (1-4) is asked.
        detail: why the source did not say.
        frames: pictures of the filmstrip, indices into the stored frames.
        audit: it was drawn to be judged, whatever the source said; that is not shown to the judge.
    """

    episode_id: str
    index: int
    task: str
    needs_level: bool
    detail: str
    frames: tuple[int, ...]
    audit: bool = False


@dataclass(frozen=True, slots=True)
class ShadowAgreement:
    """How far a candidate agrees with the source in force over the episodes that both scored.

    Attributes:
        source: the candidate.
        against: the source in force, or what it was compared with.
        n: episodes.
        exact: share with the same score.
        within_one: share at most one level apart.
        kappa: quadratic weighted kappa; None where it is not defined.
        mae: mean distance in levels.
        false_positive: share of the other's failures that the candidate calls success; None
            without failures.
    """

    source: str
    against: str
    n: int
    exact: float
    within_one: float
    kappa: float | None
    mae: float
    false_positive: float | None


@dataclass(frozen=True, slots=True)
class RunFacts:
    """Everything that a console draws from the run's stores.

    Attributes:
        episodes: committed ones, discarded included.
        discarded: those that were marked.
        source: reward source in force.
        points: scores, oldest episode first.
        success: claimed by the labels in force.
        steered: the same over steered episodes.
        base: the same over canary episodes, which run with plain noise.
        labels: the operator's keys, newest first.
        queue: episodes that a person is asked about, oldest first.
        agreement: of the candidates.
        tasks: sentences that its episodes had, each once, the newest first.
    """

    episodes: int = 0
    discarded: int = 0
    source: str = ""
    points: tuple[RewardPoint, ...] = ()
    success: Rate = field(default_factory=Rate)
    steered: Rate = field(default_factory=Rate)
    base: Rate = field(default_factory=Rate)
    labels: tuple[LabelEvent, ...] = ()
    queue: tuple[AskCard, ...] = ()
    agreement: tuple[ShadowAgreement, ...] = ()
    tasks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LearnerView:
    """The learner's newest word; figures as in LearnerStatus.

    Attributes:
        audits: episodes that were drawn to be judged by a person, oldest first.
    """

    episodes_done: int = 0
    episodes_trainable: int = 0
    transitions: int = 0
    grad_steps: int = 0
    updates_owed: int = 0
    policy_version: int = 0
    critic_loss: float = 0.0
    actor_loss: float = 0.0
    q_mean: float = 0.0
    entropy: float = 0.0
    updates_per_s: float = 0.0
    message: str = ""
    audits: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PartHealth:
    """A line of the diagnostics.

    Attributes:
        name: of the part.
        level: 0 well, 1 warning, 2 error, 3 silent.
        message: one line for people.
    """

    name: str
    level: int
    message: str

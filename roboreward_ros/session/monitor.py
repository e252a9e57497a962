# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Watches the steering from what is on disk: judged episodes, latents and losses.

Judges. Only people and ground truth judge, and only episodes that were drawn for it beforehand: all
canaries, and steered ones with a known probability. A label that somebody cared to press says more
about the episode than about the policy. Without any such judge the rewards of the run's own source
are compared instead; that is reported as such and decides nothing, since a source that can be
fooled would call the steered policy better.
"""

from __future__ import annotations

import math
import zlib
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np

from roboreward_ros.errors import ConfigError
from roboreward_ros.session.canary import Comparison, Outcome, Verdict, compare
from roboreward_ros.types import Chunk, EpisodeMeta


@dataclass(frozen=True, slots=True)
class MonitorConfig:
    """What the monitor asks for and when it speaks up.

    Attributes:
        audit_share: probability that a steered episode is drawn to be judged.
        error: of each verdict of a sequential test, over the whole run.
        false_share: share of claimed successes that may be none.
        saturation: share of latents at their bound above which steering is at its limits.
        stuck: share of the actor's means at their bound above which it is (the demo's actors, which
            succeed, have 0.02 or less).
        seam: largest jump between two chunks, in the median step within a chunk, before a warning.
        q_excess: how far the mean value may lie outside what returns can be, as share of the range.
        window: newest steered episodes that the warnings look at.
    """

    audit_share: float = 0.3
    error: float = 0.05
    false_share: float = 0.2
    saturation: float = 0.05
    stuck: float = 0.1
    seam: float = 8.0
    q_excess: float = 0.1
    window: int = 10

    def __post_init__(self) -> None:
        for name, fits, allowed in (
            ("audit_share", 0 < self.audit_share <= 1, "in (0, 1]"),
            ("error", 0 < self.error < 0.5, "in (0, 0.5)"),
            ("false_share", 0 < self.false_share < 1, "in (0, 1)"),
            ("saturation", 0 < self.saturation <= 1, "in (0, 1]"),
            ("stuck", 0 < self.stuck <= 1, "in (0, 1]"),
            ("seam", self.seam > 1, "above 1"),
            ("q_excess", self.q_excess >= 0, "0 or more"),
            ("window", self.window >= 1, "1 or more"),
        ):
            if not fits:
                raise ConfigError(f"monitor's {name}", got=getattr(self, name), allowed=allowed)


def drawn(seed: int, index: int, share: float) -> bool:
    """Whether a steered episode is drawn for an audit: a function of its number, never its end."""
    return zlib.crc32(f"audit {seed} {index}".encode()) < share * 2**32


@dataclass(frozen=True, slots=True)
class Judged:
    """One steered or canary episode and what is known of its success.

    Attributes:
        meta: its header.
        steered: an actor chose its noise; False for canaries, the warm-up's draws of the prior, and
            what the prior drew while it was in the actor's place.
        audit: success as a person or ground truth saw it; None where nobody did.
        claimed: success by the run's own reward source, whatever people said; None while it has
            not scored.
    """

    meta: EpisodeMeta
    steered: bool
    audit: bool | None
    claimed: bool | None


@dataclass(frozen=True, slots=True)
class NoiseFigures:
    """What an episode's decisions say about its latents.

    Attributes:
        saturation: share of latents at ``bound``.
        seam: largest jump from the last executed action of a chunk to the first of the next, in
            median steps within chunks.
        stuck: share of the actor's means at their bound.
    """

    saturation: float
    seam: float
    stuck: float = math.nan


def noise_figures(chunks: Sequence[Chunk], chunk_size: int, bound: float) -> NoiseFigures:
    """Figures of one episode; NaN where it has too few decisions.

    Args:
        chunks: its decisions in order.
        chunk_size: C, executed actions per decision.
        bound: largest |w| that may run.
    """
    if not chunks:
        return NoiseFigures(math.nan, math.nan)
    w = np.stack([chunk.noise for chunk in chunks])
    saturation = float(np.mean(np.abs(w) >= bound - 1e-3))
    # The gripper's column jumps by nature.
    motion = [chunk.actions[:chunk_size, :-1] for chunk in chunks]
    inside = np.concatenate([np.linalg.norm(np.diff(part, axis=0), axis=1) for part in motion])
    if len(motion) < 2 or not inside.size:
        return NoiseFigures(saturation, math.nan)
    seams = [np.linalg.norm(b[0] - a[-1]) for a, b in pairwise(motion)]
    return NoiseFigures(saturation, float(max(seams)) / max(float(np.median(inside)), 1e-9))


@dataclass(frozen=True, slots=True)
class SteeringReport:
    """What the monitor knows.

    Attributes:
        comparison: base against steered, by auditors, or by the run's source where none judged.
        audited: judged by auditors; else the comparison decides nothing.
        fall_back: steering is worse beyond doubt: let the base policy act.
        warnings: one line each.
        figures: name -> value, for logs and plots.
    """

    comparison: Comparison
    audited: bool
    fall_back: bool
    warnings: tuple[str, ...] = ()
    figures: Mapping[str, float] = field(default_factory=dict)

    @property
    def message(self) -> str:
        """One line for people."""
        c = self.comparison
        judge = "audited" if self.audited else "by the reward source alone, which decides nothing"
        text = (
            f"steered {c.steered_successes}/{c.steered_n}, base {c.base_successes}/{c.base_n} "
            f"({judge}; evidence {c.worse:.2g} that it is worse, {c.better:.2g} that it is better, "
            f"decided at {1 / c.error:.0f})"
        )
        return f"steering is worse than the base policy: {text}" if self.fall_back else text


class SteeringMonitor:
    """Collects episodes of one run in order; one thread uses it.

    Args:
        config: limits.
        seed: of the run, for the audits' draw.
        bound: largest |w| that may run.
        values: lowest and highest possible return.
        since: first episode that counts; a person who lets steering go on starts anew there.
    """

    def __init__(
        self,
        config: MonitorConfig,
        seed: int,
        bound: float,
        values: tuple[float, float],
        since: int = 0,
    ) -> None:
        self.config = config
        self.since = since
        self._seed = seed
        self._bound = bound
        self._low, self._high = values
        self._judged: dict[int, Judged] = {}
        self._noise: deque[NoiseFigures] = deque(maxlen=config.window)

    def see(self, episode: Judged, chunks: Sequence[Chunk] = (), stuck: float = math.nan) -> None:
        """Take an episode in, or its newer labels; its decisions the first time.

        Args:
            episode: what is known of it.
            chunks: its decisions in order.
            stuck: share of the actor's means at their bound in them; NaN where it is not known.
        """
        index = episode.meta.index
        if index not in self._judged and episode.steered and chunks:
            found = noise_figures(chunks, episode.meta.chunk_size, self._bound)
            self._noise.append(replace(found, stuck=stuck))
        self._judged[index] = episode

    def wanted(self) -> list[str]:
        """Episodes that were drawn for an audit and have none yet, oldest first."""
        return [
            e.meta.episode_id for _, e in sorted(self._judged.items())
            if (self._counts(e) or (e.claimed and self._drawn(e.meta))) and e.audit is None
        ]  # fmt: skip

    def claims(self) -> list[bool]:
        """Of every audited claim of a success, in order: whether it was none.

        Episodes of the warm-up count too: the source is judged here, not the policy.
        """
        return [
            not e.audit for _, e in sorted(self._judged.items())
            if e.claimed and e.audit is not None and self._drawn(e.meta)
        ]  # fmt: skip

    def _counts(self, episode: Judged) -> bool:
        return (episode.meta.canary or episode.steered) and self._drawn(episode.meta)

    def _drawn(self, meta: EpisodeMeta) -> bool:
        """Whether an episode was drawn for an audit, before it had an end."""
        if meta.index < self.since:
            return False
        return meta.canary or drawn(self._seed, meta.index, self.config.audit_share)

    def report(self, *, q_mean: float = 0.0, finite: bool = True) -> SteeringReport:
        """Where steering stands.

        Args:
            q_mean: of the critics over stored transitions.
            finite: whether all of the learner's numbers are.
        """
        audits = [
            Outcome(e.meta.index, e.meta.canary, e.audit)
            for e in self._judged.values()
            if self._counts(e) and e.audit is not None
        ]
        audited = any(o.canary for o in audits) and any(not o.canary for o in audits)
        outcomes = audits
        if not audited:
            outcomes = [
                Outcome(e.meta.index, e.meta.canary, e.claimed)
                for e in self._judged.values()
                if e.claimed is not None
                and e.meta.index >= self.since
                and (e.meta.canary or e.steered)
            ]
        comparison = compare(outcomes, self.config.error)
        worse = audited and comparison.verdict is Verdict.WORSE
        figures = self._figures()
        warnings = self._warnings(figures, q_mean, finite)
        return SteeringReport(comparison, audited, worse, tuple(warnings), figures)

    def _figures(self) -> dict[str, float]:
        saturation = [n.saturation for n in self._noise if math.isfinite(n.saturation)]
        stuck = [n.stuck for n in self._noise if math.isfinite(n.stuck)]
        seams = [n.seam for n in self._noise if math.isfinite(n.seam)]
        return {
            "noise_saturation": float(np.mean(saturation)) if saturation else 0.0,
            "mean_saturation": float(np.mean(stuck)) if stuck else 0.0,
            "seam_jump": float(np.median(seams)) if seams else 0.0,
        }

    def _warnings(self, figures: Mapping[str, float], q_mean: float, finite: bool) -> list[str]:
        config, found = self.config, []
        if figures["noise_saturation"] > config.saturation:
            found.append(
                f"{figures['noise_saturation']:.0%} of the latents are at their bound: the actor "
                "asks for noise that the frozen policy hardly knows; lower kl_budget"
            )
        if figures["mean_saturation"] > config.stuck:
            found.append(
                f"{figures['mean_saturation']:.0%} of the actor's means are stuck at their bound: "
                "it asks for more than it may have; lower kl_budget"
            )
        if figures["seam_jump"] > config.seam:
            found.append(
                f"the arm jumps between chunks, {figures['seam_jump']:.1f} times a usual step: "
                "slow down, or lower kl_budget"
            )
        room = config.q_excess * (self._high - self._low)
        if not self._low - room <= q_mean <= self._high + room:
            found.append(
                f"the critics' mean value {q_mean:.2f} is outside of what returns can be, "
                f"{self._low:g}..{self._high:g}: they diverge"
            )
        if not finite:
            found.append("a number of the learner is not finite: training stopped")
        return found

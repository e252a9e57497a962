# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The learner's figures by the names under which messages, diagnostics and plots show them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from roboreward_ros.dsrl.actor_files import PublishedActor

if TYPE_CHECKING:  # they load torch; a node that is only described needs none
    from roboreward_ros.dsrl.follow import FollowStatus
    from roboreward_ros.dsrl.watch import WatchState


Figure: TypeAlias = "int | float | bool | str | list[str]"


@dataclass(frozen=True, slots=True)
class Bulletin:
    """What a learner tells, wherever it runs.

    Attributes:
        figures: by their names in ``LearnerStatus``.
        vitals: what diagnostics show.
        actor: newest version that lies in the run's ``policies``; None before the first.
        trouble: why training stopped; "" while it goes on.
        warning: what a person should look at.
    """

    figures: Mapping[str, Figure] = field(default_factory=dict)
    vitals: Mapping[str, str | float | int] = field(default_factory=dict)
    actor: PublishedActor | None = None
    trouble: str = ""
    warning: str = ""

    @property
    def message(self) -> str:
        """One line."""
        return str(self.figures.get("message", ""))


@dataclass(frozen=True, slots=True)
class DutyState:
    """Where the learner of a run stands.

    Attributes:
        status: of the learner.
        watch: over its steering.
        updates_per_s: while it works.
    """

    status: FollowStatus
    watch: WatchState
    updates_per_s: float = 0.0


def figures(state: DutyState) -> dict[str, Figure]:
    """Every figure under its name in ``LearnerStatus``."""
    status, watch = state.status, state.watch
    metrics, last, compared = status.metrics, status.metrics.last, watch.report.comparison
    return {
        "episodes_done": status.episodes_done,
        "episodes_trainable": status.trainable,
        "labelled": metrics.labelled,
        "transitions": metrics.transitions,
        "grad_steps": metrics.grad_steps,
        "updates_owed": metrics.owed,
        "policy_version": status.actor.version if status.actor else 0,
        "critic_loss": float(last.critic_loss),
        "actor_loss": float(last.actor_loss),
        "alpha": float(last.alpha),
        "entropy": float(last.entropy),
        "q_mean": float(last.q_mean),
        "updates_per_s": float(state.updates_per_s),
        "kl": float(last.kl),
        "q_spread": float(last.q_spread),
        "noise_saturation": float(watch.report.figures["noise_saturation"]),
        "mean_saturation": float(watch.report.figures["mean_saturation"]),
        "seam_jump": float(watch.report.figures["seam_jump"]),
        "canary_n": compared.base_n,
        "canary_successes": compared.base_successes,
        "steered_n": compared.steered_n,
        "steered_successes": compared.steered_successes,
        "worse_evidence": float(compared.worse),
        "better_evidence": float(compared.better),
        "blocks": compared.blocks,
        "audited": watch.report.audited,
        "claims_audited": watch.claims.n,
        "claims_false": watch.claims.false,
        "false_success_evidence": float(watch.claims.evidence),
        "holding": bool(watch.alarm),
        "base_acts": watch.base_acts,
        "alarm": watch.alarm,
        "warnings": list(watch.report.warnings),
        "audits_wanted": list(watch.audits),
        "message": status.message,
    }


def vitals(state: DutyState) -> dict[str, str | float | int]:
    """What diagnostics show."""
    status = state.status
    return {
        "grad_steps": status.metrics.grad_steps,
        "updates_per_s": state.updates_per_s,
        "transitions": status.metrics.transitions,
        "policy_version": status.actor.version if status.actor else 0,
        "steering": state.watch.report.message,
        "mean_saturation": state.watch.report.figures["mean_saturation"],
        "audits_wanted": len(state.watch.audits),
        "claims_audited": state.watch.claims.n,
        "claims_false": state.watch.claims.false,
    }


def scalars(state: DutyState) -> dict[str, float]:
    """What TensorBoard plots: name -> value; figures that are not known yet are left out."""
    status, watch = state.status, state.watch
    metrics, compared = status.metrics, watch.report.comparison
    values = {f"update/{k}": float(v) for k, v in dataclasses.asdict(metrics.last).items()}
    values |= {
        "run/episodes": status.episodes_done,
        "run/trainable": status.trainable,
        "run/labelled": metrics.labelled,
        "run/transitions": metrics.transitions,
        "run/owed": metrics.owed,
        "run/policy_version": status.actor.version if status.actor else 0,
        "run/updates_per_s": state.updates_per_s,
        "steering/canary_n": compared.base_n,
        "steering/canary_successes": compared.base_successes,
        "steering/steered_n": compared.steered_n,
        "steering/steered_successes": compared.steered_successes,
        "steering/blocks": compared.blocks,
        "steering/base_success": compared.base_rate,
        "steering/steered_success": compared.steered_rate,
        "steering/worse_evidence": compared.worse,
        "steering/better_evidence": compared.better,
        "steering/audited": float(watch.report.audited),
        "steering/held": float(bool(watch.alarm)),
        "steering/base_acts": float(watch.base_acts),
        "steering/audits_wanted": len(watch.audits),
        "steering/claims_audited": watch.claims.n,
        "steering/claims_false": watch.claims.false,
        "steering/false_success_evidence": watch.claims.evidence,
    }
    values |= {f"steering/{name}": value for name, value in watch.report.figures.items()}
    return {name: value for name, value in values.items() if math.isfinite(value)}

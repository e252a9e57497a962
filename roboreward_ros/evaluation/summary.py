# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""``summary.json``: the promised numbers of a run, one field each."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from roboreward_ros.errors import FormatError
from roboreward_ros.evaluation.success import (
    LABELS,
    NOT_LOOKING,
    Arm,
    ArmResult,
    paired_gain,
    strongest_baseline,
)
from roboreward_ros.files import write_atomic
from roboreward_ros.types import IdleAccount

FILE = "summary.json"
FORMAT = 1


@dataclass(frozen=True, slots=True)
class ArmSummary:
    """One arm of the held-out evaluation; rates in 0..1 with their 95 % Wilson interval."""

    success: float
    low: float
    high: float
    n: int
    mean_score: float

    @classmethod
    def of(cls, result: ArmResult) -> ArmSummary:
        rate = result.rate
        return cls(rate.value, rate.low, rate.high, result.n, result.mean_score)


@dataclass(frozen=True, slots=True)
class Gain:
    """Steered (stochastic) minus the better of w ~ N(0, I) and w = 0, over the same seeds."""

    over: str
    value: float
    low: float
    high: float

    @classmethod
    def of(cls, results: Sequence[ArmResult]) -> Gain:
        baseline = strongest_baseline(results)
        steered = next(result for result in results if result.arm is Arm.STEERED)
        gain = paired_gain(steered, baseline)
        return cls(str(baseline.arm), gain.value, gain.low, gain.high)


@dataclass(frozen=True, slots=True)
class RunSummary:
    """What a run did and achieved; rates are None where nothing measured them.

    Attributes:
        task: the sentence.
        seed: of the run.
        episodes: committed training episodes.
        env_steps: control steps of these.
        base_success: w ~ N(0, I), held-out seeds, the twin's truth; so the next four.
        zero_noise_success: w = 0.
        actor_step0_success: the untrained actor.
        final_success: steered, stochastic: the headline.
        final_success_deterministic: steered, the actor's mean.
        success_n: held-out episodes of each of these.
        reward_source: which scored the training episodes.
        reward_mae: mean |score - the twin's rubric score| over labelled episodes.
        labelled: training episodes with a score; labelled + unlabelled = episodes.
        unlabelled: those without.
        abstained: unlabelled because the source declined.
        errors: unlabelled because the source failed or never answered.
        grad_steps: updates of the learner.
        wall_s: seconds of the whole demo, earlier parts of a resumed one included.
        idle: where the session's time went, s.
        policy_version: of the final actor.
        git: commit of the checkout, "" where there is none.
        versions: of the main dependencies.
        arms: every evaluated arm by its key.
        gain: over the better baseline; None without evaluation.
        reward_coverage: share of the episodes that the source was asked about and scored.
        reward_mae_with_abstained: as ``reward_mae`` of the source's own scores, with the answers
            that it would have given where it declined.
        abstain_rate: true score 1..5 -> share of these episodes that the source declined.
    """

    task: str
    seed: int
    episodes: int
    env_steps: int
    base_success: float | None
    zero_noise_success: float | None
    actor_step0_success: float | None
    final_success: float | None
    final_success_deterministic: float | None
    success_n: int
    reward_source: str
    reward_mae: float | None
    labelled: int
    unlabelled: int
    abstained: int
    errors: int
    grad_steps: int
    wall_s: float
    idle: IdleAccount
    policy_version: int
    git: str
    versions: Mapping[str, str]
    arms: Mapping[str, ArmSummary] = field(default_factory=dict)
    gain: Gain | None = None
    reward_coverage: float | None = None
    reward_mae_with_abstained: float | None = None
    abstain_rate: Mapping[str, float] = field(default_factory=dict)

    def without_looking(self) -> str:
        """The gain over the best noise that does not look at the scene, in words.

        A gain over drawn noise alone counts what one good constant reaches as learning. Empty
        without evaluation.
        """
        found = [(self.arms[arm].success, LABELS[arm]) for arm in NOT_LOOKING if arm in self.arms]
        if not found or self.final_success is None:
            return ""
        rate, label = max(found)
        gain = f"{100 * (self.final_success - rate):+.0f}"
        return f"{gain} over the best noise that does not look ({label}, {100 * rate:.0f} %)"

    def to_json(self) -> str:
        """Standard json: a number that is not finite becomes null."""
        content = {"format": FORMAT, **_finite(dataclasses.asdict(self))}
        return json.dumps(content, indent=2, allow_nan=False) + "\n"


def _finite(values: Mapping[str, object]) -> dict[str, object]:
    def clean(value: object) -> object:
        if isinstance(value, float) and not math.isfinite(value):
            return None
        return _finite(value) if isinstance(value, Mapping) else value

    return {name: clean(value) for name, value in values.items()}


def write_summary(run_dir: Path, summary: RunSummary) -> Path:
    """Write ``summary.json`` atomically; returns its path."""
    path = run_dir / FILE
    write_atomic(path, summary.to_json())
    return path


def read_summary(run_dir: Path) -> RunSummary:
    """Read what :func:`write_summary` wrote.

    Raises:
        FormatError: missing, damaged or of another format.
    """
    path = run_dir / FILE
    try:
        content = json.loads(path.read_text())
        number = content.pop("format")
        if number != FORMAT:
            raise FormatError(
                "summary.json has another format", got=f"{path}: {number}", allowed=str(FORMAT)
            )
        content["idle"] = IdleAccount(**content["idle"])
        content["arms"] = {key: ArmSummary(**arm) for key, arm in content["arms"].items()}
        content["gain"] = Gain(**content["gain"]) if content["gain"] is not None else None
        return RunSummary(**content)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FormatError(
            "summary.json cannot be read",
            got=f"{path}: {error}",
            next_step="Write it again with: roboreward report RUN.",
        ) from error


def arm_rates(results: Sequence[ArmResult]) -> dict[str, float | None]:
    """The five promised success rates by their keys in the summary."""
    there = {result.arm: result.rate.value for result in results if result.trials}
    keys = {
        "base_success": Arm.BASE,
        "zero_noise_success": Arm.ZERO,
        "actor_step0_success": Arm.UNTRAINED,
        "final_success": Arm.STEERED,
        "final_success_deterministic": Arm.DETERMINISTIC,
    }
    return {key: there.get(arm) for key, arm in keys.items()}

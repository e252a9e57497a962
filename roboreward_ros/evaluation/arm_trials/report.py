# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a comparison found, once the arms are known: rates with intervals, and the pairs."""

from __future__ import annotations

from dataclasses import dataclass

from roboreward_ros.episodes.codec import JsonObject, JsonValue
from roboreward_ros.errors import SessionError
from roboreward_ros.evaluation.arm_trials.book import TrialBook
from roboreward_ros.evaluation.arm_trials.plan import ARMS
from roboreward_ros.evaluation.intervals import Interval, paired_bootstrap, wilson
from roboreward_ros.evaluation.success import LABELS, Arm


@dataclass(frozen=True, slots=True)
class ArmRate:
    """Successes of an arm with their 95 % Wilson interval, and why episodes did not count."""

    arm: Arm
    n: int
    successes: int
    rate: Interval
    voids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TrialReport:
    """The result.

    Attributes:
        task: the sentence.
        rates: base, then steered.
        pairs: of the scenes where both were judged: both succeed, only base, only steered, none.
        gain: steered minus base over those, with a paired bootstrap; None without pairs.
        judges: names.
        complete: every trial was judged before the arms became known.
    """

    task: str
    rates: tuple[ArmRate, ...]
    pairs: tuple[int, int, int, int]
    gain: Interval | None
    judges: tuple[str, ...]
    complete: bool


def make_report(book: TrialBook) -> TrialReport:
    """Unblind a comparison: reads the assignment.

    Raises:
        SessionError: judgements are still to come and nobody has unblinded it.
    """
    if not (book.complete or book.unblinded):
        raise SessionError(
            "the comparison is not complete, so the arms stay hidden",
            got=f"{book.judged} of {len(book.plan.trials)} trials judged",
            next_step="Go on, or unblind it now (--unblind), which ends it.",
        )
    rates, by_pair = [], {arm: dict[int, bool]() for arm in ARMS}
    judges: set[str] = set()
    for arm in ARMS:
        voids: list[str] = []
        for trial in book.plan.trials:
            if trial.arm is not arm:
                continue
            record = book.record(trial)
            voids += record.voids
            if record.success is not None:
                by_pair[arm][(trial.number - 1) // len(ARMS)] = record.success
                judges.add(record.judge)
        n, successes = len(by_pair[arm]), sum(by_pair[arm].values())
        rates.append(ArmRate(arm, n, successes, wilson(successes, n), tuple(voids)))
    base, steered = (by_pair[arm] for arm in ARMS)
    both = sorted(set(base) & set(steered))
    pairs = [(base[pair], steered[pair]) for pair in both]
    counted = tuple(pairs.count(kind) for kind in _KINDS)
    gain = paired_bootstrap([steered[k] for k in both], [base[k] for k in both]) if both else None
    return TrialReport(
        book.plan.task,
        tuple(rates),
        (counted[0], counted[1], counted[2], counted[3]),
        gain,
        tuple(sorted(judges)),
        book.complete,
    )


_KINDS = ((True, True), (True, False), (False, True), (False, False))


def report_json(report: TrialReport) -> JsonObject:
    """The report as JSON."""
    arms: JsonObject = {
        rate.arm.value: {
            "n": rate.n,
            "successes": rate.successes,
            "rate": rate.rate.value,
            "low": rate.rate.low,
            "high": rate.rate.high,
            "voids": list[JsonValue](rate.voids),
        }
        for rate in report.rates
    }
    gain = report.gain
    return {
        "task": report.task,
        "arms": arms,
        "pairs": dict(
            zip(("both", "only_base", "only_steered", "none"), report.pairs, strict=True)
        ),
        "gain": None if gain is None else [gain.value, gain.low, gain.high],
        "judges": list[JsonValue](report.judges),
        "complete": report.complete,
    }


def report_lines(report: TrialReport) -> list[str]:
    """The report for people."""
    lines = [f"{report.task}"]
    for rate in report.rates:
        between = f"{100 * rate.rate.low:.0f}-{100 * rate.rate.high:.0f} %"
        value = f"{100 * rate.rate.value:.0f} %" if rate.n else "-"
        lines.append(
            f"  {LABELS[rate.arm]:<22}{rate.successes:>4} of {rate.n:<4}{value:>6}  "
            f"95 %: {between:<10}  void: {len(rate.voids)}"
        )
    both, base, steered, none = report.pairs
    lines.append(
        f"  scenes: both succeed {both}, only base {base}, only steered {steered}, none {none}"
    )
    if report.gain is not None:
        gain = report.gain
        lines.append(
            f"  steered - base: {100 * gain.value:+.0f} points, 95 %: "
            f"{100 * gain.low:+.0f} to {100 * gain.high:+.0f} (scenes resampled)"
        )
    if not report.complete:
        lines.append("  unblinded before all trials were judged")
    lines += [
        f"  void, {rate.arm.value}: {reason}" for rate in report.rates for reason in rate.voids
    ]
    return lines

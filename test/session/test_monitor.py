# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
import math

import numpy as np
import pytest

from roboreward_ros.errors import ConfigError
from roboreward_ros.session.monitor import (
    Judged,
    MonitorConfig,
    SteeringMonitor,
    drawn,
    noise_figures,
)
from roboreward_ros.types import Chunk, EpisodeMeta


def meta(index, canary=False):
    return EpisodeMeta(
        f"ep_{index:06d}", index, "t", index, 48, 5.0, "wx250s", "p", 4, 0, canary=canary
    )


def chunk(index, noise=0.0, start=0.0, step=1.0):
    actions = np.zeros((4, 7), np.float32)
    actions[:, 0] = start + step * np.arange(4)
    return Chunk(
        index, 4 * index, np.full((4, 7), noise, np.float32), np.zeros(3, np.float32), actions,
        1, True, 4,
    )  # fmt: skip


def monitor(**config):
    return SteeringMonitor(MonitorConfig(**config), seed=0, bound=5.0, values=(0.0, 1.0))


def feed(watch, steered_success, base_success, *, audited=True, count=120):
    for index in range(count):
        canary = index % 5 == 4
        success = base_success if canary else steered_success
        audit = success if audited else None
        watch.see(Judged(meta(index, canary), not canary, audit, success))


def test_steering_that_auditors_find_worse_falls_back_and_says_why():
    watch = monitor(audit_share=0.5)
    feed(watch, False, True)
    report = watch.report()
    assert report.fall_back
    assert "worse than the base policy" in report.message
    assert "audited" in report.message


def test_labels_of_the_source_alone_decide_nothing_and_are_named_as_such():
    watch = monitor()
    feed(watch, False, True, audited=False)
    report = watch.report()
    assert report.comparison.worse > 20
    assert not report.fall_back
    assert "decides nothing" in report.message


def test_a_fooled_source_cannot_hide_what_auditors_see():
    watch = monitor(audit_share=1.0)
    for index in range(60):
        canary = index % 5 == 4
        watch.see(Judged(meta(index, canary), not canary, audit=canary, claimed=not canary))
    assert watch.report().fall_back


def test_labels_that_nobody_drew_do_not_count():
    watch = monitor(audit_share=0.2)
    feed(watch, True, True)
    drawn_ones = sum(drawn(0, k, 0.2) for k in range(120) if k % 5 != 4)
    assert watch.report().comparison.steered_n == drawn_ones
    assert 0 < drawn_ones < 50


def test_audits_are_drawn_with_the_probability_that_is_asked_for():
    share = np.mean([drawn(3, k, 0.3) for k in range(4000)])
    assert share == pytest.approx(0.3, abs=0.03)


def test_the_episodes_to_audit_are_named_until_they_are_judged():
    watch = monitor(audit_share=1.0)
    watch.see(Judged(meta(0), True, None, True))
    watch.see(Judged(meta(1, canary=True), False, None, None))
    watch.see(Judged(meta(2), False, None, None))  # warm-up: neither arm
    assert watch.wanted() == ["ep_000000", "ep_000001"]
    watch.see(Judged(meta(0), True, False, True))
    assert watch.wanted() == ["ep_000001"]


def test_a_person_who_lets_steering_go_on_starts_anew():
    watch = monitor(audit_share=1.0)
    feed(watch, False, True)
    watch.since = 120
    assert not watch.report().fall_back
    assert watch.report().comparison.base_n == 0


def test_latents_at_their_bound_and_jumps_between_chunks_are_warned_of():
    watch = monitor(seam=5.0)
    watch.see(Judged(meta(0), True, None, None), [chunk(0, 5.0), chunk(1, 5.0, start=40.0)])
    warnings = " ".join(watch.report().warnings)
    assert "100% of the latents" in warnings
    assert "jumps between chunks" in warnings


def test_means_that_are_stuck_are_warned_of_though_no_latent_is_at_its_bound():
    watch = monitor()
    for index in range(4):
        watch.see(Judged(meta(index), True, None, None), [chunk(0, 1.9)], stuck=0.4)
    report = watch.report()
    assert report.figures == {"noise_saturation": 0.0, "mean_saturation": 0.4, "seam_jump": 0.0}
    assert "40% of the actor's means are stuck" in " ".join(report.warnings)


def test_an_episode_whose_actor_is_gone_says_nothing_of_its_means():
    watch = monitor()
    watch.see(Judged(meta(0), True, None, None), [chunk(0, 0.3)])
    watch.see(Judged(meta(1), True, None, None), [chunk(0, 0.3)], stuck=0.05)
    assert watch.report().figures["mean_saturation"] == 0.05
    assert watch.report().warnings == ()


def test_quiet_steering_has_no_warnings():
    watch = monitor()
    watch.see(Judged(meta(0), True, None, None), [chunk(0, 0.3), chunk(1, -0.2, start=4.0)])
    assert watch.report(q_mean=0.5).warnings == ()


@pytest.mark.parametrize(("q", "finite", "word"), [(1.5, True, "diverge"), (0.5, False, "finite")])
def test_diverging_numbers_are_warned_of(q, finite, word):
    assert word in " ".join(monitor().report(q_mean=q, finite=finite).warnings)


def test_figures_of_an_episode_without_decisions_are_unknown():
    assert math.isnan(noise_figures([], 4, 5.0).saturation)
    assert math.isnan(noise_figures([chunk(0)], 4, 5.0).seam)


def test_settings_out_of_range_are_refused_by_name():
    with pytest.raises(ConfigError, match="audit_share"):
        MonitorConfig(audit_share=0.0)

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the learner wants a person to know, in a real browser."""

import contextlib
import os
import signal

import pytest
import rclpy
from playwright.sync_api import expect
from rclpy.node import Node

from roboreward_ros import msg
from roboreward_ros.episodes.ledger import OPERATOR, Ledger
from roboreward_ros.ros.qos import LATCHED

pytestmark = [pytest.mark.ros, pytest.mark.slow]


@contextlib.contextmanager
def learner_double(stack):
    """Speaks in the learner's place, which is stopped meanwhile."""
    learner = stack.pid_of("learner_node")
    os.kill(learner, signal.SIGSTOP)
    context = rclpy.Context()
    rclpy.init(context=context, domain_id=stack.domain_id)
    node = Node("learner_double", context=context)
    try:
        yield node.create_publisher(msg.LearnerStatus, "learner", LATCHED)
    finally:
        node.destroy_node()
        context.try_shutdown()
        os.kill(learner, signal.SIGCONT)


def test_an_alarm_is_a_banner_and_an_audit_a_card_that_does_not_tell_the_score(viewer, stack):
    viewer.running()
    expect(viewer.at("health")).to_contain_text("session:")  # one word for all parts
    last = f"ep_{viewer.index():06d}"
    viewer.press("s")
    expect(viewer.at("labels")).to_contain_text(f"{last}: success")
    words = "weights are held back: <b>2</b> audited successes are none"
    keys = Ledger(stack.run_dir, "r", OPERATOR)
    audit = viewer.at("queue").locator("article[data-audit=true]")
    with learner_double(stack) as publisher:
        publisher.publish(msg.LearnerStatus(alarm=words, audits_wanted=[last]))
        expect(viewer.at("notice")).to_have_text(words)
        expect(audit.locator(".rr-task")).to_have_text(f"{last} · “open the drawer”")
        expect(audit.locator(".rr-soft")).to_have_text("an audit: did it succeed?")  # no score
        audit.get_by_role("button", name="Failure").click()
        viewer.until(lambda: keys.records()[-1].outcome.text == "f", "the answer in the ledger")
        assert keys.records()[-1].episode_id == last
        publisher.publish(msg.LearnerStatus())
        expect(viewer.at("notice")).to_be_hidden()
        expect(audit).to_have_count(0)
    viewer.running()

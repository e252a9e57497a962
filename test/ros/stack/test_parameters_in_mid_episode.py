# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Parameters that somebody sets while an episode runs: refused by name, or for the next episode."""

import dataclasses
import importlib

import pytest
import roboreward_ros.msg as msg
from rclpy.parameter import Parameter
from session_stack import Stack
from test_repository import NODES

from roboreward_ros.episodes.ledger import Ledger
from roboreward_ros.ros.lifecycle import HostNode
from roboreward_ros.ros.qos import EVENT
from roboreward_ros.testing import fake_rewards

pytestmark = pytest.mark.ros
RUNTIME = {"reward_node": {"source"}}
"""All that may change while a node runs; it takes effect at an episode's boundary."""
NEEDED = {"camera_node": {"device": "0"}, "player_node": {"recording": "runs/first"}}


def node_class(name):
    module = importlib.import_module(f"roboreward_ros.nodes.{name}")
    (found,) = [
        kind
        for kind in vars(module).values()
        if isinstance(kind, type)
        and issubclass(kind, HostNode)
        and kind.__module__ == module.__name__
    ]
    return found


def another(value):
    """A value of the same type."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    return f"{value}x" if isinstance(value, str) else [*value, *value]


def changed(node):
    """Names of the parameters that take another value; those that do not must say why."""
    taken = set()
    for name, value in dataclasses.asdict(node.config).items():
        (answer,) = node.set_parameters([Parameter(name, value=another(value))])
        if answer.successful:
            taken.add(name)
        else:
            assert "read-only" in answer.reason or name in RUNTIME.get(node.get_name(), ())
    return taken


@pytest.mark.parametrize("name", NODES)
def test_what_a_node_was_started_with_stays(ros, name):
    node = ros.add(node_class(name)(context=ros.context, parameters=NEEDED.get(name, {})))
    before = node.config
    assert changed(node) <= RUNTIME.get(name, set())
    for field in dataclasses.fields(before):
        if field.name not in RUNTIME.get(name, ()):
            assert getattr(node.config, field.name) == getattr(before, field.name)


def test_in_mid_episode_nothing_changes_and_another_source_scores_from_an_episode_s_end_on(
    ros, tmp_path
):
    stack = Stack(ros, tmp_path).up()
    taken = {}
    source = fake_rewards.registry_name(fake_rewards.FakeSource)

    def disturb(state) -> None:
        if state.step != 4 or taken:
            return
        for node in (stack.session, stack.recorder, stack.reward, stack.learner):
            taken[node.get_name()] = changed(node)
        (answer,) = stack.reward.set_parameters([Parameter("source", value=source)])
        assert answer.successful

    ros.node().create_subscription(msg.RobotState, "state", disturb, EVENT)
    stack.start(episodes=2, wait_for_learner=False)
    ros.spin_until(lambda: stack.session.stop, "leaving")
    assert taken == {name: set() for name in taken}
    assert len(taken) == 4
    sources = [r.outcome.provenance.source for r in Ledger(stack.path).records()]
    assert sources[-1] == "FakeSource"
    assert len(sources) == len(stack.ids) == 2  # each scored once, by the one or the other

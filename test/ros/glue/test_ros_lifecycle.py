# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The base of all nodes: nothing half done, nothing shadowed, every failure said."""

import ast
import importlib
import inspect
from pathlib import Path

import pytest
from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.msg import State
from lifecycle_msgs.srv import GetState
from rclpy.lifecycle import LifecycleNode
from rclpy.parameter import Parameter
from std_msgs.msg import Empty

from roboreward_ros.errors import CameraError, CheckpointError, ConfigError
from roboreward_ros.ros import spin
from roboreward_ros.ros.diagnostics import Diagnostics, Health, Level
from roboreward_ros.ros.lifecycle import HostNode
from roboreward_ros.ros.params import HostConfig
from roboreward_ros.ros.qos import EVENT

NODES = sorted(p.stem for p in (Path(spin.__file__).parents[1] / "nodes").glob("*_node.py"))


class Fragile(HostNode[HostConfig]):
    """Fails where it is told to; counts its hooks."""

    def __init__(self, context, fails=""):
        super().__init__("fragile_node", HostConfig, context=context)
        self.fails = fails
        self.hooks = []

    def _note(self, hook):
        self.hooks.append(hook)
        if self.fails == hook:
            raise CameraError("no camera", got="nothing")

    def _setup(self):
        self.create_publisher(Empty, "out", EVENT)
        self.create_subscription(Empty, "in", lambda _: None, EVENT)
        self.create_timer(10.0, lambda: None)
        self._note("setup")

    def _start(self):
        self._note("start")

    def _stop(self, reason):
        self._note(f"stop: {reason}")

    def _teardown(self):
        self._note("teardown")


def entities(node):
    return [len(list(kind)) for kind in (node.publishers, node.subscriptions, node.timers)]


def test_a_failed_configure_leaves_nothing_and_can_be_repeated(ros):
    node = ros.add(Fragile(ros.context, "setup"))
    before = entities(node)
    assert not node.bring_up()
    assert entities(node) == before
    assert isinstance(node.failure, CameraError)
    assert node.hooks == ["setup", "teardown"]
    node.fails = ""
    assert node.bring_up()
    assert node.active
    assert node.failure is None
    assert entities(node) == [n + 1 for n in before]


def test_a_failed_activate_is_not_active(ros):
    node = ros.add(Fragile(ros.context, "start"))
    assert not node.bring_up()
    assert not node.active


def test_winding_down_stops_before_it_closes_and_only_once(ros):
    node = ros.add(Fragile(ros.context))
    before = entities(node)
    assert node.bring_up()
    node.wind_down("asked")
    node.wind_down("asked again")
    assert node.hooks[:4] == ["setup", "start", "stop: asked", "teardown"]
    assert "stop: asked again" not in node.hooks
    assert entities(node) == before


def test_a_failing_stop_still_closes(ros):
    node = ros.add(Fragile(ros.context, "stop: asked"))
    node.bring_up()
    node.wind_down("asked")
    assert node.hooks[-1] == "teardown"


def test_the_lifecycle_is_visible_to_standard_tools(ros):
    node = ros.add(Fragile(ros.context))
    client = ros.node().create_client(GetState, "fragile_node/get_state")
    assert ros.call(client, GetState.Request()).current_state.id == State.PRIMARY_STATE_UNCONFIGURED
    node.bring_up()
    assert ros.call(client, GetState.Request()).current_state.id == State.PRIMARY_STATE_ACTIVE
    node.trigger_deactivate()
    assert node.hooks[-1] == "stop: deactivated"
    node.trigger_cleanup()
    assert node.bring_up(), "a cleaned-up node can be configured again"


def test_posted_work_runs_in_the_executors_thread(ros):
    node = ros.add(Fragile(ros.context))
    done = []
    node.post(lambda: done.append(1))
    ros.spin_until(lambda: done)


@pytest.mark.parametrize(
    ("failure", "code"),
    [(ConfigError("x"), 2), (CheckpointError("x"), 2), (CameraError("x"), 1), (None, 1)],
)
def test_exit_codes_tell_whether_a_restart_can_help(failure, code):
    assert spin.exit_code_of(failure) == code


@pytest.mark.parametrize("name", NODES)
def test_a_node_shadows_nothing_of_rclpy(ros, name):
    """An attribute such as _parameters or _publishers would silently replace rclpy's own."""
    plain = ros.add(LifecycleNode("plain", context=ros.context))
    theirs = set(vars(plain)) | set(dir(plain))
    module = importlib.import_module(f"roboreward_ros.nodes.{name}")
    ours = set()
    for source in (inspect.getsource(module), inspect.getsource(HostNode)):
        for tree in ast.walk(ast.parse(source)):
            if not isinstance(tree, ast.ClassDef):
                continue
            if not any("Node" in ast.unparse(base) for base in tree.bases):
                continue
            ours |= {n.name for n in tree.body if isinstance(n, ast.FunctionDef)}
            ours |= {
                n.attr
                for n in ast.walk(tree)
                if isinstance(n, ast.Attribute)
                and isinstance(n.ctx, ast.Store)
                and ast.unparse(n.value) == "self"
            }
    meant = {"__init__", "on_configure", "on_activate", "on_deactivate", "on_cleanup"}
    assert ours & theirs <= meant | {"on_shutdown", "on_error", "create_timer"}


def test_diagnostics_go_on_whatever_is_done_to_the_time_of_ros(ros):
    """As under a wall clock that is set back: ROS time stands still here."""
    node = ros.add(Fragile(ros.context))
    Diagnostics(node, {"part": lambda: Health(Level.OK, "well")})
    heard = []
    ros.node().create_subscription(DiagnosticArray, "/diagnostics", heard.append, EVENT)
    (result,) = node.set_parameters([Parameter("use_sim_time", value=True)])
    assert result.successful
    assert node.get_clock().now().nanoseconds == 0
    ros.spin_until(lambda: heard, "a diagnosis")

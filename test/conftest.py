# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One ROS domain per test session on the loopback profile, one rclpy context per test.

The environment is set before rclpy or the messages are imported, because that is when it is read.
"""

import gc
import os
import random
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

# The same examples each time, however slow the machine: a run fails because of a change, not of
# chance. New ones are looked for by hand: pytest --hypothesis-profile=new.
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("new", PATIENT)
settings.register_profile("same", PATIENT, derandomize=True)
settings.load_profile("same")

os.environ["ROBOREWARD_DDS"] = "loopback"
os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "SYSTEM_DEFAULT"
os.environ["ROS_PYTHON_CHECK_FIELDS"] = "1"
for _name in ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE"):
    os.environ.pop(_name, None)

from roboreward_ros.ros import dds  # noqa: E402

dds.prepare()

if TYPE_CHECKING:
    import rclpy
    from rclpy.executors import SingleThreadedExecutor
    from rclpy.node import Node

DEADLINE_S = 150.0
"""Bound of every wait, for a machine that is starved; on a quiet one none takes a tenth of it."""


@pytest.fixture(scope="session")
def ros_domain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A domain that no other test session on this machine uses; child processes inherit it."""
    from domain_coordinator import domain_id

    os.environ.setdefault("ROS_LOG_DIR", str(tmp_path_factory.mktemp("roslog")))
    tries = iter(random.sample(range(1, 101), 100))
    with domain_id(lambda: next(tries)) as domain:
        os.environ["ROS_DOMAIN_ID"] = str(domain)
        yield int(domain)


@dataclass
class Ros:
    """An rclpy context with one executor, spun by ``spin_until`` or in the background."""

    context: "rclpy.Context"
    executor: "SingleThreadedExecutor"
    nodes: list["Node"] = field(default_factory=list)

    def add(self, node: "Node") -> "Node":
        """Spin ``node`` with the others; it is destroyed at the end of the test."""
        self.executor.add_node(node)
        self.nodes.append(node)
        return node

    def node(self, name: str = "test_client", namespace: str = "") -> "Node":
        """A plain node for publishers, subscriptions and clients of the test."""
        from rclpy.node import Node

        return self.add(Node(name, context=self.context, namespace=namespace))

    def spin_until(
        self, condition: Callable[[], object], what: str = "", deadline_s: float = DEADLINE_S
    ) -> None:
        """Spin until ``condition`` is true; fails the test at the deadline."""
        from roboreward_ros.clock import SystemClock

        clock = SystemClock()
        end_ns = clock.steady_ns() + round(deadline_s * 1e9)
        while not condition():
            if clock.steady_ns() > end_ns:
                pytest.fail(f"not within {deadline_s:g} s: {what or condition}")
            self.executor.spin_once(timeout_sec=0.02)

    def spin_future(self, future: object, what: str = "") -> object:
        """Spin until a future of rclpy is done; returns its result."""
        self.spin_until(future.done, what or "future")
        return future.result()

    def connected(self, *entities: object) -> None:
        """Spin until each publisher, subscription, client or action client has its other side."""

        def ready(entity: object) -> bool:
            for name in ("service_is_ready", "server_is_ready"):
                if hasattr(entity, name):
                    return bool(getattr(entity, name)())
            if hasattr(entity, "get_subscription_count"):
                return entity.get_subscription_count() > 0
            return entity.get_publisher_count() > 0

        self.spin_until(lambda: all(ready(entity) for entity in entities), "discovery")

    def call(self, client: object, request: object) -> object:
        """Call a service and spin until it answers."""
        self.connected(client)
        return self.spin_future(client.call_async(request), client.srv_name)

    def send(self, client: object, goal: object, feedback: Callable | None = None) -> object:
        """Send a goal and spin until it is accepted or refused; returns the goal handle."""
        self.connected(client)
        return self.spin_future(client.send_goal_async(goal, feedback_callback=feedback), "goal")

    def result(self, handle: object) -> object:
        """Spin until an accepted goal is over; the answer has ``status`` and ``result``."""
        return self.spin_future(handle.get_result_async(), "result")


@pytest.fixture
def ros(ros_domain: int) -> Iterator[Ros]:
    """See ``Ros``; all nodes are wound down and destroyed afterwards."""
    import rclpy
    from rclpy.executors import SingleThreadedExecutor

    context = rclpy.Context()
    rclpy.init(context=context, domain_id=ros_domain)
    world = Ros(context, SingleThreadedExecutor(context=context))
    yield world
    for node in world.nodes:
        if hasattr(node, "wind_down"):
            node.wind_down("end of test")
    for _ in range(5):
        world.executor.spin_once(timeout_sec=0.0)
    world.executor.shutdown()
    for node in world.nodes:
        node.destroy_node()
    rclpy.shutdown(context=context)
    # A lifecycle node is a cycle of references that keeps its DDS participant alive.
    del world
    gc.collect()


@pytest.fixture(autouse=True)
def no_thread_is_left_behind() -> Iterator[None]:
    """A worker that outlives its node would make the process's exit abort."""
    before = set(threading.enumerate())
    yield
    left = [t for t in threading.enumerate() if t not in before and t.name.endswith("worker")]
    for thread in left:
        thread.join(DEADLINE_S)
    assert not [t.name for t in left if t.is_alive()]


@pytest.fixture
def node_environment(ros_domain: int, tmp_path: Path) -> dict[str, str]:
    """Environment for a node in a process of its own, in the test's domain."""
    return {**os.environ, "ROS_DOMAIN_ID": str(ros_domain), "ROS_LOG_DIR": str(tmp_path / "log")}

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The process's environment: profiles are set where the user has set none, and they work."""

import pytest
import rclpy
from rclpy.node import Node
from std_msgs.msg import Int64

from roboreward_ros.clock import SystemClock
from roboreward_ros.errors import ConfigError
from roboreward_ros.ros import dds
from roboreward_ros.ros.qos import EVENT

PARTICIPANTS = 10


def test_a_profile_is_named_by_the_environment():
    environment = {"ROBOREWARD_DDS": "loopback"}
    dds.prepare(environment=environment)
    assert environment["FASTRTPS_DEFAULT_PROFILES_FILE"].endswith("config/dds/loopback.xml")
    assert environment["ROS_AUTOMATIC_DISCOVERY_RANGE"] == "SYSTEM_DEFAULT"
    assert environment["OMP_NUM_THREADS"] == "1"


def test_real_cameras_are_the_default_and_other_machines_stay_reachable():
    environment = {}
    dds.prepare(environment=environment)
    assert environment["FASTRTPS_DEFAULT_PROFILES_FILE"].endswith("shm.xml")
    assert "ROS_AUTOMATIC_DISCOVERY_RANGE" not in environment


def test_what_the_user_set_stays():
    given = {
        "FASTDDS_DEFAULT_PROFILES_FILE": "/mine.xml",
        "OMP_NUM_THREADS": "3",
        "ROBOREWARD_DDS": "loopback",
    }
    environment = dict(given)
    dds.prepare(environment=environment)
    assert {name: environment[name] for name in given} == given
    assert "FASTRTPS_DEFAULT_PROFILES_FILE" not in environment


def test_none_leaves_the_middleware_alone():
    environment = {}
    dds.prepare("none", environment)
    assert not any("PROFILES" in name for name in environment)


def test_an_unknown_profile_is_refused_by_name():
    with pytest.raises(ConfigError, match="loopback, shm, none"):
        dds.prepare("udp", {})


def test_ten_processes_worth_of_participants_find_each_other_on_loopback(ros_domain):
    """Unicast discovery looks for the first participants only; the profile raises how many."""
    contexts = [rclpy.Context() for _ in range(PARTICIPANTS)]
    for context in contexts:
        rclpy.init(context=context, domain_id=ros_domain)
    nodes = [Node(f"peer_{k}", context=c) for k, c in enumerate(contexts)]
    publishers = [node.create_publisher(Int64, "peers", EVENT) for node in nodes]
    clock = SystemClock()
    end_ns = clock.steady_ns() + 60_000_000_000
    while any(node.count_publishers("peers") < PARTICIPANTS for node in nodes):
        seen = [node.count_publishers("peers") for node in nodes]
        assert clock.steady_ns() < end_ns, f"of {PARTICIPANTS} each saw {seen}"
        clock.sleep(0.02)
    assert len(publishers) == PARTICIPANTS
    for context, node in zip(contexts, nodes, strict=True):
        node.destroy_node()
        rclpy.shutdown(context=context)


def test_whole_camera_frames_arrive_without_loss(ros):
    from sensor_msgs.msg import Image

    heard = []
    reader = ros.node("reader")
    reader.create_subscription(Image, "frames", lambda m: heard.append(m.height), EVENT)
    publisher = ros.node("writer").create_publisher(Image, "frames", EVENT)
    ros.connected(publisher)
    for k in range(60):
        publisher.publish(Image(height=k, width=640, data=bytes(640 * 480 * 3)))
    ros.spin_until(lambda: len(heard) == 60)
    assert heard == list(range(60))

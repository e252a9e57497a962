# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A person's commands to the owner of the arm: ``teleop`` and ``teleop_gripper``.

Standard messages, so that any ROS teleoperation tool that publishes ``TwistStamped`` can take their
place. The owner of the arm obeys only while a person has the arm.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from geometry_msgs.msg import Twist, TwistStamped, Vector3
from std_msgs.msg import Float64

from roboreward_ros.ros.convert import BASE_FRAME, header
from roboreward_ros.ros.qos import EVENT, SENSOR
from roboreward_ros.types import FloatArray

if TYPE_CHECKING:
    from roboreward_ros.ros.lifecycle import HostNode


class RosHand:
    """Protocol ``console.hands.Hand`` over topics; callable from any thread.

    Args:
        node: makes the publishers.
    """

    def __init__(self, node: HostNode) -> None:  # type: ignore[type-arg]
        self._clock = node.clock
        self._twist = node.create_publisher(TwistStamped, "teleop", SENSOR)
        self._gripper = node.create_publisher(Float64, "teleop_gripper", EVENT)

    def move(self, velocity: FloatArray) -> None:
        x, y, z, roll, pitch, yaw = (float(value) for value in velocity)
        twist = Twist(linear=Vector3(x=x, y=y, z=z), angular=Vector3(x=roll, y=pitch, z=yaw))
        stamp = header(self._clock.now_ns(), BASE_FRAME)
        self._twist.publish(TwistStamped(header=stamp, twist=twist))

    def grip(self, opening: float) -> None:
        self._gripper.publish(Float64(data=float(opening)))

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The layout shows nothing that the graph does not have."""

import json
import re
from pathlib import Path

import pytest
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import TwistStamped
from sensor_msgs.msg import CompressedImage, JointState

from roboreward_ros import msg

LAYOUT = json.loads(
    (Path(__file__).parents[2] / "config" / "foxglove" / "session.json").read_text()
)
TOPICS = {
    "/session": msg.SessionState,
    "/learner": msg.LearnerStatus,
    "/reward": msg.Reward,
    "/joint_states": JointState,
    "/teleop": TwistStamped,
    "/image/compressed": CompressedImage,
    "/diagnostics": DiagnosticArray,
}


def strings(value):
    if isinstance(value, dict):
        return [text for item in value.values() for text in strings(item)]
    if isinstance(value, list):
        return [text for item in value for text in strings(item)]
    return [value] if isinstance(value, str) else []


def panels(node):
    return [node] if isinstance(node, str) else panels(node["first"]) + panels(node["second"])


PATHS = sorted({text for text in strings(LAYOUT["configById"]) if text.startswith("/")})


@pytest.mark.parametrize("path", PATHS)
def test_every_path_is_a_topic_and_a_field_of_it(path):
    topic, *fields = path.split(".")
    value = TOPICS[topic]()
    for field in fields:
        name = re.sub(r"\[\d+\]$", "", field)
        assert name in value.get_fields_and_field_types()
        value = getattr(value, name)


def test_every_panel_has_its_place_and_its_settings():
    assert sorted(panels(LAYOUT["layout"])) == sorted(LAYOUT["configById"])

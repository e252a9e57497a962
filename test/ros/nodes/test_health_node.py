# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The health of a session on one latched topic; a person is called by a real program."""

import sys

import pytest
import roboreward_ros.msg as msg
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus

from roboreward_ros.nodes.health_node import HealthNode
from roboreward_ros.ros.diagnostics import health_from_msg, health_to_msg
from roboreward_ros.ros.qos import EVENT, LATCHED
from roboreward_ros.session.health_log import read_health
from roboreward_ros.types import HealthLevel, HealthReason, HealthView

pytestmark = pytest.mark.ros
HOOK = "import os,sys; open(sys.argv[1], 'a').write(os.environ['ROBOREWARD_PAGE'] + chr(10))"


def part(name, level, message):
    return DiagnosticStatus(name=name, level=bytes([level]), message=message)


def test_a_view_crosses_the_wire_unchanged():
    reasons = (
        HealthReason("camera_node", "camera image", HealthLevel.ERROR, "gone", 12, "Look."),
        HealthReason("arm: odd", "link", HealthLevel.STALE, "silent", 0, ""),
    )
    view = HealthView(HealthLevel.ERROR, reasons[:1])
    assert health_from_msg(health_to_msg(view, 5)) == view
    assert health_from_msg(DiagnosticArray()) == HealthView()
    strange = DiagnosticArray(status=[part("health", 7, "?")])
    assert health_from_msg(strange).level is HealthLevel.STALE
    endless = health_to_msg(view, 5)
    endless.status[1].values[0].value = "9" * 5000
    assert health_from_msg(endless).reasons[0].since_ns == 0


def test_trouble_is_shown_logged_and_told_once_and_goes(ros, tmp_path):
    called = tmp_path / "called"
    values = {
        "run_dir": str(tmp_path),
        "rise_s": 0.0,
        "clear_s": 0.0,
        "silent_s": 3600.0,
        "page_every_s": 0.0,
        "page_command": f'{sys.executable} -c "{HOOK}" {called}',
    }
    node = ros.add(HealthNode(context=ros.context, parameters=values, namespace="/arm1"))
    assert node.bring_up(), node.failure
    client, views = ros.node(), []
    client.create_subscription(
        DiagnosticArray, "/arm1/health", lambda m: views.append(health_from_msg(m)), LATCHED
    )
    parts = client.create_publisher(DiagnosticArray, "/diagnostics", EVENT)
    session = client.create_publisher(msg.SessionState, "/arm1/session", LATCHED)
    ros.connected(parts, session)

    def say(level, message):
        statuses = [
            part("arm1/camera_node: camera image", level, message),
            part("arm2/camera_node: camera image", 2, "of another arm"),
            part("a stranger's", 2, "no part of ours"),
        ]
        parts.publish(DiagnosticArray(status=statuses))

    session.publish(msg.SessionState(phase="RUNNING", notice="weights are held back"))
    ros.spin_until(lambda: views and len(views[-1].reasons) == 1, "the first reason")
    say(2, "gone; `touch /x` $(id)")
    ros.spin_until(lambda: len(views[-1].reasons) == 2, "both reasons")
    assert {reason.name for reason in views[-1].reasons} == {
        "camera_node: camera image",
        "session_node: alarm",
    }
    ros.spin_until(lambda: called.exists() and "camera_node" in called.read_text(), "the call")
    say(0, "well")
    session.publish(msg.SessionState(phase="RUNNING"))
    ros.spin_until(lambda: views[-1].level is HealthLevel.OK, "health")
    node.wind_down("over")
    words = called.read_text()
    assert words.count("camera_node: camera image: gone; `touch /x` $(id).") == 1
    assert "weights are held back" in words
    assert "another arm" not in words
    assert [event.raised for event in read_health(tmp_path)].count(True) == 2


@pytest.mark.parametrize("wrong", [{"page_level": "panic"}, {"idle_s": -1.0}, {"rise_s": -2.0}])
def test_what_makes_no_sense_is_refused(ros, wrong):
    from roboreward_ros.errors import ConfigError

    with pytest.raises(ConfigError):
        HealthNode(context=ros.context, parameters=wrong)

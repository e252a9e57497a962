# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Messages to and from the values of ``roboreward_ros.types``; round trips are exact.

rclpy checks no types by default and publishes garbage for a float field that holds an int or a
float32: every assignment in this package converts explicitly.
"""

from roboreward_ros.ros.convert.episodes import (
    discard_to_event,
    recording_to_event,
    recording_to_meta,
    summary_to_recording,
)
from roboreward_ros.ros.convert.images import (
    CAMERA_FRAME,
    image_from_msg,
    image_to_compressed,
    image_to_msg,
)
from roboreward_ros.ros.convert.policy import Decision, decision_from_msg, decision_to_msg
from roboreward_ros.ros.convert.rewards import (
    live_to_msg,
    outcome_from_msg,
    record_from_msg,
    record_to_msg,
)
from roboreward_ros.ros.convert.robot import (
    BASE_FRAME,
    action_from_msg,
    action_to_msg,
    beat_from_msg,
    beat_to_msg,
    end_cause_from_code,
    end_cause_to_code,
    joints_to_msg,
    pose_to_msg,
    truth_from_msg,
    truth_to_msg,
)
from roboreward_ros.ros.convert.session import session_from_msg, session_to_msg
from roboreward_ros.ros.convert.stamps import header, stamp_from_msg, stamp_to_msg
from roboreward_ros.types import Beat, StepAction

__all__ = [
    "BASE_FRAME",
    "CAMERA_FRAME",
    "Beat",
    "Decision",
    "StepAction",
    "action_from_msg",
    "action_to_msg",
    "beat_from_msg",
    "beat_to_msg",
    "decision_from_msg",
    "decision_to_msg",
    "discard_to_event",
    "end_cause_from_code",
    "end_cause_to_code",
    "header",
    "image_from_msg",
    "image_to_compressed",
    "image_to_msg",
    "joints_to_msg",
    "live_to_msg",
    "outcome_from_msg",
    "pose_to_msg",
    "record_from_msg",
    "record_to_msg",
    "recording_to_event",
    "recording_to_meta",
    "session_from_msg",
    "session_to_msg",
    "stamp_from_msg",
    "stamp_to_msg",
    "summary_to_recording",
    "truth_from_msg",
    "truth_to_msg",
]

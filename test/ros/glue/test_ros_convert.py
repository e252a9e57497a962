# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Every round trip through a message, and through the wire's bytes, is exact."""

import math

import numpy as np
import pytest
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import Image

from roboreward_ros import msg
from roboreward_ros.errors import CameraError, ConfigError
from roboreward_ros.ros import convert
from roboreward_ros.types import (
    Abstain,
    AbstainReason,
    Beat,
    Chunk,
    EndCause,
    GroundTruth,
    LabelRecord,
    Provenance,
    RewardFailure,
    RobotState,
    Score,
    ScoreKind,
    ScoreScale,
    StepAction,
    StepFlag,
    StepReport,
)

SOURCE = Provenance(source="ground_truth")
STAMP_NS = 1_726_000_000_123_456_789


def over_the_wire(message):
    return deserialize_message(serialize_message(message), type(message))


def rng():
    return np.random.default_rng(5)


def random_state(generator):
    pose = np.eye(4)
    pose[:3] = generator.normal(size=(3, 4))
    proprio = generator.normal(size=7)
    return RobotState(
        stamp_ns=STAMP_NS,
        q=generator.normal(size=6),
        dq=generator.normal(size=6),
        effort=np.full(6, np.nan),
        gripper=float(proprio[6]),
        ee_pose=pose,
        proprio=proprio,
        temperature=np.append(generator.normal(size=6), np.nan),
    )


def assert_same(left, right):
    assert type(left) is type(right)
    for name in left.__slots__:
        one, other = getattr(left, name), getattr(right, name)
        if isinstance(one, np.ndarray):
            assert one.dtype == other.dtype
            np.testing.assert_array_equal(one, other)
        elif hasattr(one, "__slots__"):
            assert_same(one, other)
        else:
            assert one == other, name


@pytest.mark.parametrize("cause", [None, *EndCause])
def test_a_beat_survives_bit_for_bit(cause):
    generator = rng()
    state = random_state(generator)
    report = StepReport(
        action_raw=np.array([np.nan, *generator.normal(size=6)]),
        action_executed=generator.normal(size=7),
        target_pose=generator.normal(size=(4, 4)),
        q_command=generator.normal(size=6),
        flags=StepFlag.HOLD | StepFlag.LATE,
        state=state,
        ik_error_m=0.001,
        ik_error_rad=0.02,
        fault="elbow is at 67 °C",
    )
    beat = Beat("ep_000007", 12, state, report, cause)
    assert_same(convert.beat_from_msg(over_the_wire(convert.beat_to_msg(beat))), beat)


def test_a_first_beat_has_no_report():
    beat = Beat("ep_000007", 0, random_state(rng()))
    assert_same(convert.beat_from_msg(over_the_wire(convert.beat_to_msg(beat))), beat)


def test_an_action_survives_bit_for_bit():
    action = StepAction("ep_000001", 9, rng().normal(size=7), STAMP_NS, 2, 1, 4)
    assert_same(convert.action_from_msg(over_the_wire(convert.action_to_msg(action))), action)


def test_a_decision_survives_bit_for_bit():
    generator = rng()
    chunk = Chunk(
        index=3,
        step=12,
        noise=generator.normal(size=(6, 7)).astype(np.float32),
        features=generator.normal(size=40).astype(np.float32),
        actions=generator.normal(size=(6, 7)).astype(np.float32),
        policy_version=2,
        steered=True,
        latency_s=0.0123,
    )
    decision = convert.Decision("ep_000001", chunk, "a" * 64, 4, STAMP_NS)
    got = convert.decision_from_msg(over_the_wire(convert.decision_to_msg(decision)))
    assert_same(got, decision)


@pytest.mark.parametrize(
    "outcome",
    [
        Score(4.0, ScoreScale.RUBRIC, ScoreKind.NONE, SOURCE, latency_s=0.25),
        Score(
            0.5, ScoreScale.UNIT, ScoreKind.TOKENS, SOURCE,
            levels=(0.0, 1.0), probabilities=(0.5, 0.5), per_step=(0.1, 0.5),
        ),
        Abstain(AbstainReason.ENTROPY, SOURCE, "1.4 nats: too flat", (1.0, 5.0), (0.5, 0.5)),
        Abstain(AbstainReason.UNPARSABLE, SOURCE),
        RewardFailure("timed out: no answer in 30 s", SOURCE, 30.0),
    ],
)  # fmt: skip
def test_a_ledger_record_survives(outcome):
    record = LabelRecord(17, "ep_000002", outcome, STAMP_NS, shadow=True)
    message = over_the_wire(convert.record_to_msg(record))
    assert convert.record_from_msg(message) == record
    assert math.isnan(message.value) == (not isinstance(outcome, Score))


def test_a_reward_message_with_an_unknown_word_is_refused():
    good = convert.record_to_msg(
        LabelRecord(0, "e", Score(5.0, ScoreScale.RUBRIC, ScoreKind.NONE, SOURCE), 0)
    )
    for field, value in (("scale", "stars"), ("kind", "mood"), ("outcome", 9), ("value", 7.0)):
        bad = over_the_wire(good)
        setattr(bad, field, value)
        with pytest.raises(ConfigError):
            convert.outcome_from_msg(bad)


def test_truth_survives():
    truth = GroundTruth(0.75, False, 3, "grasped")
    message = over_the_wire(convert.truth_to_msg(truth, "ep_000000", 4, STAMP_NS))
    assert convert.truth_from_msg(message) == truth
    assert (message.episode_id, message.step) == ("ep_000000", 4)


def test_an_image_survives_and_is_not_padded():
    image = rng().integers(0, 256, (5, 7, 3), dtype=np.uint8)
    frame = convert.image_from_msg(over_the_wire(convert.image_to_msg(image, STAMP_NS)))
    np.testing.assert_array_equal(frame.image, image)
    assert frame.stamp_ns == STAMP_NS


def test_other_peoples_images_are_understood():
    image = rng().integers(0, 256, (4, 3, 3), dtype=np.uint8)
    padded = np.zeros((4, 12), dtype=np.uint8)
    padded[:, :9] = image[:, :, ::-1].reshape(4, 9)
    message = Image(height=4, width=3, step=12, encoding="bgr8", data=padded.tobytes())
    np.testing.assert_array_equal(convert.image_from_msg(message).image, image)


@pytest.mark.parametrize(
    ("message", "named"),
    [
        (Image(height=2, width=2, step=6, encoding="mono8", data=bytes(12)), "rgb8"),
        (Image(height=2, width=2, step=6, encoding="rgb8", data=bytes(11)), "11 bytes"),
        (Image(height=0, width=2, step=6, encoding="rgb8", data=b""), "0"),
        (Image(height=2, width=2, step=5, encoding="rgb8", data=bytes(10)), "step 5"),
    ],
)
def test_an_image_that_does_not_fit_is_refused(message, named):
    with pytest.raises(CameraError, match=named):
        convert.image_from_msg(message)


@pytest.mark.parametrize("image", [np.zeros((2, 2, 4), np.uint8), np.zeros((2, 2, 3))])
def test_only_rgb_bytes_are_published_as_an_image(image):
    with pytest.raises(CameraError, match="uint8"):
        convert.image_to_msg(image, 0)


def test_an_unknown_end_cause_is_refused():
    assert [convert.end_cause_to_code(c) for c in EndCause] == [
        msg.RobotState.END_TIME,
        msg.RobotState.END_OPERATOR,
        msg.RobotState.END_SOURCE,
        msg.RobotState.END_FAULT,
    ]
    with pytest.raises(ConfigError, match="7"):
        convert.end_cause_from_code(7)


def test_the_pose_is_a_unit_quaternion_for_every_rotation():
    from scipy.spatial.transform import Rotation

    for rotation in Rotation.random(50, rng=np.random.default_rng(1)):
        pose = np.eye(4)
        pose[:3, :3] = rotation.as_matrix()
        state = random_state(rng())
        message = convert.pose_to_msg(
            RobotState(0, state.q, state.dq, state.effort, 1.0, pose, state.proprio)
        )
        o = message.pose.orientation
        got = Rotation.from_quat([o.x, o.y, o.z, o.w])
        assert (got * rotation.inv()).magnitude() < 1e-9
        assert o.w >= 0

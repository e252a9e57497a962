# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from roboreward_ros.errors import ConfigError, RobotError, SafetyError
from roboreward_ros.robot.eef_control import BOX_TOLERANCE_M, ControlPlan, EefController
from roboreward_ros.robot.frames import proprio_from_pose, rotation_between
from roboreward_ros.robot.kinematics import POSITION_TOLERANCE
from roboreward_ros.robot.profile import load_profile
from roboreward_ros.types import FloatArray, RobotState, StepFlag

PROFILE = load_profile("wx250s")
ARM = PROFILE.kinematics()
START = PROFILE.start_q()
HZ = 5.0
CAP = PROFILE.velocity_limit / HZ


def measured(q: FloatArray, gripper: float = 1.0) -> RobotState:
    T = ARM.fk(q)
    return RobotState(0, q, np.zeros(6), np.zeros(6), gripper, T, proprio_from_pose(T, gripper))


def act(*delta: float, gripper: float = 1.0) -> FloatArray:
    action = np.zeros(7)
    action[: len(delta)] = delta
    action[6] = gripper
    return action


@pytest.fixture
def controller() -> EefController:
    controller = EefController(PROFILE, HZ)
    controller.latch(START, 1.0)
    return controller


def assert_within_limits(plan: ControlPlan, before: FloatArray) -> None:
    q = plan.q_command
    assert np.isfinite(q).all()
    assert ((q >= PROFILE.q_min) & (q <= PROFILE.q_max)).all()
    assert (np.abs(q - before) <= CAP + 1e-9).all()
    start, end = ARM.fk(before)[:3, 3], ARM.fk(q)[:3, 3]
    allowed = max(PROFILE.box.distance(start), BOX_TOLERANCE_M) + POSITION_TOLERANCE
    assert PROFILE.box.distance(end) <= allowed
    assert 0.0 <= plan.gripper_command <= 1.0
    assert np.isfinite(plan.action_executed).all()
    R = plan.target_pose[:3, :3]
    np.testing.assert_allclose(R @ R.T, np.eye(3), atol=1e-9)


joints = st.tuples(
    *(st.floats(low, high) for low, high in zip(PROFILE.q_min, PROFILE.q_max, strict=True))
).map(np.array)
actions = arrays(np.float64, 7, elements=st.floats(-1e6, 1e6) | st.floats(-0.1, 0.1))


@settings(max_examples=80)
@given(joints, st.lists(actions, min_size=1, max_size=3))
def test_no_command_exceeds_a_limit_from_any_state_and_action(
    q: FloatArray, asked: list[FloatArray]
) -> None:
    controller = EefController(PROFILE, HZ)
    controller.latch(q, 1.0)
    for action in asked:
        plan = controller.plan(action, measured(q))
        assert_within_limits(plan, q)
        q = plan.q_command


@settings(max_examples=80)
@given(joints, arrays(np.float64, 6, elements=st.floats(-0.6, 0.6)), actions)
def test_a_lagging_arm_is_never_sent_farther_than_one_step(
    q: FloatArray, lag: FloatArray, action: FloatArray
) -> None:
    controller = EefController(PROFILE, HZ)
    controller.latch(q, 1.0)
    real = np.clip(q + lag, PROFILE.q_min, PROFILE.q_max)
    plan = controller.plan(action, measured(real))
    # A relatched step counts from where the arm is, any other from the last command.
    near = {"last": np.abs(plan.q_command - q), "real": np.abs(plan.q_command - real)}
    assert any((distance <= CAP + 1e-9).all() for distance in near.values())
    assert ((plan.q_command >= PROFILE.q_min) & (plan.q_command <= PROFILE.q_max)).all()
    outside = [PROFILE.box.distance(ARM.fk(joints)[:3, 3]) for joints in (q, real, plan.q_command)]
    assert outside[2] <= max(*outside[:2], BOX_TOLERANCE_M) + POSITION_TOLERANCE
    if not plan.flags & StepFlag.RELATCHED:
        assert (near["last"] <= CAP + 1e-9).all()


def test_ten_thousand_random_steps_stay_within_the_speed_limit(controller: EefController) -> None:
    rng = np.random.default_rng(0)
    noise = np.array([0.02, 0.02, 0.02, 0.1, 0.1, 0.1, 0.3])
    q, clipped = START, 0
    for _ in range(10_000):
        state = measured(q)
        back = np.append(np.zeros(3), -0.3 * state.proprio[3:6])  # or it soon points anywhere
        action = noise * rng.normal(size=7) + np.append(back, 0.5)
        plan = controller.plan(action, state)
        assert (np.abs(plan.q_command - q) <= CAP + 1e-9).all()
        clipped += bool(plan.flags)
        q = plan.q_command
    assert 0 < clipped < 10_000


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_rolling_at_gripper_down_rolls(controller: EefController, axis: int) -> None:
    delta = np.zeros(6)
    delta[3 + axis] = 0.1
    plan = controller.plan(act(*delta), measured(START))
    before, after = ARM.fk(START), ARM.fk(plan.q_command)
    turned = rotation_between(before[:3, :3], after[:3, :3])
    np.testing.assert_allclose(turned, delta[3:], atol=2e-3)
    np.testing.assert_allclose(after[:3, 3], before[:3, 3], atol=5e-4)
    assert plan.flags == StepFlag.NONE


@pytest.mark.parametrize("pitch", [0.0, -0.4, -0.9])
def test_rolls_stay_rolls_however_the_gripper_is_pitched(pitch: float) -> None:
    controller = EefController(PROFILE, HZ)
    controller.latch(START, 1.0)
    q = START
    for _ in range(5):
        q = controller.plan(act(-0.02, 0, 0.02, 0, pitch / 5), measured(q)).q_command
    before = ARM.fk(q)
    after = ARM.fk(controller.plan(act(0, 0, 0, 0.1), measured(q)).q_command)
    turned = rotation_between(before[:3, :3], after[:3, :3])
    np.testing.assert_allclose(turned, [0.1, 0, 0], atol=5e-3)


def test_what_was_executed_is_what_moved(controller: EefController) -> None:
    asked = act(0.01, -0.02, 0.005, 0.05, -0.04, 0.1, gripper=0.3)
    plan = controller.plan(asked, measured(START))
    np.testing.assert_allclose(plan.action_executed, asked, atol=1e-9)
    assert plan.gripper_command == 0.3


def test_targets_are_anchored_on_the_last_target_not_on_the_lagging_arm(
    controller: EefController,
) -> None:
    first = controller.plan(act(0.02), measured(START)).target_pose
    second = controller.plan(act(0.02), measured(START)).target_pose  # has not moved yet
    assert second[0, 3] - first[0, 3] == pytest.approx(0.02)


def test_a_blocked_arm_does_not_wind_up(controller: EefController) -> None:
    flags = StepFlag.NONE
    for _ in range(20):
        plan = controller.plan(act(0, 0, -0.03), measured(START))
        flags |= plan.flags
        ahead = ARM.fk(START)[2, 3] - plan.target_pose[2, 3]
        assert ahead <= 0.05 + 0.03 + 1e-6
    assert flags & StepFlag.RELATCHED


def test_the_box_clips_and_zero_actions_outside_it_do_not_move() -> None:
    controller = EefController(PROFILE, HZ)
    low = PROFILE.sleep_q.copy()
    low[1] = 1.2  # gripper far outside the box
    assert PROFILE.box.distance(ARM.fk(low)[:3, 3]) > 0.05
    controller.latch(low, 1.0)
    plan = controller.plan(act(), measured(low))
    np.testing.assert_allclose(plan.q_command, low, atol=1e-3)


def test_the_box_stops_the_target_at_its_wall(controller: EefController) -> None:
    q, flags = START, StepFlag.NONE
    for _ in range(6):
        plan = controller.plan(act(0, 0.05), measured(q))
        flags, q = flags | plan.flags, plan.q_command
    assert flags & StepFlag.CLIPPED_BOX
    assert plan.target_pose[1, 3] == pytest.approx(PROFILE.box.high[1])
    assert plan.action_executed[1] == pytest.approx(0.0, abs=1e-3)


@pytest.mark.parametrize("bad", [act(np.nan), act(gripper=np.inf), np.zeros(6), np.zeros((7, 1))])
def test_a_bad_action_leaves_the_controller_as_it_was(
    controller: EefController, bad: FloatArray
) -> None:
    other = EefController(PROFILE, HZ)
    other.latch(START, 1.0)
    with pytest.raises(SafetyError):
        controller.plan(bad, measured(START))
    good = act(0.01, 0.02)
    np.testing.assert_array_equal(
        controller.plan(good, measured(START)).q_command,
        other.plan(good, measured(START)).q_command,
    )


def test_a_hold_commands_the_measured_joints_and_keeps_the_gripper(
    controller: EefController,
) -> None:
    controller.plan(act(0.02, gripper=0.2), measured(START))
    here = START + 0.02
    plan = controller.hold(measured(here, gripper=0.7))
    np.testing.assert_array_equal(plan.q_command, here)
    assert plan.gripper_command == 0.2
    assert plan.flags == StepFlag.HOLD
    np.testing.assert_array_equal(plan.action_executed[:6], 0.0)
    np.testing.assert_allclose(plan.target_pose, ARM.fk(here))


def test_a_hold_with_unreadable_joints_repeats_the_last_command(controller: EefController) -> None:
    sent = controller.plan(act(0.02), measured(START)).q_command
    broken = measured(START)
    lost = RobotState(0, np.full(6, np.nan), broken.dq, broken.effort, 1.0, broken.ee_pose,
                      broken.proprio)  # fmt: skip
    plan = controller.hold(lost)
    np.testing.assert_array_equal(plan.q_command, sent)
    assert plan.flags == StepFlag.HOLD | StepFlag.FAULT
    with pytest.raises(SafetyError, match="not finite"):
        controller.plan(act(), lost)


def test_plans_do_not_share_arrays_with_the_controller(controller: EefController) -> None:
    plan = controller.plan(act(), measured(START))
    plan.q_command[:] = 9.0
    plan.target_pose[:] = 9.0
    assert np.abs(controller.plan(act(), measured(START)).q_command - START).max() < 1e-3


def test_a_sticky_gripper_changes_over_after_n_actions_in_a_row() -> None:
    controller = EefController(PROFILE, HZ, sticky_gripper=2)
    controller.latch(START, 1.0)
    asked = [0.4, 0.6, 0.4, 0.3, 0.1, 0.9, 0.2, 0.8, 0.8]
    got = [controller.plan(act(gripper=g), measured(START)).gripper_command for g in asked]
    assert got == [1, 1, 1, 0, 0, 0, 0, 0, 1]


def test_nothing_moves_before_a_latch() -> None:
    controller = EefController(PROFILE, HZ)
    with pytest.raises(RobotError, match="reset"):
        controller.plan(act(), measured(START))
    with pytest.raises(RobotError, match="reset"):
        controller.hold(measured(START))


def test_joints_clearly_outside_their_limits_are_not_latched(controller: EefController) -> None:
    q = START.copy()
    q[1] = PROFILE.q_max[1] + 0.3
    with pytest.raises(RobotError, match="shoulder"):
        controller.latch(q, 1.0)
    with pytest.raises(RobotError, match="finite"):
        controller.latch(np.full(6, np.nan), 1.0)


def test_bad_rates_are_refused() -> None:
    with pytest.raises(ConfigError):
        EefController(PROFILE, 0.0)
    with pytest.raises(ConfigError):
        EefController(PROFILE, HZ, sticky_gripper=-1)

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How often and how fast the arm's inverse kinematics answers. Run: python bench/kinematics.py.

Reachable is decided by a closed form that shares nothing with the solver: the WX250S has a
spherical wrist, so waist, shoulder and elbow follow from the wrist's centre alone.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time

import numpy as np

from roboreward_ros.robot.eef_control import EefController
from roboreward_ros.robot.frames import pose_from_proprio, proprio_from_pose
from roboreward_ros.robot.profile import RobotProfile, load_profile
from roboreward_ros.types import FloatArray, RobotState, StepFlag

SHOULDER_Z, UPPER, OFFSET, FOREARM, HAND = 0.11065, 0.25, 0.04975, 0.25, 0.158575


def reachable(target: FloatArray, profile: RobotProfile) -> bool:
    """Whether any of the eight closed-form solutions lies within the joint limits."""
    centre = target[:3, 3] - HAND * target[:3, 0]
    facing = float(np.arctan2(centre[1], centre[0]))
    arm = profile.kinematics()
    upper, lean = float(np.hypot(UPPER, OFFSET)), float(np.arctan2(OFFSET, UPPER))
    for back, elbow_sign, flip in itertools.product((0, 1), (1, -1), (0, 1)):
        waist = (facing + back * np.pi + np.pi) % (2 * np.pi) - np.pi
        forward = float(np.hypot(centre[0], centre[1])) * (-1 if back else 1)
        up = float(centre[2]) - SHOULDER_Z
        cosine = (forward**2 + up**2 - upper**2 - FOREARM**2) / (2 * upper * FOREARM)
        if abs(cosine) > 1:
            continue
        bend = elbow_sign * float(np.arccos(cosine))  # of the forearm from the upper arm's line
        reach = np.arctan2(forward, up)
        first = reach - np.arctan2(FOREARM * np.sin(bend), upper + FOREARM * np.cos(bend))
        shoulder, elbow = first - lean, bend - np.pi / 2 + lean
        q = np.array([waist, shoulder, elbow, 0, 0, 0])
        rest = arm.fk(q)[:3, :3].T @ target[:3, :3]  # Rx(roll) Ry(angle) Rx(rotate)
        angle = float(np.arccos(np.clip(rest[0, 0], -1, 1))) * (-1 if flip else 1)
        sign = -1 if flip else 1
        q[3] = np.arctan2(sign * rest[1, 0], -sign * rest[2, 0])
        q[4] = angle
        q[5] = np.arctan2(sign * rest[0, 1], sign * rest[0, 2])
        if np.abs(arm.fk(q) - target).max() > 1e-6:
            continue
        if ((q >= profile.q_min) & (q <= profile.q_max)).all():
            return True
    return False


def poses(profile: RobotProfile, count: int) -> list[FloatArray]:
    """Gripper-down poses of the workspace box: roll, pitch +-0.3 rad, yaw +-1.57 rad."""
    rng = np.random.default_rng(0)
    states = np.zeros((count, 7))
    states[:, :3] = rng.uniform(profile.box.low, profile.box.high, (count, 3))
    states[:, 3:6] = rng.uniform([-0.3, -0.3, -1.57], [0.3, 0.3, 1.57], (count, 3))
    return [pose_from_proprio(state) for state in states]


def measured(profile: RobotProfile, q: FloatArray) -> RobotState:
    T = profile.kinematics().fk(q)
    return RobotState(0, q, np.zeros(6), np.zeros(6), 1.0, T, proprio_from_pose(T, 1.0))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--poses", type=int, default=1000)
    parser.add_argument("--steps", type=int, default=3000)
    options = parser.parse_args()
    profile = load_profile("wx250s")
    arm = profile.kinematics()
    start = profile.start_q()
    seeds = (profile.neutral_q, np.zeros(6), profile.sleep_q)
    possible = single = several = false = 0
    spent = []
    for target in poses(profile, options.poses):
        can = reachable(target, profile)
        begin = time.perf_counter()
        found = arm.ik(target, start, 40, seeds)
        spent.append(time.perf_counter() - begin)
        possible += can
        several += can and found.ok
        false += found.ok and not can
        single += can and arm.ik(target, start, 40).ok
    controller = EefController(profile, 5.0)
    controller.latch(start, 1.0)
    rng, q, flags, took = np.random.default_rng(1), start, [], []
    noise = np.array([0.01, 0.013, 0.013, 0.03, 0.03, 0.08, 0.4])  # BridgeData's spread
    for _ in range(options.steps):
        state = measured(profile, q)
        action = noise * rng.normal(size=7)
        action[3:6] -= 0.1 * state.proprio[3:6]
        begin = time.perf_counter()
        plan = controller.plan(action, state)
        took.append(time.perf_counter() - begin)
        flags.append(plan.flags)
        q = plan.q_command
    failed = sum(bool(flag & StepFlag.IK_FAILED) for flag in flags)
    print(
        json.dumps(
            {
                "poses": options.poses,
                "reachable": possible,
                "solved_of_reachable": round(several / possible, 4),
                "solved_from_one_seed": round(single / possible, 4),
                "solved_though_unreachable": false,
                "ms_pose_mean": round(1e3 * float(np.mean(spent)), 3),
                "ms_pose_p95": round(1e3 * float(np.percentile(spent, 95)), 3),
                "ms_control_step_median": round(1e3 * float(np.median(took)), 3),
                "ms_control_step_p95": round(1e3 * float(np.percentile(took, 95)), 3),
                "control_steps_without_solution": round(failed / len(flags), 4),
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The WX250S as MuJoCo bodies, built from the published link lengths and drawn with primitives.

Zero pose: upper arm up, forearm and gripper along +x; the site ``ee`` is ``ee_gripper_link``.
"""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np

from roboreward_ros.types import FloatArray

BLACK = (0.10, 0.10, 0.115, 1.0)
DARK = (0.17, 0.17, 0.185, 1.0)
STEEL = (0.62, 0.64, 0.67, 1.0)
PAD = (0.30, 0.31, 0.34, 1.0)

EE_OFFSET = 0.093575  # wrist_rotate to ee_gripper_link: .043 + .023 + .027575
FINGER_MIN, FINGER_MAX = 0.015, 0.037  # m, each finger from the middle
PAD_INSET = 0.013  # inner face of a pad, from its joint towards the middle
TIP = 0.018  # fingertips reach this far beyond the ee frame


@dataclass(frozen=True, slots=True)
class ArmJoint:
    """One hinge: name, offset of its body from the parent (m), axis, limits (rad), servo gain."""

    name: str
    offset: tuple[float, float, float]
    axis: tuple[float, float, float]
    limits: tuple[float, float]
    kp: float


ARM_JOINTS = (
    ArmJoint("waist", (0, 0, 0.072), (0, 0, 1), (-3.14158, 3.14158), 250),
    ArmJoint("shoulder", (0, 0, 0.03865), (0, 1, 0), (-1.88496, 1.98968), 250),
    ArmJoint("elbow", (0.04975, 0, 0.25), (0, 1, 0), (-2.14675, 1.60570), 250),
    ArmJoint("forearm_roll", (0.175, 0, 0), (1, 0, 0), (-3.14158, 3.14158), 120),
    ArmJoint("wrist_angle", (0.075, 0, 0), (0, 1, 0), (-1.74533, 2.14675), 120),
    ArmJoint("wrist_rotate", (0.065, 0, 0), (1, 0, 0), (-3.14158, 3.14158), 60),
)
JOINT_NAMES = tuple(joint.name for joint in ARM_JOINTS)
FINGER_NAMES = ("left_finger", "right_finger")
LINK_MASS = (0.481, 0.431, 0.235, 0.221, 0.085, 0.110)  # kg


def _shape(
    body: mujoco.MjsBody,
    kind: mujoco.mjtGeom,
    size: tuple[float, ...],
    pos: tuple[float, float, float],
    rgba: tuple[float, float, float, float],
    quat: tuple[float, float, float, float] = (1, 0, 0, 0),
) -> mujoco.MjsGeom:
    """A massless, non-colliding geom: looks only."""
    return body.add_geom(
        type=kind,
        size=[*size, *([0.0] * (3 - len(size)))],
        pos=pos,
        quat=quat,
        rgba=rgba,
        mass=0.0,
        contype=0,
        conaffinity=0,
        group=1,
        material="arm",
    )


_BOX = mujoco.mjtGeom.mjGEOM_BOX
_CYLINDER = mujoco.mjtGeom.mjGEOM_CYLINDER
_CAPSULE = mujoco.mjtGeom.mjGEOM_CAPSULE
_ALONG_Y = (0.70710678, 0.70710678, 0.0, 0.0)
_ALONG_X = (0.70710678, 0.0, 0.70710678, 0.0)


def _draw_links(bodies: dict[str, mujoco.MjsBody]) -> None:
    waist, shoulder, elbow = bodies["waist"], bodies["shoulder"], bodies["elbow"]
    _shape(waist, _CYLINDER, (0.042, 0.012), (0, 0, -0.004), DARK)
    for side in (-1, 1):
        _shape(waist, _BOX, (0.022, 0.006, 0.028), (0, side * 0.036, 0.030), BLACK)
    _shape(shoulder, _CYLINDER, (0.024, 0.034), (0, 0, 0), DARK, _ALONG_Y)
    for side in (-1, 1):
        _shape(shoulder, _BOX, (0.016, 0.005, 0.128), (0.0, side * 0.026, 0.125), BLACK)
    _shape(shoulder, _BOX, (0.012, 0.021, 0.05), (0, 0, 0.12), STEEL)
    _shape(shoulder, _BOX, (0.036, 0.025, 0.016), (0.024, 0, 0.25), BLACK)
    _shape(elbow, _CYLINDER, (0.020, 0.031), (0, 0, 0), DARK, _ALONG_Y)
    _shape(elbow, _BOX, (0.080, 0.018, 0.015), (0.088, 0, 0), BLACK)
    _shape(elbow, _BOX, (0.030, 0.0185, 0.0155), (0.085, 0, 0), STEEL)
    _shape(bodies["forearm_roll"], _CYLINDER, (0.018, 0.030), (0.026, 0, 0), DARK, _ALONG_X)
    _shape(bodies["wrist_angle"], _CYLINDER, (0.017, 0.026), (0, 0, 0), DARK, _ALONG_Y)
    _shape(bodies["wrist_angle"], _BOX, (0.026, 0.016, 0.014), (0.030, 0, 0), BLACK)


def _add_gripper(wrist: mujoco.MjsBody) -> None:
    _shape(wrist, _CYLINDER, (0.018, 0.012), (0.008, 0, 0), STEEL, _ALONG_X)
    palm = _shape(wrist, _BOX, (0.020, 0.040, 0.015), (0.036, 0, 0), BLACK)
    palm.contype, palm.conaffinity, palm.name = 1, 1, "palm"
    _shape(wrist, _BOX, (0.004, 0.052, 0.010), (0.058, 0, 0), DARK)
    wrist.add_site(name="ee", pos=(EE_OFFSET, 0, 0), size=[0.004, 0, 0], group=4)
    for name, side in zip(FINGER_NAMES, (1.0, -1.0), strict=True):
        finger = wrist.add_body(name=name, pos=(EE_OFFSET, 0, 0), gravcomp=1)
        finger.add_joint(
            name=name,
            type=mujoco.mjtJoint.mjJNT_SLIDE,
            axis=(0, side, 0),
            range=(FINGER_MIN - 0.001, FINGER_MAX + 0.001),
            limited=True,
            armature=0.02,
            damping=4.0,
        )
        thick = 0.006
        finger.add_geom(
            name=f"pad_{name}",
            type=_BOX,
            size=(0.024, thick, 0.011),
            pos=(TIP - 0.024, side * (thick - PAD_INSET), 0),
            rgba=PAD,
            mass=0.016,
            friction=(1.2, 0.02, 0.001),
            condim=4,
            material="arm",
        )
        # The bracket is drawn clear of the pads, so that the opening is easy to see.
        _shape(finger, _BOX, (0.012, 0.010, 0.009), (-0.028, side * -0.001, 0), BLACK)
        _shape(finger, _BOX, (0.0225, 0.003, 0.0085), (-0.006, side * 0.0015, 0), STEEL)


def add_arm(spec: mujoco.MjSpec) -> None:
    """Add base, six links, gripper and position servos to ``spec``; base frame = world frame."""
    base = spec.worldbody.add_body(name="base_link")
    _shape(base, _BOX, (0.075, 0.060, 0.010), (-0.02, 0, 0.010), BLACK)
    _shape(base, _CYLINDER, (0.045, 0.025), (0, 0, 0.045), DARK)
    parent, bodies = base, {}
    for joint, mass in zip(ARM_JOINTS, LINK_MASS, strict=True):
        parent = parent.add_body(name=joint.name, pos=joint.offset, gravcomp=1)
        parent.add_joint(
            name=joint.name,
            type=mujoco.mjtJoint.mjJNT_HINGE,
            axis=joint.axis,
            range=joint.limits,
            limited=True,
            armature=0.08,
            damping=2.0,
        )
        inertia = parent.add_geom(
            type=mujoco.mjtGeom.mjGEOM_SPHERE,
            size=[0.02, 0, 0],
            mass=mass,
            contype=0,
            conaffinity=0,
            group=5,
        )
        inertia.rgba = (0, 0, 0, 0)
        bodies[joint.name] = parent
    _draw_links(bodies)
    _add_gripper(bodies["wrist_rotate"])
    for joint in ARM_JOINTS:
        _servo(spec, joint.name, joint.kp, 2.0 * np.sqrt(joint.kp * 0.08), (-40.0, 40.0))
    for name in FINGER_NAMES:
        _servo(spec, name, 400.0, 8.0, (-8.0, 8.0))


def _servo(
    spec: mujoco.MjSpec, joint: str, kp: float, kv: float, force: tuple[float, float]
) -> None:
    actuator = spec.add_actuator(
        name=joint,
        target=joint,
        trntype=mujoco.mjtTrn.mjTRN_JOINT,
        forcelimited=True,
        forcerange=force,
    )
    actuator.set_to_position(kp=kp, kv=kv)


def forward_pose(model: mujoco.MjModel, data: mujoco.MjData) -> FloatArray:
    """Pose of the site ``ee`` in the base frame ``[4, 4]`` as last computed by MuJoCo."""
    site = model.site("ee").id
    pose = np.eye(4)
    pose[:3, :3] = data.site_xmat[site].reshape(3, 3)
    pose[:3, 3] = data.site_xpos[site]
    return pose

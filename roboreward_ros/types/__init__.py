# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Values that cross the borders between packages: frozen, slotted, checked where they are made.

Conventions (BridgeData V2): base frame with x forward, y left, z up, metres; an action is
``[dx, dy, dz (m), droll, dpitch, dyaw (rad, about base axes), gripper (absolute, 1 = open)]``;
proprioception is ``[x, y, z (m), roll, pitch, yaw (rad, from gripper-down), gripper (0..1)]``.
"""

from roboreward_ros.types.arrays import (
    ACTION_DIM,
    PROPRIO_DIM,
    RUBRIC_MAX,
    RUBRIC_MIN,
    Float32Array,
    FloatArray,
    ImageU8,
    require_shape,
)
from roboreward_ros.types.beat import Beat, StepAction
from roboreward_ros.types.console import (
    AskCard,
    LabelEvent,
    LearnerView,
    PartHealth,
    Rate,
    RewardPoint,
    RunFacts,
    ShadowAgreement,
)
from roboreward_ros.types.episode import (
    Chunk,
    EndCause,
    EpisodeMeta,
    EpisodeSummary,
    PolicySpec,
    closing_chunk,
    without_closing,
)
from roboreward_ros.types.health import HealthLevel, HealthReason, HealthView
from roboreward_ros.types.reward import (
    Abstain,
    AbstainReason,
    GroundTruth,
    LabelRecord,
    Provenance,
    RewardFailure,
    RewardOutcome,
    RewardRequest,
    RewardSpec,
    Score,
    ScoreKind,
    ScoreScale,
)
from roboreward_ros.types.robot import (
    MOTORS,
    Frame,
    Observation,
    RobotState,
    StepFlag,
    StepReport,
)
from roboreward_ros.types.session import (
    TEXT_LIMIT,
    IdleAccount,
    SessionView,
    VerbAnswer,
    VerbRequest,
)

__all__ = [
    "ACTION_DIM",
    "MOTORS",
    "PROPRIO_DIM",
    "RUBRIC_MAX",
    "RUBRIC_MIN",
    "TEXT_LIMIT",
    "Abstain",
    "AbstainReason",
    "AskCard",
    "Beat",
    "Chunk",
    "EndCause",
    "EpisodeMeta",
    "EpisodeSummary",
    "Float32Array",
    "FloatArray",
    "Frame",
    "GroundTruth",
    "HealthLevel",
    "HealthReason",
    "HealthView",
    "IdleAccount",
    "ImageU8",
    "LabelEvent",
    "LabelRecord",
    "LearnerView",
    "Observation",
    "PartHealth",
    "PolicySpec",
    "Provenance",
    "Rate",
    "RewardFailure",
    "RewardOutcome",
    "RewardPoint",
    "RewardRequest",
    "RewardSpec",
    "RobotState",
    "RunFacts",
    "Score",
    "ScoreKind",
    "ScoreScale",
    "SessionView",
    "ShadowAgreement",
    "StepAction",
    "StepFlag",
    "StepReport",
    "VerbAnswer",
    "VerbRequest",
    "closing_chunk",
    "require_shape",
    "without_closing",
]

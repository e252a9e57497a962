# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Values that cross the borders between packages: frozen, slotted, checked where they are made.

Conventions (BridgeData V2): base frame with x forward, y left, z up, metres; an action is
``[dx, dy, dz (m), droll, dpitch, dyaw (rad, about base axes), gripper (absolute, 1 = open)]``;
proprioception is ``[x, y, z (m), roll, pitch, yaw (rad, from gripper-down), gripper (0..1)]``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntFlag, StrEnum

import numpy as np
import numpy.typing as npt

from roboreward_ros.errors import ConfigError

ACTION_DIM = 7
PROPRIO_DIM = 7
RUBRIC_MIN, RUBRIC_MAX = 1, 5

ImageU8 = npt.NDArray[np.uint8]
FloatArray = npt.NDArray[np.float64]
Float32Array = npt.NDArray[np.float32]


def require_shape(name: str, array: npt.NDArray[np.generic], shape: tuple[int | None, ...]) -> None:
    """Raise ConfigError unless ``array`` has ``shape`` (None matches any length)."""
    fits = array.ndim == len(shape) and all(
        want is None or want == have for want, have in zip(shape, array.shape, strict=True)
    )
    if not fits:
        raise ConfigError(f"{name} has the wrong shape", got=array.shape, allowed=str(shape))


class EndCause(StrEnum):
    """Why an episode ended; it decides the bootstrap mask (see ``dsrl.shaping``)."""

    TIME = "time"
    OPERATOR = "operator"
    SOURCE = "source"  # the reward source said "done" k times in a row
    FAULT = "fault"


class StepFlag(IntFlag):
    """What happened to an action between the policy and the motors."""

    NONE = 0
    CLIPPED_DELTA = 1  # beyond the per-step bounds of the profile
    CLIPPED_BOX = 2  # target outside the workspace box
    IK_FAILED = 4  # no joint solution near the target
    DQ_CAPPED = 8  # joint step scaled down to the velocity limit
    RELATCHED = 16  # target set back to the measured pose (wind-up guard)
    HOLD = 32  # no action: measured joints commanded again
    LATE = 64  # the action came after its control period
    TAKEOVER = 128  # the operator's command replaced the policy's
    FAULT = 256


class ScoreScale(StrEnum):
    """Which numbers a score may take."""

    RUBRIC = "rubric_1_5"  # RoboReward: end state, 1 (no success) .. 5 (perfect)
    UNIT = "unit_0_1"  # progress or completion
    SIGN = "sign_-1_1"  # temporal contrast


class ScoreKind(StrEnum):
    """How a score was read off its model; entropy means something only where there are masses."""

    TOKENS = "tokens"
    SEQUENCES = "sequences"
    SAMPLES = "samples"
    NONE = "none"


class AbstainReason(StrEnum):
    """Why a source declined to score."""

    ENTROPY = "entropy"
    OFF_ANSWER_MASS = "off_answer_mass"
    DISAGREEMENT = "disagreement"
    UNPARSABLE = "unparsable"


_SCALE_BOUNDS: Mapping[ScoreScale, tuple[float, float]] = {
    ScoreScale.RUBRIC: (1.0, 5.0),
    ScoreScale.UNIT: (0.0, 1.0),
    ScoreScale.SIGN: (-1.0, 1.0),
}


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a score came from; stored with every ledger record.

    Attributes:
        source: registry name of the source.
        model: model id and revision, "" for sources without one.
        config_hash: sha256 of the source's full configuration (prompt, fps, frames, pixels).
        frames_hash: sha256 over the bytes that were looked at, "" where none were.
    """

    source: str
    model: str = ""
    config_hash: str = ""
    frames_hash: str = ""


@dataclass(frozen=True, slots=True)
class Score:
    """A reward that was really given.

    Attributes:
        value: the score in the units of ``scale``.
        scale: admissible range.
        kind: how it was read; ``NONE`` for humans and simulators.
        provenance: who gave it.
        levels: the answers that ``probabilities`` belongs to, ascending.
        probabilities: normalised masses of ``levels``; empty where there is no distribution.
        off_answer_mass: probability that the model gave to anything but an answer.
        latency_s: seconds from request to score (steady clock).
        text: raw output, where the model printed any.
        per_step: dense values ``[T]`` in the units of ``scale``; empty for episodic sources.

    Raises:
        ConfigError: value or masses not finite or out of range.
    """

    value: float
    scale: ScoreScale
    kind: ScoreKind
    provenance: Provenance
    levels: tuple[float, ...] = ()
    probabilities: tuple[float, ...] = ()
    off_answer_mass: float = 0.0
    latency_s: float = 0.0
    text: str = ""
    per_step: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        low, high = _SCALE_BOUNDS[self.scale]
        for value in (self.value, *self.per_step):
            if not (np.isfinite(value) and low <= value <= high):
                raise ConfigError(
                    f"score of source '{self.provenance.source}' is out of range",
                    got=float(value),
                    allowed=f"{low:g}..{high:g} ({self.scale})",
                )
        if len(self.levels) != len(self.probabilities):
            raise ConfigError(
                "levels and probabilities differ in length",
                got=f"{len(self.levels)} and {len(self.probabilities)}",
            )
        if self.probabilities and not (
            all(p >= 0 for p in self.probabilities) and abs(sum(self.probabilities) - 1) < 1e-3
        ):
            raise ConfigError("probabilities do not form a distribution", got=self.probabilities)


@dataclass(frozen=True, slots=True)
class Abstain:
    """The source looked and declined: the episode stays unlabelled and goes to the operator."""

    reason: AbstainReason
    provenance: Provenance
    detail: str = ""
    levels: tuple[float, ...] = ()
    probabilities: tuple[float, ...] = ()
    latency_s: float = 0.0
    text: str = ""


@dataclass(frozen=True, slots=True)
class RewardFailure:
    """The source could not answer (raised, hung, NaN, out of range): unlabelled, tried again."""

    message: str
    provenance: Provenance
    latency_s: float = 0.0


RewardOutcome = Score | Abstain | RewardFailure
"""Everything that asking for a reward can give; never a guess, never a default of 0."""


@dataclass(frozen=True, slots=True)
class GroundTruth:
    """The twin's own knowledge; only evaluation, ``ground_truth`` and ``human`` may read it.

    Attributes:
        progress: monotone task progress in [0, 1].
        success: the task's own test on the present state.
        score: rubric score 1..5 of the present state.
        stage: name of the furthest stage reached, for people.
    """

    progress: float
    success: bool
    score: int
    stage: str


@dataclass(frozen=True, slots=True)
class RobotState:
    """One measured state of the arm.

    Attributes:
        stamp_ns: acquisition time, ns since the epoch.
        q: measured arm joints ``[6]`` float64, rad.
        dq: joint velocities ``[6]``, rad/s.
        effort: joint efforts ``[6]``, mA on the arm; NaN where not measured.
        gripper: normalised opening, 0 closed .. 1 open.
        ee_pose: gripper frame in the base frame ``[4, 4]``.
        proprio: BridgeData state ``[7]`` (see the module's text).
    """

    stamp_ns: int
    q: FloatArray
    dq: FloatArray
    effort: FloatArray
    gripper: float
    ee_pose: FloatArray
    proprio: FloatArray

    def __post_init__(self) -> None:
        for name, shape in (("q", (6,)), ("dq", (6,)), ("effort", (6,)), ("ee_pose", (4, 4))):
            require_shape(f"RobotState.{name}", getattr(self, name), shape)
        require_shape("RobotState.proprio", self.proprio, (PROPRIO_DIM,))


@dataclass(frozen=True, slots=True)
class StepReport:
    """What one control period did.

    Attributes:
        action_raw: the action as asked ``[7]`` float64.
        action_executed: after all clipping ``[7]``; zero deltas for a hold.
        target_pose: commanded gripper pose in the base frame ``[4, 4]``.
        q_command: joints sent to the motors ``[6]``, rad.
        flags: what was changed on the way.
        state: measured state at the end of the period.
    """

    action_raw: FloatArray
    action_executed: FloatArray
    target_pose: FloatArray
    q_command: FloatArray
    flags: StepFlag
    state: RobotState


@dataclass(frozen=True, slots=True)
class Frame:
    """One camera image ``[H, W, 3]`` uint8 RGB with its acquisition stamp (ns, epoch)."""

    image: ImageU8
    stamp_ns: int
    camera: str = "image"

    def __post_init__(self) -> None:
        require_shape("Frame.image", self.image, (None, None, 3))
        if self.image.dtype != np.uint8:
            raise ConfigError(
                "Frame.image has the wrong dtype", got=self.image.dtype, allowed="uint8"
            )


@dataclass(frozen=True, slots=True)
class Observation:
    """What a policy sees at one step: image ``[H, W, 3]`` uint8 RGB and proprio ``[7]``."""

    step: int
    stamp_ns: int
    image: ImageU8
    proprio: FloatArray

    def __post_init__(self) -> None:
        require_shape("Observation.image", self.image, (None, None, 3))
        require_shape("Observation.proprio", self.proprio, (PROPRIO_DIM,))


@dataclass(frozen=True, slots=True)
class Chunk:
    """One decision of the policy.

    Attributes:
        index: number of the decision in its episode, from 0.
        step: control step at which its first action is executed.
        noise: latent the chunk was decoded from ``[P, 7]`` float32 (P: prediction horizon).
        features: frozen conditioning of the decision ``[F]`` float32.
        actions: decoded, unclipped, physical units ``[P, 7]`` float32.
        policy_version: version of the steering actor; 0 is the prior.
        steered: whether the actor chose the noise (False: drawn from N(0, I)).
        executed: how many of the actions ran; fewer than planned marks a cut chunk.
    """

    index: int
    step: int
    noise: Float32Array
    features: Float32Array
    actions: Float32Array
    policy_version: int
    steered: bool
    executed: int = 0

    def __post_init__(self) -> None:
        require_shape("Chunk.noise", self.noise, (None, ACTION_DIM))
        require_shape("Chunk.actions", self.actions, (None, ACTION_DIM))
        require_shape("Chunk.features", self.features, (None,))


@dataclass(frozen=True, slots=True)
class EpisodeMeta:
    """The header of a stored episode; json-serialisable field by field.

    Attributes:
        episode_id: unique name, ``ep_000042`` style, also the folder's name.
        index: number in the run, from 0.
        task: the sentence given to policy and reward.
        seed: seed of the scene's layout (twin) and of the policy's noise.
        max_steps: time limit in control steps.
        control_hz: control rate.
        robot: profile name.
        policy_id: sha256 of the frozen policy.
        chunk_size: executed actions per decision.
        created_ns: stamp of step 0, ns since the epoch.
        canary: run with plain prior noise for comparison.
    """

    episode_id: str
    index: int
    task: str
    seed: int
    max_steps: int
    control_hz: float
    robot: str
    policy_id: str
    chunk_size: int
    created_ns: int
    canary: bool = False


@dataclass(frozen=True, slots=True)
class EpisodeSummary:
    """How a committed episode ended."""

    meta: EpisodeMeta
    n_steps: int
    end_cause: EndCause
    complete: bool  # gap-free steps
    taint: tuple[str, ...] = ()  # faults, takeover, late actions; tainted episodes do not train
    discarded: bool = False
    policy_version: int = 0


@dataclass(frozen=True, slots=True)
class PolicySpec:
    """What a frozen policy needs and gives.

    Attributes:
        policy_id: sha256 of weights and configuration.
        prediction_horizon: P, actions decoded per decision; noise is ``[P, 7]``.
        chunk_size: C <= P, actions executed per decision.
        feature_dim: F, length of the frozen conditioning vector.
        image_size: side in pixels that ``encode`` resizes to.
        control_hz: rate that the policy was trained at.
        tasks: sentences it was trained on; empty accepts any.
    """

    policy_id: str
    prediction_horizon: int
    chunk_size: int
    feature_dim: int
    image_size: int
    control_hz: float
    tasks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RewardSpec:
    """What a reward source gives and needs.

    Attributes:
        name: registry name.
        scale: range of its scores.
        dense: gives ``per_step`` values, not only an episodic score.
        needs_truth: reads the twin's ground truth (never a VLM).
        needs_child_process: loads a model and therefore runs in a worker process.
        timeout_s: deadline for one score.
    """

    name: str
    scale: ScoreScale
    dense: bool = False
    needs_truth: bool = False
    needs_child_process: bool = False
    timeout_s: float = 30.0


@dataclass(frozen=True, slots=True)
class RewardRequest:
    """One episode to be scored, from stored bytes.

    Attributes:
        episode_id: which.
        task: the sentence.
        frames: JPEG bytes of every control step, oldest first, the true last frame included.
        stamps_ns: acquisition stamps of ``frames``.
        control_hz: nominal rate of ``frames``.
        truth: the twin's ground truth per step; None unless the source's spec asks for it.
        seed: for sources with a random part.
    """

    episode_id: str
    task: str
    frames: Sequence[bytes]
    stamps_ns: Sequence[int]
    control_hz: float
    truth: Sequence[GroundTruth] | None = None
    seed: int = 0


@dataclass(frozen=True, slots=True)
class LabelRecord:
    """One line of the reward ledger.

    Attributes:
        seq: position in the ledger, from 0, without gaps.
        episode_id: what it is about.
        outcome: score, abstention or failure.
        stamp_ns: when it was written, ns since the epoch.
        shadow: given by a candidate source; the default view ignores it.
        retracts: ``seq`` of an earlier record that this one takes back; -1 for none.
        operator: who pressed the key, "" for machines.
    """

    seq: int
    episode_id: str
    outcome: RewardOutcome
    stamp_ns: int
    shadow: bool = False
    retracts: int = -1
    operator: str = ""


@dataclass(frozen=True, slots=True)
class IdleAccount:
    """Seconds of a session by what the robot did or waited for."""

    motion_s: float = 0.0
    reset_s: float = 0.0
    reward_s: float = 0.0
    learner_s: float = 0.0
    operator_s: float = 0.0
    fault_s: float = 0.0

    def total_s(self) -> float:
        return (
            self.motion_s
            + self.reset_s
            + self.reward_s
            + self.learner_s
            + self.operator_s
            + self.fault_s
        )


@dataclass(frozen=True, slots=True)
class SessionView:
    """What every console sees; the session owns it.

    Attributes:
        phase: name of the state machine's state.
        message: one line for the operator: what is going on or what to do.
        allowed: verbs that are valid now.
    """

    phase: str
    message: str
    allowed: tuple[str, ...]
    task: str
    episode_id: str
    step: int
    committed: int
    labelled: int
    abstained: int
    errors: int
    idle: IdleAccount = field(default_factory=IdleAccount)

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The seams of the system. Each has a conformance suite in ``roboreward_ros.testing``.

Knows nothing about ROS, torch, MuJoCo or files.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from roboreward_ros.types import (
    AskCard,
    Chunk,
    EndCause,
    EpisodeMeta,
    EpisodeSummary,
    Float32Array,
    FloatArray,
    Frame,
    GroundTruth,
    ImageU8,
    LabelRecord,
    PolicySpec,
    RewardOutcome,
    RewardRequest,
    RewardSpec,
    RobotState,
    RunFacts,
    SessionView,
    StepReport,
    VerbAnswer,
    VerbRequest,
)


class Robot(Protocol):
    """An arm with a parallel gripper under BridgeData's action semantics.

    One thread calls it. Everything blocks for a bounded time; what cannot be done raises
    RobotError (or SafetyError) after a hold was commanded.
    """

    def connect(self) -> None:
        """Open the link, check the profile against the device, hold."""

    def reset(self, task: str, seed: int) -> RobotState:
        """Open the gripper, go to the start pose, latch the target there.

        The twin also lays out the scene of ``task`` from ``seed``; an arm ignores both.
        """

    def step(self, action: FloatArray) -> StepReport:
        """Execute one action ``[7]`` float64 for one control period and measure.

        Raises:
            SafetyError: the action is not finite or has the wrong shape; the arm holds.
        """

    def hold(self) -> StepReport:
        """Command the measured joints again; the gripper keeps its width."""

    def state(self) -> RobotState:
        """The newest measured state."""

    def close(self) -> None:
        """Hold, then drop the link; idempotent."""


class Camera(Protocol):
    """A source of RGB frames."""

    def open(self) -> None:
        """Start acquisition; raises CameraError with the device's name."""

    def read(self, timeout_s: float) -> Frame:
        """The newest frame; raises CameraError when none came within ``timeout_s``."""

    def close(self) -> None:
        """Stop acquisition; idempotent."""


class Policy(Protocol):
    """A frozen generative policy whose noise is an explicit input (DDIM eta=0 or a flow ODE).

    Deterministic: the same features and noise give bit-equal actions on one machine.
    """

    @property
    def spec(self) -> PolicySpec:
        """Sizes, rate and identity."""

    def encode(
        self, images: Sequence[ImageU8], proprio: FloatArray, tasks: Sequence[str]
    ) -> Float32Array:
        """Frozen conditioning ``[B, F]`` from images ``[H, W, 3]``, proprio ``[B, 7]``, sentences.

        A policy whose ``observation_steps`` n is above 1 takes histories, oldest first: images
        ``[n, H, W, 3]`` and proprio ``[B, n, 7]``; a single observation is an episode's first.

        Raises:
            CheckpointError: a task the policy was not trained on.
            ConfigError: wrong shapes.
        """

    def decode(self, features: Float32Array, noise: Float32Array) -> Float32Array:
        """Unclipped actions ``[B, P, 7]``, physical units; noise is ``[B, P, 7]``."""


class RewardSource(Protocol):
    """Looks at an episode and gives Score, Abstain or RewardFailure."""

    @property
    def spec(self) -> RewardSpec:
        """Name, scale and needs."""

    def warm_up(self) -> None:
        """Load weights and run once; raises RewardSourceError with the remedy."""

    def score(self, request: RewardRequest) -> RewardOutcome:
        """Score one episode. May raise; the caller turns that into RewardFailure."""

    def close(self) -> None:
        """Free what was loaded; idempotent."""


class EpisodeWriter(Protocol):
    """Receives one episode as it happens; nothing is visible to readers before ``commit``."""

    def add_observation(
        self, step: int, stamp_ns: int, jpeg: bytes, proprio: FloatArray, q: FloatArray
    ) -> None:
        """Observation of ``step`` (0..T); steps must come in order, without gaps."""

    def add_step(self, step: int, report: StepReport) -> None:
        """Outcome of the action taken at ``step`` (0..T-1)."""

    def add_chunk(self, chunk: Chunk) -> None:
        """One decision; ``executed`` is worked out from the steps at commit."""

    def add_truth(self, step: int, truth: GroundTruth) -> None:
        """Ground truth of the observation at ``step``; stored behind the wall."""

    def commit(self, end_cause: EndCause, taint: tuple[str, ...] = ()) -> str:
        """Sync and make visible by rename; returns the episode's uri."""

    def abort(self) -> None:
        """Drop everything; idempotent."""


class EpisodeReader(Protocol):
    """One committed episode. T steps have T + 1 observations."""

    @property
    def summary(self) -> EpisodeSummary:
        """Header and end."""

    def frames(self) -> Sequence[bytes]:
        """JPEG bytes ``[T + 1]``."""

    def stamps_ns(self) -> Sequence[int]:
        """Acquisition stamps ``[T + 1]``, ns since the epoch."""

    def proprio(self) -> FloatArray:
        """``[T + 1, 7]`` float64."""

    def actions(self) -> FloatArray:
        """Executed actions ``[T, 7]`` float64."""

    def flags(self) -> Sequence[int]:
        """StepFlag values ``[T]``."""

    def chunks(self) -> Sequence[Chunk]:
        """Decisions in order, with ``executed`` filled in; the last may be a closing one."""

    def truth(self) -> Sequence[GroundTruth]:
        """Ground truth ``[T + 1]``; empty on a real arm. For evaluation and truth sources only."""


class EpisodeStore(Protocol):
    """Episodes of one run on disk. One writer process (locked); any number of readers."""

    def create(self, meta: EpisodeMeta) -> EpisodeWriter:
        """Begin an episode; raises StoreError if its id exists."""

    def ids(self) -> Sequence[str]:
        """Ids of committed episodes, by index."""

    def open(self, episode_id: str) -> EpisodeReader:
        """Open a committed episode; raises FormatError when damaged."""

    def __iter__(self) -> Iterator[EpisodeReader]:
        """All committed episodes, by index."""


class Ledger(Protocol):
    """Append-only record of every label; one writer process, any number of readers."""

    def append(self, record: LabelRecord) -> LabelRecord:
        """Write and sync one record; returns it with its ``seq``."""

    def records(self, since: int = 0) -> Sequence[LabelRecord]:
        """All records from ``seq >= since`` on, those of other processes included."""


class SessionClient(Protocol):
    """What a console, a key board or a test may ask of the session."""

    def view(self) -> SessionView:
        """The session's present state."""

    def send(self, request: VerbRequest) -> VerbAnswer:
        """Ask for a verb; blocks for a bounded time, raises SessionError."""


class RunWatch(Protocol):
    """What a console may read of a run's stores; one thread asks."""

    def facts(self) -> RunFacts:
        """Everything that is drawn, up to date."""

    def audits(self, episode_ids: Sequence[str]) -> tuple[AskCard, ...]:
        """Cards of episodes that were drawn to be judged; unknown and discarded ones are left out.

        What the source said of them is not on the cards.
        """

    def frame(self, episode_id: str, index: int) -> bytes:
        """JPEG bytes of one stored picture; raises StoreError where there is none."""


class RewardDesk(Protocol):
    """What a console may ask of the process that scores; blocks for a bounded time."""

    def sources(self) -> tuple[str, ...]:
        """Names that can be chosen."""

    def set_source(self, source: str, *, shadow: bool = False) -> str:
        """Swap the source, or run one in its shadow ("" ends the shadow); returns what is in force.

        Raises:
            RewardSourceError: the old one stays, with the reason.
        """

    def promote_shadow(self) -> str:
        """Let the shadow take over; returns a line for the operator, raises as above."""

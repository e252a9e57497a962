# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From the journal's records to the arrays of a stored episode.

Arrays (T steps, T + 1 observations, K decisions; units as in ``roboreward_ros.types``)::

    stamps_ns [T+1] i8    proprio [T+1,7] f8       q [T+1,6] f8
    frames/data [N] u1    frames/offsets [T+2] i8  JPEG k is data[offsets[k]:offsets[k+1]]
    action_raw [T,7] f8   action_executed [T,7]    flags [T] i4
    target_pose [T,4,4]   q_command [T,6]          effort [T,6]   dq [T,6]
    temperature [T,7] f8  ik_error [T,2] f8        fault [T] i4   not in older episodes
    chunks/{step,policy_version,steered,executed} [K]
    chunks/{noise,actions} [K,P,7] f4              chunks/features [K,F] f4
    chunks/latency_s [K] f8                        NaN: not measured; not in older episodes
                                                   a last row of step T closes: nothing of it ran
    truth/{progress,success,score,stage} [T+1]     only from the twin; opened only by truth()

``fault`` is an index into its attribute ``texts``, whose first is the empty one: no fault.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from roboreward_ros.episodes.arrays import GroupWriter
from roboreward_ros.episodes.codec import Fields, from_text, meta_from_json
from roboreward_ros.episodes.journal import Kind, Record
from roboreward_ros.episodes.records import (
    ObservationRow,
    StepRow,
    unpack_chunk,
    unpack_observation,
    unpack_step,
    unpack_truth,
)
from roboreward_ros.errors import FormatError, StoreError
from roboreward_ros.types import (
    MOTORS,
    Chunk,
    EndCause,
    EpisodeMeta,
    EpisodeSummary,
    GroundTruth,
    StepFlag,
)

CUTTING = StepFlag.HOLD | StepFlag.LATE | StepFlag.TAKEOVER | StepFlag.FAULT
"""Flags of a step whose action was not the policy's: the chunk ends before it."""


@dataclass(slots=True)
class Recording:
    """Everything one journal says, in order."""

    meta: EpisodeMeta | None = None
    observations: list[ObservationRow] = field(default_factory=list)
    steps: list[StepRow] = field(default_factory=list)
    chunks: list[Chunk] = field(default_factory=list)
    truth: list[GroundTruth] = field(default_factory=list)
    end_cause: EndCause | None = None
    taint: tuple[str, ...] = ()
    gap: bool = False

    @classmethod
    def of(cls, records: Iterable[Record]) -> Recording:
        rec = cls()
        for number, record in enumerate(records):
            try:
                rec._take(record)
            except (ValueError, struct.error) as error:  # whole by its checksum, wrong inside
                raise FormatError(
                    f"record {number} of the journal is not what it says",
                    got=f"{record.kind.name}: {error}",
                ) from None
        return rec

    def _take(self, record: Record) -> None:
        payload = record.payload
        match record.kind:
            case Kind.META:
                where = "the journal's header"
                self.meta = meta_from_json(from_text(bytes(payload), where), where)
            case Kind.OBSERVATION:
                self.observations.append(unpack_observation(payload))
            case Kind.STEP:
                self.steps.append(unpack_step(payload))
            case Kind.CHUNK:
                self.chunks.append(unpack_chunk(payload))
            case Kind.TRUTH:
                self.truth.append(unpack_truth(payload)[1])
            case Kind.END:
                end = Fields(from_text(bytes(payload), "end"), "the journal's end")
                self.end_cause = end.enum("end_cause", EndCause)
                self.taint = end.texts("taint")
                self.gap = end.flag("gap")

    def n_steps(self) -> int:
        """Steps for which everything is there."""
        counts = [len(self.steps), len(self.observations) - 1]
        if self.truth:
            counts.append(len(self.truth) - 1)
        return min(counts)

    def summary(self) -> EpisodeSummary:
        """Raises StoreError when there is no observation or no end."""
        if self.meta is None or self.end_cause is None or not self.observations:
            raise StoreError(
                "an episode without a single observation cannot be committed",
                next_step="Abort it; check that images and states arrive.",
            )
        n_steps = self.n_steps()
        truth_whole = len(self.truth) in (0, n_steps + 1)
        whole = len(self.observations) == n_steps + 1 and len(self.steps) == n_steps
        return EpisodeSummary(
            meta=self.meta,
            n_steps=n_steps,
            end_cause=self.end_cause,
            complete=whole and truth_whole and not self.gap,
            taint=self.taint,
            policy_version=self.chunks[-1].policy_version if self.chunks else 0,
        )


def executed_counts(chunk_steps: Sequence[int], flags: Sequence[int], chunk_size: int) -> list[int]:
    """How many actions of each chunk ran before the next chunk, a cutting flag or the end."""
    counts = []
    for k, start in enumerate(chunk_steps):
        after = chunk_steps[k + 1] if k + 1 < len(chunk_steps) else len(flags)
        stop = min(start + chunk_size, after, len(flags))
        ran = 0
        while start + ran < stop and not flags[start + ran] & CUTTING:
            ran += 1
        counts.append(ran)
    return counts


def write_arrays(group: GroupWriter, rec: Recording) -> None:
    """All arrays of the module's text, cut to the steps for which everything is there."""
    n = rec.n_steps()
    observations = rec.observations[: n + 1]
    steps = rec.steps[:n]
    group.array("stamps_ns", np.array([o.stamp_ns for o in observations], dtype=np.int64))
    group.array("proprio", np.stack([o.proprio for o in observations]))
    group.array("q", np.stack([o.q for o in observations]))
    offsets = np.cumsum([0, *(len(o.jpeg) for o in observations)], dtype=np.int64)
    data = np.frombuffer(b"".join(o.jpeg for o in observations), dtype=np.uint8)
    group.array("frames/data", data)
    group.array("frames/offsets", offsets)
    group.array("flags", np.array([s.flags for s in steps], dtype=np.int32))
    for name, shape in (
        ("action_raw", (7,)),
        ("action_executed", (7,)),
        ("target_pose", (4, 4)),
        ("q_command", (6,)),
        ("effort", (6,)),
        ("dq", (6,)),
        ("temperature", (MOTORS,)),
        ("ik_error", (2,)),
    ):
        values = np.array([getattr(s, name) for s in steps], dtype=np.float64)
        group.array(name, values.reshape(n, *shape))
    _write_faults(group, [s.fault for s in steps], [s.fault for s in rec.steps[n:]])
    if rec.meta is not None:
        _write_chunks(group, rec, n, rec.meta.chunk_size)
    if rec.truth:
        _write_truth(group, rec.truth[: n + 1])


def _write_faults(group: GroupWriter, faults: list[str], cut: list[str]) -> None:
    """Faults of the kept steps; one of a step that lacks its picture goes to the last kept one."""
    if faults and not faults[-1]:
        faults[-1] = next(filter(None, cut), "")
    texts = list(dict.fromkeys(("", *faults)))
    indices = np.array([texts.index(fault) for fault in faults], dtype=np.int32)
    group.array("fault", indices, {"texts": list(texts)})


def _write_chunks(group: GroupWriter, rec: Recording, n_steps: int, chunk_size: int) -> None:
    chunks = [c for c in rec.chunks if c.step <= n_steps]
    flags = [s.flags for s in rec.steps[:n_steps]]
    executed = executed_counts([c.step for c in chunks], flags, chunk_size)
    group.array("chunks/step", np.array([c.step for c in chunks], dtype=np.int32))
    group.array("chunks/executed", np.array(executed, dtype=np.int32))
    versions = np.array([c.policy_version for c in chunks], dtype=np.int64)
    group.array("chunks/policy_version", versions)
    group.array("chunks/steered", np.array([c.steered for c in chunks], dtype=np.bool_))
    group.array("chunks/latency_s", np.array([c.latency_s for c in chunks], dtype=np.float64))
    if chunks:
        group.array("chunks/noise", np.stack([c.noise for c in chunks]))
        group.array("chunks/actions", np.stack([c.actions for c in chunks]))
        group.array("chunks/features", np.stack([c.features for c in chunks]))


def _write_truth(group: GroupWriter, truth: Sequence[GroundTruth]) -> None:
    names = sorted({t.stage for t in truth})
    group.array("truth/progress", np.array([t.progress for t in truth], dtype=np.float64))
    group.array("truth/success", np.array([t.success for t in truth], dtype=np.bool_))
    group.array("truth/score", np.array([t.score for t in truth], dtype=np.int8))
    stages = np.array([names.index(t.stage) for t in truth], dtype=np.int32)
    group.array("truth/stage", stages, {"names": list(names)})

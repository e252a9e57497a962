# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How long policy and reward took when it was recorded, and how long they are made to take."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path

from roboreward_ros.files import write_atomic
from roboreward_ros.rehearsal.faults import Fault, FaultKind
from roboreward_ros.rehearsal.recording import RecordedEpisode, Recording
from roboreward_ros.session.plan import episode_id

LATENCY_FILE = "rehearsal.latencies.json"
LONGEST_S = 600.0
"""A longer one is played as this."""


class Latencies(StrEnum):
    """Whose latencies a rehearsal has."""

    OWN = "own"  # those of this machine
    RECORDED = "recorded"  # no answer before it came in the recording


def bounded(seconds: float) -> float:
    """A latency that can be waited for; 0 for one that is not known."""
    return min(max(seconds, 0.0), LONGEST_S) if math.isfinite(seconds) else 0.0


def reward_latencies(
    recording: Recording, faults: Sequence[Fault], latencies: Latencies
) -> dict[str, float]:
    """Id of a rehearsed episode -> seconds that its reward takes at least; others: as it comes."""
    found = {}
    for place in range(len(recording.names)):
        least = [f.size for f in faults if f.fault is FaultKind.REWARD_LATE and f.episode == place]
        if latencies is Latencies.RECORDED:
            least.append(recording.episode(place).reward_s)
        if seconds := max(map(bounded, least), default=0.0):
            found[episode_id(place)] = seconds
    return found


def decision_latency(episode: RecordedEpisode, step: int) -> float:
    """Seconds after the state of a step before which its decision did not come."""
    return bounded(episode.decision_s.get(step, 0.0))


def write_latencies(run_dir: Path, seconds: Mapping[str, float]) -> Path:
    """Leave them for the reward source; returns the file."""
    path = run_dir / LATENCY_FILE
    write_atomic(path, json.dumps(dict(seconds), indent=1))
    return path


def coverage(recording: Recording) -> str:
    """What of it is known, for people."""
    episodes = [recording.episode(place) for place in range(len(recording.names))]
    decisions = sum(bool(episode.decision_s) for episode in episodes)
    rewards = sum(math.isfinite(episode.reward_s) for episode in episodes)
    return (
        f"recorded latencies: of decisions in {decisions} of {len(episodes)} episodes, "
        f"of rewards in {rewards}; what is not known takes as long as it takes here"
    )

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Announcements of what happened in the episode store."""

from __future__ import annotations

from roboreward_ros import msg
from roboreward_ros.action import RecordEpisode
from roboreward_ros.ros.convert.robot import end_cause_to_code
from roboreward_ros.ros.convert.stamps import header
from roboreward_ros.types import EpisodeMeta, EpisodeSummary


def recording_to_meta(
    goal: RecordEpisode.Goal,
    policy_id: str,
    chunk_size: int,
    created_ns: int,
    robot: str,
    control_hz: float,
) -> EpisodeMeta:
    """Header of the episode that a goal asks for."""
    return EpisodeMeta(
        episode_id=goal.episode_id,
        index=int(goal.index),
        task=goal.task,
        seed=int(goal.seed),
        max_steps=int(goal.max_steps),
        control_hz=control_hz,
        robot=robot,
        policy_id=policy_id,
        chunk_size=chunk_size,
        created_ns=created_ns,
        canary=bool(goal.canary),
    )


def recording_to_event(
    event: int, goal: RecordEpisode.Goal, result: RecordEpisode.Result, stamp_ns: int
) -> msg.EpisodeEvent:
    """What a recorder announces about its goal; ``result`` is empty while the episode runs."""
    return msg.EpisodeEvent(
        header=header(stamp_ns),
        episode_id=goal.episode_id,
        index=int(goal.index),
        task=goal.task,
        event=int(event),
        uri=result.uri,
        steps=int(result.steps),
        end_cause=int(result.end_cause),
        complete=bool(result.complete),
        taint=list(result.taint),
    )


def discard_to_event(summary: EpisodeSummary, uri: str, stamp_ns: int) -> msg.EpisodeEvent:
    """A committed episode was marked as discarded."""
    meta = summary.meta
    return msg.EpisodeEvent(
        header=header(stamp_ns),
        episode_id=meta.episode_id,
        index=int(meta.index),
        task=meta.task,
        event=msg.EpisodeEvent.DISCARDED,
        uri=uri,
        steps=int(summary.n_steps),
        end_cause=end_cause_to_code(summary.end_cause),
        complete=bool(summary.complete),
        taint=list(summary.taint),
        policy_version=int(summary.policy_version),
    )


def summary_to_recording(summary: EpisodeSummary, uri: str) -> RecordEpisode.Result:
    """What the recorder answers about a committed episode."""
    return RecordEpisode.Result(
        uri=uri,
        steps=int(summary.n_steps),
        complete=bool(summary.complete),
        taint=list(summary.taint),
        end_cause=end_cause_to_code(summary.end_cause),
    )

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Small recorded runs of an arm on its way, for rehearsals of them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from roboreward_ros.clock import FakeClock
from roboreward_ros.episodes.desk import OperatorDesk
from roboreward_ros.episodes.ledger import Ledger
from roboreward_ros.episodes.promoted import promote
from roboreward_ros.episodes.run import open_run
from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.robot.frames import proprio_from_pose
from roboreward_ros.robot.profile import load_profile
from roboreward_ros.testing.conformance_episode_store import make_chunk, make_meta
from roboreward_ros.testing.conformance_reward_source import jpeg
from roboreward_ros.types import (
    EndCause,
    LabelRecord,
    Provenance,
    RobotState,
    Score,
    ScoreKind,
    ScoreScale,
    StepFlag,
    StepReport,
)

STEPS = 6
PERIOD_NS = 200_000_000
TASK = "open the drawer"


def state(step: int, stamp_ns: int) -> RobotState:
    """Of an arm on its way."""
    profile = load_profile("wx250s")
    q = profile.start_q() + 0.01 * step
    pose = profile.kinematics().fk(q)
    return RobotState(
        stamp_ns=stamp_ns,
        q=q,
        dq=np.full(6, 0.05),
        effort=np.full(6, 10.0 + step),
        gripper=0.5,
        ee_pose=pose,
        proprio=proprio_from_pose(pose, 0.5),
    )


def report(step: int, flags: StepFlag, fault: str = "") -> StepReport:
    """Of the step before state ``step``."""
    after = state(step, step)
    return StepReport(
        action_raw=np.full(7, 0.001 * step),
        action_executed=np.full(7, 0.0005 * step),
        target_pose=after.ee_pose,
        q_command=after.q,
        flags=flags,
        state=after,
        fault=fault,
    )


def commit(
    store: EpisodeStore, index: int, cause: EndCause, size: int = 32, held: int = 2, **meta: str
) -> None:
    """Write one episode of ``STEPS`` steps.

    Args:
        store: open for writing.
        index: of the episode.
        cause: why it ended.
        size: height and width of its pictures, pixels.
        held: step for which no action came; -1 for none.
        meta: of the episode, over those of ``make_meta``.
    """
    writer = store.create(make_meta(index, seed=index, max_steps=STEPS, **meta))
    begin_ns = 10**18 + index * 10**10
    last = {
        EndCause.OPERATOR: (StepFlag.HOLD, ""),
        EndCause.FAULT: (StepFlag.HOLD | StepFlag.FAULT, "the link broke"),
        EndCause.TIME: (StepFlag.CLIPPED_DELTA, ""),
    }[cause]
    for step in range(STEPS + 1):
        stamp_ns = begin_ns + step * PERIOD_NS + (150_000_000 if step > 3 else 0)
        writer.add_observation(
            step, stamp_ns, jpeg(10 * step, size), state(step, 0).proprio, state(step, 0).q
        )
        if step < STEPS:
            if step % 4 == 0:
                writer.add_chunk(make_chunk(step // 4, step))
            late = StepFlag.HOLD | StepFlag.LATE if step == held else StepFlag.NONE
            flags, fault = last if step == STEPS - 1 else (late, "")
            writer.add_step(step, report(step + 1, flags, fault))
    writer.commit(cause, ("fault",) if cause is EndCause.FAULT else ())


def write_run(run: Path) -> Path:
    """Three episodes, one of which a person ended and one a fault, in a new folder ``run``."""
    open_run(run, {"sim": False, "task": TASK, "seed": 0, "policy": "p"})
    store = EpisodeStore(run, "w")
    commit(store, 0, EndCause.TIME)
    commit(store, 1, EndCause.OPERATOR)
    commit(store, 2, EndCause.FAULT, task="close the drawer")
    store.close()
    desk = OperatorDesk(run, FakeClock())
    desk.label("ep_000001", "s", "ann")
    desk.label("ep_000000", "f", "ann")
    desk.label("ep_000000", "u", "ann")
    desk.discard("ep_000002", "the link")
    desk.close()
    return run


def write_scored_run(run: Path, episodes: int, source: str, options: dict[str, object]) -> Path:
    """Episodes that ran to their end and were scored 3, with pictures that the demo policy takes.

    Args:
        run: its folder.
        episodes: how many.
        source: that scored them, and scores them again in a rehearsal.
        options: of that source.
    """
    config = {"task": TASK, "policy": "demo", "reward": source}
    open_run(run, {**config, "reward_options": json.dumps(options), "sim": False, "seed": 0})
    store, ledger = EpisodeStore(run, "w"), Ledger(run, "w")
    for index in range(episodes):
        commit(store, index, EndCause.TIME, size=96, held=-1, task=TASK)
        score = Score(3.0, ScoreScale.RUBRIC, ScoreKind.NONE, Provenance(source))
        ledger.append(LabelRecord(-1, f"ep_{index:06d}", score, 0))
    promote(run, source, ScoreScale.RUBRIC)
    store.close()
    ledger.close()
    return run

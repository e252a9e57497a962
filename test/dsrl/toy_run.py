# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A run on disk whose episodes come from the steering toy."""

import dataclasses
import json
import zlib

import numpy as np

from roboreward_ros.dsrl.config import DsrlConfig
from roboreward_ros.dsrl.follow import actor_path
from roboreward_ros.episodes.codec import label_to_json
from roboreward_ros.episodes.ledger import Ledger
from roboreward_ros.episodes.promoted import promote
from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.testing.steering_toy import SteeringToy
from roboreward_ros.types import (
    LabelRecord,
    Provenance,
    RewardFailure,
    RobotState,
    ScoreScale,
    StepFlag,
    StepReport,
)

CONFIG = DsrlConfig(
    hidden=(16,),
    ensemble=2,
    warmup_episodes=2,
    warmup_updates=4,
    updates_per_episode=3,
    critic_only_updates=2,
)
TOY = SteeringToy()


class ToyRun:
    """A run on disk whose episodes come from the toy."""

    def __init__(self, path, scale=ScoreScale.RUBRIC):
        self.path = path
        self.store = EpisodeStore(path, "w")
        self.ledger = Ledger(path, "w")
        promote(path, "toy", scale)

    def commit(self, index, taint=(), policy_id="toy", task="toy", spoil=""):
        toy = TOY.run(
            index,
            lambda f, r, s, k: np.random.default_rng((s, k)).normal(size=(4, 7)).astype(np.float32),
        )
        self.write(toy, taint, policy_id, task, spoil)
        return toy

    def write(self, toy, taint=(), policy_id="toy", task="toy", spoil=""):
        """Commit an episode of any toy."""
        meta = dataclasses.replace(toy.summary.meta, policy_id=policy_id, task=task)
        if spoil == "chunk_size":
            meta = dataclasses.replace(meta, chunk_size=3)
        writer = self.store.create(meta)
        arm, proprio, action = np.zeros(6), np.zeros(7), np.zeros(7)
        for step in range(toy.summary.n_steps + 1):
            if step:
                state = RobotState(step, arm, arm, arm, 1.0, np.eye(4), proprio)
                writer.add_step(
                    step - 1, StepReport(action, action, np.eye(4), arm, StepFlag.NONE, state)
                )
            writer.add_observation(step, step, b"\xff\xd8", proprio, arm)
        for chunk in toy.chunks():
            if spoil in ("features", "noise", "actions"):
                bad = np.full_like(getattr(chunk, spoil), np.nan)
                chunk = dataclasses.replace(chunk, **{spoil: bad})
            writer.add_chunk(chunk)
        writer.commit(toy.summary.end_cause, taint)

    def score(self, toy, label=None, dense=False):
        label = label or toy.label
        outcome = dataclasses.replace(label, provenance=Provenance("toy"))
        if dense:
            steps = tuple(np.linspace(1.0, label.value, toy.summary.n_steps))
            outcome = dataclasses.replace(outcome, per_step=steps)
        self.ledger.append(LabelRecord(-1, toy.summary.meta.episode_id, outcome, 0))

    def score_by_another_writer(self, toy, **fields):
        """A label whose checksum fits, and whose score no writer of ours would write."""
        outcome = dataclasses.replace(toy.label, provenance=Provenance("toy"))
        seq = len(self.ledger.records())
        values = label_to_json(LabelRecord(seq, toy.summary.meta.episode_id, outcome, 0))
        values["outcome"] |= fields
        body = json.dumps(values, separators=(",", ":")).encode()
        with self.ledger.path.open("ab") as file:
            file.write(b'{"crc32":"%08x","record":%s}\n' % (zlib.crc32(body), body))
        self.ledger.records()  # it knows that the number is taken

    def fail(self, toy):
        outcome = RewardFailure("no answer", Provenance("toy"))
        self.ledger.append(LabelRecord(-1, toy.summary.meta.episode_id, outcome, 0))

    def close(self):
        self.store.close()
        self.ledger.close()


def work(follower, max_updates=40):
    for _ in range(1000):
        if not follower.advance(max_updates):
            return follower.status
    raise AssertionError("the follower never comes to rest")


def weights(run_dir, version):
    return actor_path(run_dir, version).read_bytes()

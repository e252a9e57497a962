# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Invented clips, and a model small enough to train in a test."""

import numpy as np

from roboreward_ros.reward_training.config import ModelSize
from roboreward_ros.reward_training.dataset import Shard, Vocabulary

TINY = ModelSize(
    hidden=48,
    layers=2,
    heads=4,
    kv_heads=2,
    intermediate=64,
    vision_hidden=32,
    vision_layers=1,
    vision_heads=2,
    vision_intermediate=48,
    patch=16,
    frame=64,
)
SENTENCES = ("open the drawer", "lift the cup", "put the cup on the plate")
THINGS = ("kitchen/drawer", "kitchen/cup")
PROJECTION = ((1.0, 0.0, 0.0, 0.0), (0.0, 1.0, 0.0, 0.0), (0.0, 0.0, 0.0, 1.0))


def vocabulary() -> Vocabulary:
    """Two things, three sentences; the last one names something absent."""
    return Vocabulary(
        sentences=SENTENCES,
        tasks=SENTENCES[:1],
        origins=("scripted",),
        swaps=("own", "object", "goal", "relation", "absent"),
        things=THINGS,
        roles=(((0, -1), (1, -1), (-1, -1)),),
        projection=PROJECTION,
        control_hz=5.0,
    )


def invented_shard(seed: int, episodes: int = 6) -> Shard:
    """The brighter the last frame, the higher the own score; three clips an episode."""
    rng = np.random.default_rng(seed)
    frames = rng.integers(0, 40, (episodes, 4, 64, 64, 3), dtype=np.uint8)
    states = rng.uniform(0.0, 1.0, (episodes, 4, vocabulary().state_size)).astype(np.float32)
    states[:, :, 4] = rng.uniform(0.0, 0.1, (episodes, 4))
    scores = rng.integers(1, 6, (episodes, 4))
    frames += (40 * scores)[:, :, None, None, None].astype(np.uint8)
    slots, owner, labels = [], [], []
    for episode in range(episodes):
        for shown in ((0, 1, -1, -1), (0, 1, 2, -1), (0, 1, 2, 3)):
            end = max(shown)
            owner.append(episode)
            slots.append(shown)
            labels.append((scores[episode, end], 6 - scores[episode, end], 1))
    return Shard(
        frames=frames,
        steps=np.tile(np.array([0, 20, 30, 40], np.int16), (episodes, 1)),
        states=states,
        seeds=np.arange(episodes, dtype=np.int64),
        task=np.zeros(episodes, np.int8),
        origin=np.zeros(episodes, np.int8),
        episode=np.array(owner, np.int16),
        slots=np.array(slots, np.int8),
        labels=np.array(labels, np.int8),
        swaps=np.tile(np.array([0, 1, 4], np.int8), (3 * episodes, 1)),
    )

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The twin's scripted demonstrations as a run: to export, to learn from, to look at."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np

from roboreward_ros.episodes.exchange.importing import Arrival, ImportConfig, import_episodes
from roboreward_ros.episodes.run import open_run
from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.errors import SimulationError
from roboreward_ros.sim.demo_style import DemoStyle
from roboreward_ros.sim.demonstrators import DemoEpisode, demonstrate
from roboreward_ros.sim.seeds import demo_seed
from roboreward_ros.sim.tasks import find_task
from roboreward_ros.sim.twin import Twin, TwinConfig
from roboreward_ros.types import FloatArray, ImageU8

CAMERA_SIZE = 256  # px, what sim_node publishes
TWIN_HZ = 5.0
ORIGIN = "twin-demonstrators"


def record_demonstrations(
    run_dir: Path,
    tasks: tuple[str, ...],
    episodes: int,
    seed: int,
    encode: Callable[[ImageU8], bytes],
    created_ns: int,
    on_episode: Callable[[int], object] = lambda _: None,
) -> int:
    """Add ``episodes`` demonstrations per task to a run; returns how many it did not hold yet.

    Args:
        run_dir: made if absent.
        tasks: sentences or keys of the twin's tasks.
        episodes: per task.
        seed: of layouts and styles.
        encode: ``[H, W, 3]`` uint8 RGB to JPEG bytes.
        created_ns: stamp of the episodes, ns since the epoch.
        on_episode: told how many are done.
    """
    specs = [find_task(task) for task in tasks]
    open_run(run_dir, {"imported_from": ORIGIN}, fixed=())
    store = EpisodeStore(run_dir, "w")
    twin = Twin(TwinConfig())
    try:
        sentences = [(spec.sentence, index) for spec in specs for index in range(episodes)]
        arrivals = _arrivals(twin, sentences, seed)
        config = ImportConfig(created_ns=created_ns)
        return import_episodes(arrivals, f"{ORIGIN}/{seed}", store, encode, config, on_episode)
    finally:
        twin.close()
        store.close()


def _arrivals(twin: Twin, sentences: list[tuple[str, int]], seed: int) -> Iterator[Arrival]:
    """One per demonstration; an episode whose physics diverged is left out."""
    for number, (sentence, index) in enumerate(sentences):
        rng = np.random.default_rng((seed, number))
        try:
            made = demonstrate(
                twin, sentence, demo_seed(seed * 100_000 + index), rng, style=DemoStyle(),
                pictures="all", image_size=CAMERA_SIZE,
            )  # fmt: skip
        except SimulationError:
            continue
        yield Arrival(
            index=number,
            task=sentence,
            rows=len(made.proprio),
            fps=TWIN_HZ,
            numbers=partial(_numbers, made),
            frames=partial(iter, made.images),
        )


def _numbers(made: DemoEpisode) -> tuple[FloatArray, FloatArray]:
    """State and action of every row; no action follows the last state."""
    return made.proprio, np.concatenate([made.actions, made.actions[-1:]])

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The twin's scripted demonstrations as training data for behaviour cloning.

Pictures take the way they take at run time: drawn at 256 px, then shrunk as ``encode`` shrinks.
Object positions are kept for the training-only loss; no policy ever reads them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from roboreward_ros.errors import ConfigError, SimulationError
from roboreward_ros.policies.dataset import Demonstrations, chunks_of
from roboreward_ros.policies.diffusion import shrink_image
from roboreward_ros.policies.recipe import Recipe
from roboreward_ros.sim.demo_style import DemoStyle
from roboreward_ros.sim.demonstrators import demonstrate
from roboreward_ros.sim.seeds import demo_seed
from roboreward_ros.sim.tasks import find_task
from roboreward_ros.sim.twin import Twin, TwinConfig
from roboreward_ros.types import Float32Array, FloatArray, ImageU8

CAMERA_SIZE = 256  # px, what sim_node publishes
MATTERS = {
    "drawer": ("handle",),
    "mushroom": ("mushroom", "cloth"),
    "carrot": ("carrot", "plate"),
    "stack": ("green", "yellow"),
}
"""Objects of each task whose position the policy has to find."""


@dataclass(frozen=True, slots=True)
class CollectProgress:
    """State of a running collection.

    Attributes:
        task: sentence of the present task.
        done: its episodes so far.
        episodes: its episodes in all.
        successes: how many of ``done`` ended in success.
        dropped: how many of ``done`` were left out because the physics diverged.
    """

    task: str
    done: int
    episodes: int
    successes: int
    dropped: int


class _WatchedTwin(Twin):
    """Notes shrunken pictures and object positions whenever a picture is drawn."""

    def __init__(self, config: TwinConfig, image_size: int) -> None:
        super().__init__(config)
        self._image_size = image_size
        self.images: list[ImageU8] = []
        self.positions: list[FloatArray] = []

    def forget(self) -> None:
        """Begin an episode."""
        self.images, self.positions = [], []

    def render(self, width: int = CAMERA_SIZE, height: int = CAMERA_SIZE) -> ImageU8:
        image = super().render(width, height)
        poses = self.object_state()
        self.images.append(shrink_image(image, self._image_size))
        self.positions.append(
            np.concatenate([poses[name][:3, 3] for name in MATTERS[self.task.key]])
        )
        return image


def collect(
    recipe: Recipe,
    style: DemoStyle,
    on_progress: Callable[[CollectProgress], None] = lambda _: None,
    twin_config: TwinConfig | None = None,
) -> Demonstrations:
    """Demonstrate every task of ``recipe`` on the twin.

    A function of the recipe and the style alone, on one machine. An episode whose physics diverged
    is left out; the progress counts it.

    Raises:
        ConfigError: a task the twin does not know, or demonstrations at another rate.
    """
    config = twin_config or TwinConfig()
    if config.control_hz != recipe.network.control_hz:
        raise ConfigError(
            "twin and policy run at different rates",
            got=config.control_hz,
            allowed=recipe.network.control_hz,
        )
    sentences = tuple(find_task(name).sentence for name, _ in recipe.demonstrations)
    widths = [3 * len(MATTERS[find_task(name).key]) for name in sentences]
    twin = _WatchedTwin(config, recipe.network.image_size)
    images: list[ImageU8] = []
    proprio: list[Float32Array] = []
    chunks: list[Float32Array] = []
    task: list[int] = []
    positions: list[Float32Array] = []
    try:
        for number, (name, episodes) in enumerate(recipe.demonstrations):
            column, successes, dropped = sum(widths[:number]), 0, 0
            for index in range(episodes):
                twin.forget()
                rng = np.random.default_rng((recipe.seed, number, index))
                seed = demo_seed(recipe.seed * 100_000 + index)
                try:
                    episode = demonstrate(
                        twin, name, seed, rng, style=style, pictures="all", image_size=CAMERA_SIZE
                    )
                except SimulationError:
                    dropped += 1
                else:
                    steps = len(episode.actions)
                    successes += episode.success
                    known = np.full((steps, sum(widths)), np.nan, dtype=np.float32)
                    known[:, column : column + widths[number]] = twin.positions[:steps]
                    images += twin.images[:steps]
                    proprio.append(episode.proprio[:steps].astype(np.float32))
                    chunks.append(chunks_of(episode.actions, recipe.network.prediction_horizon))
                    task += [number] * steps
                    positions.append(known)
                sentence = sentences[number]
                on_progress(CollectProgress(sentence, index + 1, episodes, successes, dropped))
    finally:
        twin.close()
    return Demonstrations(
        tasks=sentences,
        images=np.stack(images),
        proprio=np.concatenate(proprio),
        chunks=np.concatenate(chunks),
        task=np.array(task, dtype=np.int64),
        positions=np.concatenate(positions),
    )

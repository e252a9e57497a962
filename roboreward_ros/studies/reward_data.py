# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Twin episodes as labelled clips: scripted with wide errors, by a policy, steered, idle, wrong.

What decides a shard is its number and the configuration, so a killed collection goes on where it
stopped and gives the same clips. Pictures take the way they take in a run: drawn at 256 px, stored
as JPEG, read and resized by the reward source's own reader.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from roboreward_ros.errors import ConfigError, SimulationError
from roboreward_ros.protocols import Policy
from roboreward_ros.reward_training.dataset import (
    Shard,
    shard_name,
    write_shard,
    write_vocabulary,
)
from roboreward_ros.rewards.vlm.clips import decode
from roboreward_ros.sim.adapters import TwinCamera, TwinRobot
from roboreward_ros.sim.demo_scripts import Move, PickPlace, pick_script
from roboreward_ros.sim.demo_style import DemoStyle, DrawerStyle, MotionStyle, PickStyle
from roboreward_ros.sim.demonstrators import Script, demonstrate
from roboreward_ros.sim.seeds import demo_seed, held_out_seed
from roboreward_ros.sim.tasks import DRAWER, TASKS, TaskSpec
from roboreward_ros.sim.twin import Twin
from roboreward_ros.studies.reward_sentences import SENTENCES, THINGS, Swap, swap_of
from roboreward_ros.studies.reward_watch import (
    CAMERA_SIZE,
    NAMES,
    Origin,
    Snapshot,
    WatchedTwin,
    vocabulary,
)
from roboreward_ros.studies.rollout import ConstantNoise, NoiseChooser, PriorNoise, Rollout
from roboreward_ros.types import ImageU8

__all__ = [
    "NAMES",
    "CollectConfig",
    "Collector",
    "Origin",
    "Snapshot",
    "WatchedEpisode",
    "WatchedTwin",
    "collect",
    "shown",
    "vocabulary",
]
GRID = (0, 20, 40)  # steps of the frames that every longer clip shows: 0.25 fps at 5 Hz
ENDS = 3  # clips an episode: two drawn ends and the episode's own
LAYOUTS = 100_000_000  # first demonstration layout that is for reward models
HELD_OUT_LAYOUTS = 1_000_000  # first held-out layout that is for reward models


@dataclass(frozen=True, slots=True)
class CollectConfig:
    """What is collected.

    Attributes:
        seed: of everything that is drawn.
        episodes: of one shard.
        frame_size: side of a stored frame, pixels.
        held_out: use layouts of the held-out evaluation.
        shares: of the origins, in the order of ``Origin``; where the policy does not know a task,
            its share is scripted.
        noisy: share of scripted episodes with much noise on every action.
    """

    seed: int = 0
    episodes: int = 64
    frame_size: int = 96
    held_out: bool = False
    shares: tuple[float, ...] = (0.40, 0.22, 0.06, 0.12, 0.20)
    noisy: float = 0.2

    def __post_init__(self) -> None:
        if len(self.shares) != len(Origin) or not np.isclose(sum(self.shares), 1.0):
            raise ConfigError("shares do not fit", got=self.shares, allowed="5 numbers, sum 1")
        if self.episodes < 1 or self.frame_size % 32:
            raise ConfigError(
                "episodes or frame_size out of range",
                got=(self.episodes, self.frame_size),
                allowed=">= 1 and a multiple of 32",
            )


def wide_style(rng: np.random.Generator, noisy: bool) -> DemoStyle:
    """Errors far beyond the demonstrators': every way to fail, and to succeed late or barely."""
    pick = PickStyle(
        grasp_bias=float(rng.normal(0.0, 0.007)),
        grasp_spread=float(rng.uniform(0.0, 0.006)),
        height_spread=float(rng.uniform(0.0, 0.012)),
        place_bias=float(rng.uniform(-0.11, 0.09) * (rng.random() < 0.7)),
        place_spread=float(rng.uniform(0.0, 0.035)),
    )
    small = replace(pick, place_bias=0.5 * pick.place_bias, place_spread=0.4 * pick.place_spread)
    return DemoStyle(
        motion=MotionStyle(
            speed_m=float(rng.uniform(0.012, 0.030)),
            noise_m=float(rng.uniform(0.004, 0.015)) if noisy else 0.0015,
            noise_rad=float(rng.uniform(0.004, 0.04)) if noisy else 0.004,
        ),
        drawer=DrawerStyle(
            lateral_offset=float(rng.uniform(-0.055, 0.055)),
            lateral_spread=float(rng.uniform(0.0, 0.02)),
            depth_bias=float(rng.normal(0.0, 0.005)),
            depth_spread=0.004,
            height_spread=float(rng.uniform(0.0, 0.01)),
            pull_m=float(rng.uniform(0.0, 0.17)),
            pull_straight=float(rng.uniform(0.0, 1.0)),
        ),
        mushroom=pick,
        carrot=pick,
        stack=small if rng.random() < 0.8 else pick,
    )


def other_script(spec: TaskSpec, style: DemoStyle, rng: np.random.Generator) -> Script:
    """A pick and place of another pair of things of the scene."""
    pairs = [
        s
        for s in SENTENCES
        if s.verb in ("put", "lift")
        and swap_of(spec, s) in (Swap.OBJECT, Swap.GOAL, Swap.RELATION)
        and not THINGS[spec.key][s.source].fixed
    ]
    chosen = pairs[int(rng.integers(len(pairs)))]
    source = THINGS[spec.key][chosen.source]
    target = THINGS[spec.key][chosen.target or chosen.source]
    height = 0.022 if target.fixed else source.half[2] + target.half[2] + 0.003
    plan = PickPlace(
        source.body,
        target.body,
        grasp_z=0.005,
        carry_z=float(rng.uniform(0.09, 0.13)),
        place_z=height,
        symmetry=np.pi if chosen.source == "carrot" else np.pi / 2,
    )
    pick = style.stack if not target.fixed else style.mushroom

    def moves(twin: Twin, style_rng: np.random.Generator) -> Iterator[Move]:
        for number, move in enumerate(pick_script(twin, plan, pick, style_rng)):
            yield move
            if chosen.verb == "lift" and number == 3:  # it hangs in the air now
                return

    return moves


def steering(rng: np.random.Generator, horizon: int) -> NoiseChooser:
    """What a trained actor might do: one latent for ever, or the prior made wider or narrower."""
    kind = rng.random()
    if kind < 0.55:
        w = rng.normal(0.0, rng.uniform(0.5, 1.3), (horizon, 7)).astype(np.float32)
        return ConstantNoise(w)
    if kind < 0.65:
        return ConstantNoise(None)
    return PriorNoise(float(rng.choice([0.25, 0.5, 0.75, 1.4, 2.0])))


class Collector:
    """Makes shards of clips. One thread uses it.

    Args:
        config: see there.
        policy: whose rollouts are collected; None for scripted episodes only.
        actors: trained actors whose steering is collected too.
    """

    def __init__(
        self,
        config: CollectConfig,
        policy: Policy | None = None,
        actors: Sequence[NoiseChooser] = (),
    ) -> None:
        self.config = config
        self._policy = policy
        self._actors = tuple(actors)
        self.twin = WatchedTwin()
        self._robot = TwinRobot(self.twin)
        self._camera = TwinCamera(self.twin, CAMERA_SIZE, CAMERA_SIZE)
        self._robot.connect()
        self._camera.open()

    def close(self) -> None:
        """Free OpenGL; idempotent."""
        self._robot.close()

    def shard(self, index: int) -> Shard:
        """Shard ``index``."""
        return _assemble(self.episodes(index))

    def episodes(self, index: int) -> list[WatchedEpisode]:
        """Episodes of shard ``index``; one whose physics diverged is drawn again."""
        done: list[WatchedEpisode] = []
        attempt = 0
        while len(done) < self.config.episodes:
            with contextlib.suppress(SimulationError):
                done.append(self._episode(index, attempt))
            attempt += 1
            if attempt > 4 * self.config.episodes + 8:
                raise SimulationError("the twin diverges again and again", got=f"shard {index}")
        return done

    def _episode(self, shard: int, attempt: int) -> WatchedEpisode:
        config = self.config
        rng = np.random.default_rng((config.seed, int(config.held_out), shard, attempt))
        number = shard * 4096 + attempt + config.seed * 10_000_000
        place = held_out_seed if config.held_out else demo_seed
        seed = place((HELD_OUT_LAYOUTS if config.held_out else LAYOUTS) + number)
        spec = TASKS[int(rng.integers(len(TASKS)))]
        origin = list(Origin)[int(rng.choice(len(Origin), p=config.shares))]
        known = self._policy is not None and spec.sentence in self._policy.spec.tasks
        if origin in (Origin.BASE, Origin.STEERED) and not known:
            origin = Origin.SCRIPTED
        if origin is Origin.OTHER and spec is DRAWER and rng.random() < 0.5:
            origin = Origin.SCRIPTED
        last = spec.max_steps
        ends = {int(rng.integers(1, last)), int(rng.integers(last // 3, last))}
        while len(ends) < ENDS - 1:
            ends.add(int(rng.integers(1, last)))
        ends.add(last)
        self.twin.wanted = frozenset((*GRID, *ends))
        if origin in (Origin.BASE, Origin.STEERED) and self._policy is not None:
            chooser: NoiseChooser = PriorNoise()
            if origin is Origin.STEERED:
                chooser = steering(rng, self._policy.spec.prediction_horizon)
                if self._actors and rng.random() < 0.5:
                    chooser = self._actors[int(rng.integers(len(self._actors)))]
            rollout = Rollout(self._robot, self._camera, self._policy, self.twin.truth)
            rollout.run(spec.sentence, seed, chooser, last)
        else:
            self._script(spec, seed, origin, rng)
        return WatchedEpisode(spec, origin, seed, tuple(sorted(ends)), dict(self.twin.seen), config)

    def _script(self, spec: TaskSpec, seed: int, origin: Origin, rng: np.random.Generator) -> None:
        style = wide_style(rng, rng.random() < self.config.noisy)
        script = other_script(spec, style, rng) if origin is Origin.OTHER else None
        idle = origin is Origin.IDLE
        stop = int(rng.integers(0, spec.max_steps)) if idle else spec.max_steps
        if stop:
            demonstrate(
                self.twin, spec.sentence, seed, rng, style=style, max_steps=stop, script=script
            )
        else:
            self.twin.reset(spec.sentence, seed)
        still = np.array([0.0] * 6 + [float(rng.random() < 0.5)])
        for _ in range(spec.max_steps - stop):
            self.twin.step(still)


@dataclass(frozen=True, slots=True)
class WatchedEpisode:
    """What an episode left behind.

    Attributes:
        spec: whose scene it was.
        origin: how it came about.
        seed: layout.
        ends: steps that its clips end at.
        seen: what was looked at, by step.
        config: of the collection.
    """

    spec: TaskSpec
    origin: Origin
    seed: int
    ends: tuple[int, ...]
    seen: dict[int, Snapshot]
    config: CollectConfig

    def frames(self, end: int) -> list[bytes]:
        """JPEGs of the clip that ends at ``end``, as many as it has; unlooked ones stand in."""
        first = self.seen[0].jpeg
        return [self.seen[k].jpeg if k in self.seen else first for k in range(end + 1)]


def shown(end: int) -> list[int]:
    """Steps of the frames of a clip that ends at step ``end``."""
    grid = [step for step in GRID if step <= end]
    return grid if grid[-1] == end else [*grid, end]


def _assemble(episodes: Sequence[WatchedEpisode]) -> Shard:
    width = len(GRID) + ENDS
    size = episodes[0].config.frame_size
    count = len(episodes)
    frames: ImageU8 = np.zeros((count, width, size, size, 3), np.uint8)
    steps = np.full((count, width), -1, np.int16)
    states = np.full((count, width, vocabulary().state_size), np.nan, np.float32)
    owner: list[int] = []
    slots: list[list[int]] = []
    labels: list[tuple[int, ...]] = []
    swaps: list[list[int]] = []
    for row, episode in enumerate(episodes):
        looked = sorted(episode.seen)
        jpegs = [episode.seen[step].jpeg for step in looked]
        frames[row, : len(looked)] = decode(jpegs, range(len(jpegs)), size * size, 32)
        steps[row, : len(looked)] = looked
        states[row, : len(looked)] = [episode.seen[step].state for step in looked]
        kinds = [list(Swap).index(swap_of(episode.spec, s)) for s in SENTENCES]
        for end in episode.ends:
            places = [looked.index(step) for step in shown(end)]
            owner.append(row)
            slots.append(places + [-1] * (len(GRID) + 1 - len(places)))
            labels.append(episode.seen[end].scores)
            swaps.append(kinds)
    return Shard(
        frames=frames,
        steps=steps,
        states=states,
        seeds=np.array([e.seed for e in episodes], np.int64),
        task=np.array([TASKS.index(e.spec) for e in episodes], np.int8),
        origin=np.array([list(Origin).index(e.origin) for e in episodes], np.int8),
        episode=np.array(owner, np.int16),
        slots=np.array(slots, np.int8),
        labels=np.array(labels, np.int8),
        swaps=np.array(swaps, np.int8),
    )


def collect(
    folder: Path,
    config: CollectConfig,
    shards: Sequence[int],
    policy: Policy | None = None,
    actors: Sequence[NoiseChooser] = (),
    on_shard: Callable[[int], None] = lambda _: None,
) -> None:
    """Make those of ``shards`` that are not there yet."""
    write_vocabulary(folder, vocabulary())
    collector = Collector(config, policy, actors)
    try:
        for index in shards:
            if not (folder / shard_name(index)).is_dir():
                write_shard(folder, index, collector.shard(index))
            on_shard(index)
    finally:
        collector.close()

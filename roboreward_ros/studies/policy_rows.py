# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Data sets on disk as the rows that a diffusion transformer is cloned from."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from roboreward_ros.episodes.exchange.importing import (
    Arrival,
    ImportConfig,
    bridge_actions,
    bridge_state,
)
from roboreward_ros.episodes.exchange.lerobot_import import lerobot_arrivals
from roboreward_ros.episodes.exchange.lerobot_layout import INFO
from roboreward_ros.episodes.exchange.lerobot_read import LeRobotDataset
from roboreward_ros.episodes.exchange.rlds_import import rlds_arrivals
from roboreward_ros.episodes.exchange.rlds_read import RldsDataset
from roboreward_ros.errors import ConfigError
from roboreward_ros.policies.transformer.recipe import TransformerRecipe
from roboreward_ros.policies.transformer.rows import (
    HEADER_FILE,
    EpisodeRows,
    RowStore,
    RowWriter,
    check_key,
)

RLDS, LEROBOT = "rlds", "lerobot"


@dataclass(frozen=True, slots=True)
class DataSource:
    """One data set.

    Attributes:
        name: kind and folder, as it was asked for.
        episodes: as announced.
        arrivals: opens it.
    """

    name: str
    episodes: int
    arrivals: Callable[[], Iterator[Arrival]]


@dataclass(frozen=True, slots=True)
class Prepared:
    """Rows and what was left out of them.

    Attributes:
        store: the rows.
        unnamed: episodes without a sentence.
        short: episodes with fewer than two rows.
    """

    store: RowStore
    unnamed: int
    short: int


def open_source(text: str, camera: str, split: str, control_hz: float) -> DataSource:
    """A data set by ``rlds:FOLDER`` or ``lerobot:FOLDER``.

    Args:
        text: kind and folder.
        camera: feature of the pictures; "" for the only one.
        split: of an RLDS data set.
        control_hz: of the policy; a LeRobot data set at another rate is refused.

    Raises:
        ConfigError: unknown kind, no data set there, another rate.
    """
    kind, _, place = text.partition(":")
    folder, config = Path(place), ImportConfig(camera=camera)
    if kind == RLDS and place:
        rlds = RldsDataset(folder)
        count = rlds.count(split)
        return DataSource(text, count, lambda: rlds_arrivals(rlds, config, split, control_hz))
    if kind == LEROBOT and place:
        if not (folder / INFO).is_file():
            raise ConfigError("no LeRobot data set in this folder", got=place, allowed=INFO)
        lerobot = LeRobotDataset(folder)
        if abs(lerobot.info.fps - control_hz) > 1e-6:
            raise ConfigError(
                f"{text} runs at another rate than the policy",
                got=f"{lerobot.info.fps:g} Hz",
                allowed=f"{control_hz:g} Hz",
                next_step="Set control_hz of the recipe, or give other data.",
            )
        return DataSource(text, len(lerobot.episodes), lambda: lerobot_arrivals(lerobot, config))
    raise ConfigError(
        "unknown kind of data set", got=text, allowed=f"{RLDS}:FOLDER or {LEROBOT}:FOLDER"
    )


def prepare_rows(
    sources: Sequence[DataSource],
    recipe: TransformerRecipe,
    folder: Path,
    camera: str = "",
    split: str = "",
    on_episode: Callable[[int], object] = lambda _: None,
) -> Prepared:
    """Stream through data sets once; rows that are there already are taken.

    Args:
        sources: in order.
        recipe: decides picture size and actions.
        folder: of the rows.
        camera: as the sources were opened; part of what the rows are.
        split: likewise.
        on_episode: told how many episodes were looked at.

    Raises:
        ConfigError: the folder holds other rows, or numbers that are not BridgeData's.
        FormatError: a damaged data set.
    """
    said = [(source.name, source.episodes) for source in sources]
    key = json.dumps([said, camera, split, recipe.network.image_size, recipe.data.actions])
    if (folder / HEADER_FILE).is_file():
        store = RowStore(folder)
        check_key(store, key, folder)
        return Prepared(store, 0, 0)
    writer = RowWriter(folder, key, recipe.network.image_size, recipe.data.actions)
    unnamed = short = 0
    try:
        for number, arrival in enumerate(_all(sources), 1):
            if arrival.rows < 2:
                short += 1
            elif recipe.data.skip_unnamed and not arrival.task.strip():
                unnamed += 1
            else:
                writer.add(rows_of(arrival))
            on_episode(number)
        writer.close()
    except BaseException:
        writer.abort()
        raise
    return Prepared(RowStore(folder), unnamed, short)


def rows_of(arrival: Arrival) -> EpisodeRows:
    """An arrival, its numbers checked.

    Raises:
        ConfigError: numbers that are not BridgeData's.
    """
    state, action = arrival.numbers()
    return EpisodeRows(
        arrival.task,
        arrival.frames(),
        bridge_state(state, arrival.index),
        bridge_actions(action, arrival.index),
    )


def _all(sources: Iterable[DataSource]) -> Iterator[Arrival]:
    for source in sources:
        yield from source.arrivals()

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Opens a source by its name: ``KIND:PATH?key=value``."""

from __future__ import annotations

from collections.abc import Callable

from roboreward_ros.errors import ConfigError
from roboreward_ros.reward_training.data.clip import Source
from roboreward_ros.reward_training.data.hand_videos import EgoDexSource, Hoi4dSource
from roboreward_ros.reward_training.data.lerobot import LeRobotSource
from roboreward_ros.reward_training.data.open_x import OpenXSource
from roboreward_ros.reward_training.data.options import Options
from roboreward_ros.reward_training.data.recordings import LayoutSource, RunSource
from roboreward_ros.reward_training.data.robo_arena import RoboArenaSource
from roboreward_ros.reward_training.data.simulations import LIBERO, ROBOCASA, SimulationSource
from roboreward_ros.reward_training.data.tables import TableSource


def _libero(options: Options) -> Source:
    return SimulationSource(options, LIBERO)


def _robocasa(options: Options) -> Source:
    return SimulationSource(options, ROBOCASA)


KINDS: dict[str, tuple[Callable[[Options], Source], str]] = {
    "layout": (LayoutSource, "RoboReward's layout (?split=, subset=, name=)"),
    "run": (RunSource, "episodes of a run, labelled by people (?labels=view for the run's view)"),
    "rlds": (OpenXSource, "Open X-Embodiment as a TFDS folder (?camera=, fps=, split=, reward=)"),
    "lerobot": (LeRobotSource, "LeRobot data set 2.x or 3.0 (?camera=, reward=)"),
    "roboarena": (RoboArenaSource, "RoboArena's sessions (?edges=12.5,37.5,62.5,87.5, camera=)"),
    "egodex": (EgoDexSource, "EgoDex"),
    "hoi4d": (Hoi4dSource, "HOI4D, its annotated actions"),
    "libero": (_libero, "LIBERO's demonstrations (?camera=, upside_down=, fps=)"),
    "robocasa": (_robocasa, "RoboCasa's and robomimic's demonstrations (likewise)"),
    "videos": (TableSource, "a table of videos, *.csv or *.jsonl (?edges=)"),
}
"""Reader and a line of help by kind."""


def open_source(text: str) -> Source:
    """Open what ``text`` names.

    Raises:
        ConfigError: an unknown kind or option, or no such data.
        FormatError: a damaged header.
    """
    options = Options.parse(text)
    if options.kind not in KINDS:
        raise ConfigError("unknown kind of source", got=options.kind, allowed=list(KINDS))
    return KINDS[options.kind][0](options)

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""RoboArena's published evaluation sessions: progress from 0 to 100 becomes a level 1..5.

``evaluation_sessions/<id>/metadata.yaml`` holds the sentence and, by policy, ``partial_success``;
the videos lie in ``<key>_<policy name>/*_<camera>.mp4`` beside it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import yaml

from roboreward_ros.episodes.exchange.labelled_layout import Fault, OnProblem, Problem
from roboreward_ros.episodes.exchange.video import nominal_rate, read_frames
from roboreward_ros.errors import ConfigError, FormatError
from roboreward_ros.files import inside, read_yaml
from roboreward_ros.reward_training.data.clip import Clip
from roboreward_ros.reward_training.data.options import Options, binned, show_edges

SESSIONS, METADATA = "evaluation_sessions", "metadata.yaml"


class RoboArenaSource:
    """Videos of one camera.

    Args:
        options: ``camera`` (left, right or wrist), ``edges`` in percent, ``full``: the value of
            ``partial_success`` that means done (1, or 100 in older dumps), ``name``.

    Raises:
        ConfigError: no such data.
    """

    def __init__(self, options: Options) -> None:
        inner = options.path / SESSIONS
        self.root = inner if inner.is_dir() else options.path
        self.name = options.text("name", "robo_arena")
        self.camera = options.text("camera", "left")
        self.full = options.number("full", 1.0)
        self.edges = options.edges()
        options.finish()
        if not any(self.root.glob(f"*/{METADATA}")):
            raise ConfigError(
                "no evaluation sessions in this folder",
                got=str(options.path),
                allowed=f"{SESSIONS}/<id>/{METADATA}",
            )

    def describe(self) -> str:
        return (
            f"{self.name}: RoboArena, {self.camera} camera; levels by progress: "
            f"{show_edges(self.edges)} (the paper's edges are not published)"
        )

    def clips(self, on_problem: OnProblem) -> Iterator[Clip]:
        for path in sorted(self.root.glob(f"*/{METADATA}")):
            try:
                content = read_yaml(path)
                task = str(content["language_instruction"]).strip()
                policies = sorted(dict(content["policies"]).items())
            except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError) as error:
                on_problem(Problem(Fault.MALFORMED, str(path), repr(error)))
                continue
            if not task:
                on_problem(Problem(Fault.MALFORMED, str(path), "no sentence"))
                continue
            for key, policy in policies:
                clip = self._clip(path.parent, task, str(key), policy, on_problem)
                if clip is not None:
                    yield clip

    def _clip(
        self, session: Path, task: str, key: str, policy: object, on_problem: OnProblem
    ) -> Clip | None:
        place = f"{session.name}/{key}"
        if not isinstance(policy, Mapping) or "policy_name" not in policy:
            on_problem(Problem(Fault.MALFORMED, place, "no policy_name"))
            return None
        value = policy.get("partial_success")
        if isinstance(value, bool) or not isinstance(value, int | float):
            value = math.nan
        if not 0 <= value <= self.full:
            said = policy.get("partial_success")
            detail = f"partial_success is {said!r}, allowed are 0..{self.full:g}"
            on_problem(Problem(Fault.LABEL, place, detail))
            return None
        try:
            folder = inside(session, f"{key}_{policy['policy_name']}")
            videos = sorted(folder.glob(f"*_{self.camera}.mp4"))
        except (OSError, ValueError) as error:
            on_problem(Problem(Fault.MALFORMED, place[:200], str(error)[:200]))
            return None
        if len(videos) != 1:
            detail = f"{len(videos)} files *_{self.camera}.mp4 in {folder.name}"
            on_problem(Problem(Fault.MISSING, place, detail))
            return None
        percent = 100.0 * value / self.full
        try:
            fps = nominal_rate(videos[0])
        except FormatError as error:
            on_problem(Problem(Fault.DAMAGED, place, str(error)))
            return None
        return Clip(
            id=f"{place}/{self.camera}",
            task=task,
            reward=binned(percent, self.edges),
            fps=fps,
            frames=partial(read_frames, videos[0]),
            file=videos[0],
            columns={"progress": round(percent / 100, 6), "policy": str(policy["policy_name"])},
        )

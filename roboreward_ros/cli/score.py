# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""``roboreward score VIDEO "task"``: what reward sources think of one video or episode."""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from roboreward_ros.cli.patience import Patience
from roboreward_ros.cli.score_view import (
    Judgement,
    Point,
    as_json,
    plot,
    show_one,
    show_table,
    summary_json,
)
from roboreward_ros.episodes.reader import StoredEpisode
from roboreward_ros.episodes.requests import reward_request
from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.errors import ConfigError
from roboreward_ros.rewards.config import Options, options_from_json
from roboreward_ros.rewards.guard import Guard
from roboreward_ros.rewards.opening import open_source
from roboreward_ros.rewards.registry import SOURCES, build
from roboreward_ros.rewards.video_file import VideoFileConfig, read_video
from roboreward_ros.types import Abstain, RewardFailure, RewardRequest, RewardSpec, Score
from roboreward_ros.types.codec import JsonValue

_FEWEST = 2  # frames of a prefix
_Maker = Callable[[RewardSpec], RewardRequest]


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "score",
        help="score one video or episode",
        description="Score one video file, or one stored episode (RUN/episodes/ID).",
    )
    parser.add_argument("video", type=Path, metavar="VIDEO", help="a video, or RUN/episodes/ID")
    parser.add_argument(
        "task", nargs="?", default="", help="the sentence; an episode knows its own"
    )
    parser.add_argument(
        "--source",
        action="append",
        metavar="S",
        help=f"of {', '.join(sorted(SOURCES))}; give it again for several (roboreward)",
    )
    parser.add_argument(
        "--options",
        action="append",
        metavar="JSON",
        default=[],
        help="over the source's file; the n-th belongs to the n-th --source",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument(
        "--every", type=int, default=0, metavar="N", help="also score every N-th prefix, and plot"
    )
    parser.add_argument("--plot", type=Path, metavar="FILE", help="PNG of the curve")
    parser.add_argument(
        "--fps", type=float, default=10.0, help="most frames a second read from a video (10)"
    )
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    every: int = args.every
    if every < 0 or (args.plot and not every):
        raise ConfigError(
            "the curve needs a step", got=f"--every {every}", allowed="--every 1 or more"
        )
    names: list[str] = args.source or ["roboreward"]
    if len(args.options) > len(names):
        raise ConfigError(
            "more --options than sources", got=len(args.options), allowed=f"at most {len(names)}"
        )
    options = [options_from_json(text) for text in args.options]
    options += [{} for _ in range(len(names) - len(options))]
    for name, values in zip(names, options, strict=True):  # a typo costs no loading
        build(name, values).close()
    with Patience() as patience:
        patience.now(f"reading {args.video}")
        make, task = _open(args.video, args.task, args.fps)
        judgements = []
        for label, name, values in zip(_labels(names), names, options, strict=True):
            judgements.append(_judge(label, name, values, make, every, patience))
        picture: Path | None = None
        if every:
            patience.now("plotting")
            picture = args.plot or Path(f"{args.video.stem}.progress.png")
            plot(judgements, f"{args.video.name}: {task}", picture)
    _show(args, judgements, make, task, picture)
    return 1 if any(isinstance(item.outcome, RewardFailure) for item in judgements) else 0


def _open(path: Path, task: str, fps: float) -> tuple[_Maker, str]:
    """What makes the request for a source, and the sentence."""
    if path.is_dir():
        episode = _episode(path)
        sentence = task.strip() or episode.summary.meta.task

        def stored(spec: RewardSpec) -> RewardRequest:
            if spec.needs_truth and not episode.truth():
                raise ConfigError(f"source '{spec.name}' needs the twin's truth; this has none")
            if spec.needs_truth and sentence != episode.summary.meta.task:
                raise ConfigError(
                    f"source '{spec.name}' knows the truth about the episode's own task only",
                    got=sentence,
                    allowed=episode.summary.meta.task,
                )
            return dataclasses.replace(reward_request(episode, spec), task=sentence)

        return stored, sentence
    request = read_video(path, task, VideoFileConfig(fps=fps))

    def filmed(spec: RewardSpec) -> RewardRequest:
        if spec.needs_truth:
            raise ConfigError(
                f"source '{spec.name}' needs the twin's truth; a video has none",
                next_step="Use a source that looks at frames, or an episode of the twin.",
            )
        return request

    return filmed, request.task


def _episode(path: Path) -> StoredEpisode:
    folder = path.resolve()
    if folder.parent.name != "episodes":
        raise ConfigError(
            "this folder is no episode", got=str(path), allowed="a video file, or RUN/episodes/ID"
        )
    return EpisodeStore(folder.parent.parent).open(folder.name)


def _labels(names: Sequence[str]) -> list[str]:
    """Names, numbered where one comes several times."""
    count, seen, labels = Counter(names), Counter[str](), []
    for name in names:
        seen[name] += 1
        short = name.rpartition(":")[2]
        labels.append(short if count[name] == 1 else f"{short} {seen[name]}")
    return labels


def _judge(
    label: str, name: str, options: Options, make: _Maker, every: int, patience: Patience
) -> Judgement:
    patience.now(f"loading {label}")
    request = make(build(name, options).spec)
    guard = open_source(name, options)
    try:
        patience.now(f"{label} looks at {len(request.frames)} frames")
        outcome = guard.score(request)
        curve: tuple[Point, ...] = ()
        if every:
            known = outcome.per_step if isinstance(outcome, Score) else ()
            curve = _curve(guard, request, known, every, label, patience)
        return Judgement(label, guard.source.spec, outcome, curve)
    finally:
        guard.source.close()


def _curve(
    guard: Guard,
    request: RewardRequest,
    known: Sequence[float],
    every: int,
    label: str,
    patience: Patience,
) -> tuple[Point, ...]:
    total = len(request.frames)
    counts = sorted({*range(max(every, _FEWEST), total + 1, every), total})
    points = []
    for number, count in enumerate(counts):
        frame = count - 1
        time_s = (request.stamps_ns[frame] - request.stamps_ns[0]) / 1e9
        if known:  # a dense source has said it already
            points.append(Point(frame, time_s, known[frame]))
            continue
        patience.now(f"{label}: prefix {number + 1} of {len(counts)}")
        part = dataclasses.replace(
            request,
            frames=request.frames[:count],
            stamps_ns=request.stamps_ns[:count],
            truth=None if request.truth is None else request.truth[:count],
        )
        found = guard.score(part)
        if isinstance(found, Score):
            points.append(Point(frame, time_s, found.value))
        else:
            why = found.detail or found.reason if isinstance(found, Abstain) else found.message
            points.append(Point(frame, time_s, None, why))
    return tuple(points)


def _show(
    args: argparse.Namespace,
    judgements: Sequence[Judgement],
    make: _Maker,
    task: str,
    picture: Path | None,
) -> None:
    if args.json:
        results: list[JsonValue] = [as_json(item) for item in judgements]
        content: dict[str, JsonValue] = {"video": str(args.video), "task": task}
        content |= summary_json(judgements[0])
        content["results"] = results
        if picture is not None:
            content["plot"] = str(picture)
        print(json.dumps(content))
        return
    console = Console()
    request = make(RewardSpec("", judgements[0].spec.scale))
    span_s = (request.stamps_ns[-1] - request.stamps_ns[0]) / 1e9
    size = f"  {len(request.frames)} frames, {span_s:.1f} s"
    head = Text.assemble(f"{args.video.name}: {task}", (size, "bright_black"))
    console.print(head, soft_wrap=True)
    if len(judgements) == 1:
        show_one(console, judgements[0])
    else:
        show_table(console, judgements)
    if picture is not None:
        console.print(Text(f"progress: {picture}"), soft_wrap=True)

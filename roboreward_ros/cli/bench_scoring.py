# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What ``roboreward bench rewards`` asks a source, and the films of what went wrong."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from roboreward_ros.cli.progress import make_display
from roboreward_ros.errors import ConfigError, RewardSourceError
from roboreward_ros.evaluation.benchmark.answering import Answered, answer, with_probes
from roboreward_ros.evaluation.benchmark.dataset import LabelledVideo
from roboreward_ros.evaluation.benchmark.official import absolute_error
from roboreward_ros.evaluation.benchmark.page import Disagreement
from roboreward_ros.evaluation.benchmark.predictions import Prediction
from roboreward_ros.evaluation.filmstrip import filmstrip, png_bytes
from roboreward_ros.rewards.config import Options, options_from_json
from roboreward_ros.rewards.opening import open_source
from roboreward_ros.rewards.video_file import read_video
from roboreward_ros.types import Provenance, RewardFailure, RewardOutcome

FILMS = 12
"""Worst disagreements shown, over all models."""


def score_folder(args: argparse.Namespace, videos: Sequence[LabelledVideo]) -> tuple[str, Answered]:
    """Score the folder with ``--source``; returns the model's name and its rows.

    Raises:
        ConfigError: the source cannot be built, or it needs the twin's truth.
        RewardSourceError: it cannot be loaded, or a row failed without ``--keep-going``.
    """
    options = options_from_json(args.options)
    if args.model:
        options["model"] = args.model
    if args.endpoint:
        options["base_url"] = args.endpoint
    rows = with_probes(videos, args.seed) if args.probes else [(video, False) for video in videos]
    display = make_display()
    guard = open_source(args.source, options)
    try:
        if guard.source.spec.needs_truth:
            raise ConfigError(
                f"source '{args.source}' reads a simulator's truth, which a video does not hold"
            )

        def ask(video: LabelledVideo) -> RewardOutcome:
            try:
                request = read_video(video.path, video.task, episode_id=video.id)
            except (ConfigError, RewardSourceError) as error:
                return RewardFailure(str(error), Provenance(args.source))
            return guard.score(request)

        name = f"{args.source}-{args.model.rstrip('/').split('/')[-1]}".rstrip("-")
        name = name.replace("/", "_").replace(":", "_")
        out = args.out / f"{name}.jsonl"
        _same_question(out.with_suffix(".asked.json"), args.source, options, str(args.folder))
        display.stage(name, len(rows))
        answered = answer(rows, ask, out, keep_going=args.keep_going, on_row=display.update)
        display.say(f"predictions: {out} ({answered.new} new)")
    finally:
        display.close()
        guard.source.close()
    if not answered.rows:
        raise RewardSourceError("no row could be scored", got=answered.problems[0])
    return name, answered


def _same_question(path: Path, source: str, options: Options, folder: str) -> None:
    """Keep what was asked beside the answers, and refuse to add answers to another question."""
    asked = {"source": source, "options": dict(options), "folder": folder}
    if path.exists():
        before = json.loads(path.read_text(encoding="utf-8"))
        if before != asked:
            raise ConfigError(
                "this file holds answers to another question",
                got=asked,
                allowed=before,
                next_step="Choose another --out, or ask the same again to go on.",
            )
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asked, indent=1) + "\n", encoding="utf-8")


def worst_films(
    models: Mapping[str, Sequence[Prediction]], videos: Sequence[LabelledVideo]
) -> list[Disagreement]:
    """The rows with the largest errors whose video is at hand, one for each video and model."""
    place = {video.id: video for video in videos}
    ranked = sorted(
        (
            (absolute_error(row), name, row)
            for name, rows in models.items()
            for row in rows
            if row.id in place and not row.probe and absolute_error(row) >= 2
        ),
        key=lambda item: (-item[0], item[1], item[2].id),
    )
    films = []
    for error, name, row in ranked[:FILMS]:
        request = read_video(place[row.id].path, row.task)
        strip = filmstrip(request.frames, request.control_hz, count=6, height=120)
        films.append(Disagreement(name, row, error, png_bytes(strip)))
    return films

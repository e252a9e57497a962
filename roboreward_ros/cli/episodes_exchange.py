# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""``roboreward episodes export | import``: LeRobot, RLDS, labelled videos, rerun."""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np

from roboreward_ros.cli.progress import make_display
from roboreward_ros.clock import SystemClock
from roboreward_ros.episodes.exchange.importing import ImportConfig, import_episodes
from roboreward_ros.episodes.exchange.labelled_videos import LabelledEpisode, export_videos
from roboreward_ros.episodes.exchange.lerobot_import import lerobot_arrivals
from roboreward_ros.episodes.exchange.lerobot_layout import INFO
from roboreward_ros.episodes.exchange.lerobot_read import LeRobotDataset
from roboreward_ros.episodes.exchange.lerobot_write import export_lerobot
from roboreward_ros.episodes.exchange.rerun_write import LabelStated, RerunFile, log_episodes
from roboreward_ros.episodes.exchange.rlds_import import BRIDGE_HZ, rlds_arrivals
from roboreward_ros.episodes.exchange.rlds_read import RldsDataset
from roboreward_ros.episodes.pictures import Fate, PictureBook
from roboreward_ros.episodes.promoted import read_promoted
from roboreward_ros.episodes.run import open_run
from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.episodes.views import RewardView, ViewConfig
from roboreward_ros.errors import ConfigError, FormatError
from roboreward_ros.types import ImageU8

LEROBOT, VIDEOS, RERUN = "lerobot", "videos", "rerun"
JPEG_QUALITY = 95


def add_verbs(verbs: argparse._SubParsersAction[argparse.ArgumentParser], run_help: str) -> None:
    export = verbs.add_parser("export", help="as a LeRobot data set, labelled videos or for rerun")
    export.add_argument("run_dir", type=Path, metavar="RUN", help=run_help)
    export.add_argument("out", type=Path, metavar="OUT", help="folder, or file.rrd for rerun")
    export.add_argument(
        "--format", choices=(LEROBOT, VIDEOS, RERUN), default=LEROBOT,
        help="lerobot: version 3.0, for policies; videos: RoboReward's layout, for reward models; "
        "rerun: everything on a time line, to look at",
    )  # fmt: skip
    export.add_argument("--split", default="train", help="of labelled videos (default: train)")
    export.add_argument(
        "--source", default="", help="whose labels; default: people's, then the promoted source's"
    )
    export.set_defaults(run=_export)
    bring = verbs.add_parser(
        "import", help="demonstrations: LeRobot (2.x, 3.0) or BridgeData as RLDS"
    )
    bring.add_argument("run_dir", type=Path, metavar="RUN", help="run to add to; made if absent")
    bring.add_argument(
        "dataset", type=Path, metavar="DATASET",
        help="folder with meta/info.json (LeRobot) or features.json (RLDS)",
    )  # fmt: skip
    bring.add_argument("--camera", default="", help="feature; default: the only one")
    bring.add_argument("--state", default="", help="column; default: the format's usual name")
    bring.add_argument("--action", default="", help="column; default: the format's usual name")
    bring.add_argument("--split", default="train", help="of an RLDS data set (default: train)")
    bring.add_argument(
        "--fps", type=float, default=BRIDGE_HZ, help="of an RLDS data set, Hz (default: 5)"
    )
    bring.add_argument("--robot", default="wx250s", help="profile of the arm")
    bring.set_defaults(run=_import)


def _decode(jpeg: bytes) -> ImageU8:
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise FormatError(
            "a stored frame cannot be decoded", next_step="roboreward episodes verify"
        )
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)


def encode_picture(image: ImageU8) -> bytes:
    """``[H, W, 3]`` uint8 RGB as JPEG."""
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    return bytes(cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1])


def _export(args: argparse.Namespace) -> int:
    if args.format == RERUN:
        return _export_rerun(args)
    store = EpisodeStore(args.run_dir)
    kept = [
        episode
        for episode in (store.open(episode_id) for episode_id in store.ids())
        if episode.summary.complete and not episode.summary.discarded and episode.has_pictures
    ]
    left_out = len(store.ids()) - len(kept)
    display = make_display()
    display.stage("export", len(kept))
    try:
        if args.format == LEROBOT:
            done = export_lerobot(kept, _decode, args.out, display.update)
            copied = [episode.summary.meta.episode_id for episode in kept]
            said = f"{done.episodes} episodes, {done.rows} rows"
        else:
            view = _view(args)
            scored = ((episode, view.label(episode.summary.meta.episode_id)) for episode in kept)
            labelled = [LabelledEpisode(episode, score) for episode, score in scored if score]
            rows = export_videos(labelled, _decode, args.out, args.split, display.update)
            copied = [item.episode.summary.meta.episode_id for item in labelled]
            said = f"{len(labelled)} labelled videos ({rows} rows in the table)"
            left_out += len(kept) - len(labelled)
    finally:
        display.close()
    book = PictureBook(args.run_dir)
    for episode_id in copied:  # a disk budget may ask for a copy elsewhere
        book.add(episode_id, Fate.EXPORTED, f"{args.format} to {args.out.resolve()}")
    print(
        f"{args.out}: {said}; left out: {left_out} incomplete, discarded, unlabelled or without "
        "pictures"
    )
    return 0


def _view(args: argparse.Namespace) -> RewardView:
    config = read_promoted(args.run_dir) or ViewConfig(source="")
    if args.source:
        config = ViewConfig(source=args.source, scale=config.scale)
    return RewardView.of_run(args.run_dir, config)


def _export_rerun(args: argparse.Namespace) -> int:
    """All episodes, also those that no learner would take: this is for looking."""
    store, view = EpisodeStore(args.run_dir), _view(args)
    ids = store.ids()
    if not ids:
        raise ConfigError("there is no episode to export", got=str(args.run_dir))
    stated = (LabelStated(store.open(name), view.status(name)) for name in ids)
    display = make_display()
    with RerunFile(args.out, args.run_dir.resolve().name) as recording:
        display.stage("export", len(ids))
        try:
            frames = log_episodes(stated, recording, display.update)
        finally:
            display.close()
    print(f"{args.out}: {len(ids)} episodes, {frames} pictures; look with: rerun {args.out}")
    return 0


def _import(args: argparse.Namespace) -> int:
    config = ImportConfig(args.camera, args.state, args.action, args.robot, SystemClock().now_ns())
    if (args.dataset / INFO).is_file():
        dataset = LeRobotDataset(args.dataset)
        count, arrivals = len(dataset.episodes), lerobot_arrivals(dataset, config)
        origin = args.dataset.name
    else:
        episodes = RldsDataset(args.dataset)
        count = episodes.count(args.split)
        arrivals = rlds_arrivals(episodes, config, args.split, args.fps)
        origin = f"{episodes.description.name}/{args.split}"
    if not count:
        raise ConfigError("the data set holds no episode", got=str(args.dataset))
    open_run(args.run_dir, {"imported_from": str(args.dataset)}, fixed=())
    store = EpisodeStore(args.run_dir, "w")
    display = make_display()
    display.stage("import", count)
    try:
        added = import_episodes(arrivals, origin, store, encode_picture, config, display.update)
    finally:
        display.close()
        store.close()
    print(f"{args.run_dir}: {added} of {count} episodes added")
    return 0

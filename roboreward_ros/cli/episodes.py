# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""``roboreward episodes ls | show | verify | prune | export | import RUN``."""

from __future__ import annotations

import argparse
import dataclasses
import json
from datetime import datetime
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from roboreward_ros.cli.episodes_exchange import add_verbs
from roboreward_ros.cli.episodes_prune import add_verb
from roboreward_ros.episodes.promoted import read_promoted
from roboreward_ros.episodes.reader import StoredEpisode
from roboreward_ros.episodes.run import read_run
from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.episodes.verify import verify_episode, verify_run
from roboreward_ros.episodes.views import Label, LabelStatus, RewardView, ViewConfig
from roboreward_ros.errors import FormatError, PicturesGoneError
from roboreward_ros.types import StepFlag, without_closing

RUN_HELP = "folder of a run, such as runs/demo"


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "episodes", help="list, show, verify, prune, export and import episodes"
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    ls = verbs.add_parser("ls", help="one line an episode")
    ls.add_argument("run_dir", type=Path, metavar="RUN", help=RUN_HELP)
    ls.add_argument("--json", action="store_true", help="a JSON list on stdout")
    ls.set_defaults(run=_ls)
    show = verbs.add_parser("show", help="everything about one episode")
    show.add_argument("run_dir", type=Path, metavar="RUN", help=RUN_HELP)
    show.add_argument("episode_id", metavar="ID", help="ep_000042, or 42")
    show.add_argument("--json", action="store_true", help="a JSON object on stdout")
    show.set_defaults(run=_show)
    verify = verbs.add_parser("verify", help="check every byte; exit code 1 on any damage")
    verify.add_argument("run_dir", type=Path, metavar="RUN", help=RUN_HELP)
    verify.add_argument("--json", action="store_true", help="a JSON list of damages on stdout")
    verify.set_defaults(run=_verify)
    add_verb(verbs, RUN_HELP)
    add_verbs(verbs, RUN_HELP)


def _view(run_dir: Path) -> RewardView:
    return RewardView.of_run(run_dir, read_promoted(run_dir) or ViewConfig(source=""))


def _row(episode: StoredEpisode, label: Label) -> dict[str, object]:
    summary = episode.summary
    return {
        **dataclasses.asdict(summary.meta),
        "n_steps": summary.n_steps,
        "end_cause": summary.end_cause.value,
        "complete": summary.complete,
        "taint": list(summary.taint),
        "discarded": summary.discarded,
        "policy_version": summary.policy_version,
        "label": label.status.value,
        "reward": label.score.value if label.score else None,
        "source": label.score.provenance.source if label.score else "",
        "uri": episode.uri,
    }


def open_store(run_dir: Path) -> EpisodeStore:
    """The episodes of a run.

    Raises:
        StoreError: there is no run.
        FormatError: the run is damaged or newer; its episodes may look like none at all.
    """
    store = EpisodeStore(run_dir)
    if (run_dir / "run.json").exists():
        read_run(run_dir)
    return store


def _rows(run_dir: Path) -> list[dict[str, object]]:
    store, view = open_store(run_dir), _view(run_dir)
    rows: list[dict[str, object]] = []
    for episode_id in store.ids():
        try:
            rows.append(_row(store.open(episode_id), view.status(episode_id)))
        except FormatError as error:
            rows.append({"episode_id": episode_id, "damaged": str(error)})
    return rows


def _ls(args: argparse.Namespace) -> int:
    rows = _rows(args.run_dir)
    if args.json:
        print(json.dumps(rows, indent=1, ensure_ascii=False))
        return 0
    table = Table(box=None, header_style="bold")
    for name, justify in (
        ("episode", "left"),
        ("task", "left"),
        ("steps", "right"),
        ("end", "left"),
        ("reward", "right"),
        ("by", "left"),
        ("actor", "right"),
        ("notes", "left"),
    ):
        table.add_column(name, justify="right" if justify == "right" else "left")
    for row in rows:
        if "damaged" in row:
            table.add_row(str(row["episode_id"]), "[red]damaged: see episodes verify[/red]")
            continue
        reward = row["reward"]
        notes = [str(item) for item in row["taint"]] if isinstance(row["taint"], list) else []
        notes += [name for name in ("discarded", "canary") if row[name]]
        notes += [] if row["complete"] else ["incomplete"]
        table.add_row(
            str(row["episode_id"]),
            str(row["task"]),
            f"{row['n_steps']}/{row['max_steps']}",
            str(row["end_cause"]),
            f"{reward:g}" if isinstance(reward, float) else f"[dim]{row['label']}[/dim]",
            str(row["source"]),
            str(row["policy_version"]),
            ", ".join(notes),
        )
    console = Console()
    console.print(table)
    labelled = sum(row.get("label") == LabelStatus.LABELLED for row in rows)
    console.print(f"{len(rows)} episodes, {labelled} labelled")
    return 0


def _show(args: argparse.Namespace) -> int:
    wanted = args.episode_id
    episode_id = f"ep_{int(wanted):06d}" if wanted.isdigit() else wanted
    episode = open_store(args.run_dir).open(episode_id)
    row = _row(episode, _view(args.run_dir).status(episode_id))
    flags = episode.flags()
    row["flags"] = {
        flag.name.lower(): sum(bool(value & flag) for value in flags)
        for flag in StepFlag
        if flag.name and any(value & flag for value in flags)
    }
    try:
        frames = episode.frames()
    except PicturesGoneError as error:
        row["pictures"], frames = str(error), []
    row["frames"] = len(frames)
    row["frame_bytes"] = sum(len(frame) for frame in frames)
    chunks = without_closing(episode.chunks(), episode.summary.n_steps)
    row["decisions"] = len(chunks)
    row["cut_decisions"] = sum(c.executed < episode.summary.meta.chunk_size for c in chunks)
    row["damages"] = [f"{d.where}: {d.what}" for d in verify_episode(episode.folder)]
    if args.json:
        print(json.dumps(row, indent=1, ensure_ascii=False))
        return 0
    created = datetime.fromtimestamp(episode.summary.meta.created_ns / 1e9).astimezone()
    row = {"created": f"{created:%Y-%m-%d %H:%M:%S %Z}"} | row
    del row["created_ns"]
    table = Table(box=None, show_header=False)
    table.add_column()
    table.add_column(overflow="fold")
    for name, value in row.items():
        text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        table.add_row(f"[bold]{name}[/bold]", text)
    Console().print(table)
    return 0


def _verify(args: argparse.Namespace) -> int:
    console = Console(stderr=args.json)
    ids = open_store(args.run_dir).ids()
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("verify", total=len(ids))
        damages = verify_run(args.run_dir, progress=lambda: bar.advance(task))
    if args.json:
        print(json.dumps([dataclasses.asdict(d) for d in damages], indent=1, ensure_ascii=False))
    else:
        for damage in damages:
            console.print(f"[red]{damage.where}[/red]: {damage.what}", soft_wrap=True)
        console.print(
            f"{len(ids)} episodes, {len(damages)} damages"
            if damages
            else f"{len(ids)} episodes: sound"
        )
    return 1 if damages else 0

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""``roboreward reward relabel``: calibrated failures out of successes, resumable and in shards."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from roboreward_ros.cli.progress import Display, make_display
from roboreward_ros.errors import ConfigError

if TYPE_CHECKING:
    from roboreward_ros.reward_training.relabel.catalogue import Catalogue, Shard
    from roboreward_ros.reward_training.relabel.pipeline import Outcome, Progress, Relabelled
    from roboreward_ros.reward_training.relabel.provider import Provider

HELP = """\
Make calibrated failures out of successes: rewritten sentences, instructions that the same video
fails (1 to 4), clips of its beginning, paraphrases; each checked and with its lineage.

  roboreward reward relabel --sim 40 --out runs/relabel           the twin, by rules, no model
  roboreward reward relabel DIR --out OUT --endpoint URL --model NAME
  roboreward reward relabel DIR --out OUT --local FOLDER --shard 0/2    and 1/2 in another shell

Run the same command again to go on where a run was stopped.
"""


def add_relabel(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "relabel",
        help="make calibrated failures out of successes",
        description=HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", nargs="?", type=Path, help="labelled videos (metadata.jsonl)")
    parser.add_argument("--split", default="train", help="of the folder (default: train)")
    parser.add_argument("--sim", type=int, default=0, metavar="N", help="N videos of the twin")
    parser.add_argument("--out", type=Path, required=True, help="journal, manifest and data set")
    parser.add_argument("--endpoint", default="", help="OpenAI-compatible, such as http://host/v1")
    parser.add_argument("--model", default="", help="served model that sees")
    parser.add_argument("--text-model", default="", help="served model for sentences")
    parser.add_argument("--token-env", default="", help="variable with the endpoint's token")
    parser.add_argument(
        "--price-in", type=float, default=0.0, metavar="P", help="of a million tokens asked"
    )
    parser.add_argument(
        "--price-out", type=float, default=0.0, metavar="P", help="of a million tokens answered"
    )
    parser.add_argument(
        "--cost-cap", type=float, default=0.0, metavar="C",
        help="stop when a model has cost this much (default: 0, no cap; needs prices)",
    )  # fmt: skip
    parser.add_argument("--local", default="", help="local model: folder or Hub id")
    parser.add_argument("--attempts", type=int, default=3, help="drafts of an instruction")
    parser.add_argument("--paraphrases", type=int, default=2, help="further wordings an example")
    parser.add_argument(
        "--clip-ends",
        type=float,
        nargs="*",
        default=[0.25, 0.5, 0.75],
        metavar="SHARE",
        help="where a success is cut, as shares of its length (default: 0.25 0.5 0.75)",
    )
    parser.add_argument("--shard", default="0/1", help="part of the videos: index/count")
    parser.add_argument("--seed", type=int, default=0, help="of the twin's videos")
    parser.add_argument("--keep-going", action="store_true", help="name failed rows and go on")
    parser.set_defaults(run=run_relabel)


def run_relabel(args: argparse.Namespace) -> int:
    """Ask, write manifest and layout, say what came out; 1 when rows were left out."""
    from roboreward_ros.reward_training.relabel.catalogue import Catalogue
    from roboreward_ros.reward_training.relabel.episode import RelabelConfig
    from roboreward_ros.reward_training.relabel.output import write_layout
    from roboreward_ros.reward_training.relabel.pipeline import (
        most_questions,
        relabelled,
        run,
        write_manifest,
    )

    config = RelabelConfig(args.attempts, tuple(args.clip_ends), args.paraphrases)
    shard = _shard(args.shard)
    _require_both(args)
    display = make_display()
    problems: list[str] = []
    with Catalogue() as videos:
        try:
            _fill(videos, args, display, problems)
            provider = _provider(args)
            display.say(
                f"{len(videos)} videos, at most {most_questions(videos, config)} questions to "
                f"{provider.identity}; clips end at "
                f"{', '.join(f'{end:g}' for end in config.clip_ends) or 'no share'}"
            )
            display.stage("relabel", videos.count(shard))
            outcome = run(
                videos,
                provider,
                args.out / "journal",
                config,
                shard,
                keep_going=args.keep_going,
                on_progress=lambda progress: display.update(progress.done, _left(progress)),
            )

            def found(part: Shard = shard) -> Iterator[Relabelled]:
                return relabelled(videos, provider, args.out / "journal", config, part)

            whole = shard.count == 1
            name = "manifest.jsonl" if whole else f"manifest-{shard.index}-of-{shard.count}.jsonl"
            digest = write_manifest(found(), args.out / name)
            display.say(f"{args.out / name}: {outcome.examples} examples, sha256 {digest[:12]}")
            rows: dict[str, int] = {}
            if whole:
                display.stage("write", outcome.examples)
                rows = write_layout(
                    found(), args.out / "dataset", provider.identity, on_example=display.update
                )
        finally:
            display.close()
        _report(outcome, rows, [*problems, *outcome.failed])
        if not whole:
            print("when every shard is done, run this once without --shard: it asks nothing new")
        if args.sim:
            _errors(found())
    return int(bool(problems or outcome.failed))


def _shard(text: str) -> Shard:
    from roboreward_ros.reward_training.relabel.catalogue import Shard

    index, _, count = text.partition("/")
    if not (index.isdigit() and count.isdigit()):
        raise ConfigError("--shard", got=text, allowed="index/count, such as 0/2")
    return Shard(int(index), int(count))


def _require_both(args: argparse.Namespace) -> None:
    """Raise ConfigError unless it is said what shall be relabelled, and by whom."""
    if bool(args.sim) == bool(args.folder):
        raise ConfigError(
            "what shall be relabelled?",
            got="both" if args.sim else "neither",
            allowed="a folder of labelled videos, or --sim N",
        )
    chosen = [name for name in ("sim", "endpoint", "local") if getattr(args, name)]
    if len(chosen) != 1:
        raise ConfigError(
            "who shall be asked?",
            got=[f"--{name}" for name in chosen] or "nobody",
            allowed="--endpoint URL --model NAME, --local FOLDER, or --sim N (rules)",
        )


def _fill(
    videos: Catalogue, args: argparse.Namespace, display: Display, problems: list[str]
) -> None:
    """The videos; rows that were left out go to ``problems``."""
    if args.sim:
        from roboreward_ros.studies.relabel_rules import make_videos

        display.stage("twin", args.sim)
        for video in make_videos(args.out / "videos", args.sim, args.seed, display.update):
            videos.add(video)
        return
    from roboreward_ros.episodes.exchange.labelled_layout import Problem, find_table, stop
    from roboreward_ros.reward_training.relabel.catalogue import fill

    def note(problem: Problem) -> None:
        if not args.keep_going:
            stop(problem)
        problems.append(str(problem))

    fill(videos, find_table(args.folder, args.split), note)


def _provider(args: argparse.Namespace) -> Provider:
    if args.sim:
        from roboreward_ros.studies.relabel_rules import RuleProvider

        return RuleProvider()
    from roboreward_ros.reward_training.relabel.asking import prompted_by
    from roboreward_ros.rewards.chat.endpoint import EndpointConfig
    from roboreward_ros.rewards.printing import LocalPrinter, ServedPrinter
    from roboreward_ros.rewards.vlm.settings import ModelConfig

    if args.local:
        config = ModelConfig(model=args.local, max_new_tokens=512)
        return prompted_by(LocalPrinter(config, "Give --local a folder or a Hub id."))

    def served(model: str) -> ServedPrinter:
        return ServedPrinter(
            EndpointConfig(
                base_url=args.endpoint,
                model=model,
                token_env=args.token_env,
                max_tokens=512,
                timeout_s=120.0,
                price_in=args.price_in,
                price_out=args.price_out,
                cost_cap=args.cost_cap,
            )
        )

    vision = served(args.model)
    language = served(args.text_model) if args.text_model else None
    asked = [vision] if language is None else [vision, language]
    return prompted_by(vision, language, lambda: sum(printer.cost for printer in asked))


def _left(progress: Progress) -> str:
    if not progress.asked:
        return f"{progress.examples} examples, nothing new to ask"
    left = f"{progress.examples} examples, about {progress.left_s / 60:.0f} min left"
    return left + (f", {progress.left_cost:.2f} to spend" if progress.left_cost else "")


def _report(outcome: Outcome, rows: dict[str, int], problems: Sequence[str]) -> None:
    levels = [outcome.rewards[level] for level in range(1, 6)]
    kinds = sorted(outcome.kinds.items())
    print("examples: " + ", ".join(f"{count} {kind}" for kind, count in kinds))
    print("rewards 1..5: " + ", ".join(map(str, levels)))
    if rows:
        print("splits: " + ", ".join(f"{count} {split}" for split, count in rows.items()))
    print(f"questions asked now: {outcome.asked}")
    for reason, count in outcome.refused.most_common(8):
        print(f"refused {count} times: {reason}")
    for problem in problems:
        print(f"left out: {problem}")


def _errors(found: Iterator[Relabelled]) -> None:
    from roboreward_ros.studies.relabel_rules import label_errors

    print("label error against the twin's own judgement:")
    for row in label_errors(found):
        print(
            f"  {row.kind:<15} n {row.n:4d}  MAE {row.mae:.3f}  exact {100 * row.exact:5.1f} %  "
            f"worst {row.worst}"
        )

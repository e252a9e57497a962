# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""``roboreward reward relabel`` over a Ray cluster: a shard a task, all asking one endpoint.

Ray is none of the package's requirements: ``pip install 'ray[data]'`` beside it on every machine.
The folders must be shared (a network file system). Shards that failed or were killed are run again
by the same command; nothing is asked twice. When it says that every shard is done, the manifest and
the data set are written by ``roboreward reward relabel`` with the same arguments and no shard.

Usage: python tools/relabel_with_ray.py DIR --out OUT --endpoint URL --model NAME [--shards N]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import ray
import ray.data

from roboreward_ros.episodes.exchange.labelled_layout import find_table
from roboreward_ros.reward_training.relabel.asking import prompted_by
from roboreward_ros.reward_training.relabel.catalogue import Catalogue, Shard, fill
from roboreward_ros.reward_training.relabel.episode import RelabelConfig
from roboreward_ros.reward_training.relabel.pipeline import run
from roboreward_ros.rewards.chat.endpoint import EndpointConfig
from roboreward_ros.rewards.printing import ServedPrinter


def relabel_shard(row: dict[str, int], args: argparse.Namespace) -> dict[str, object]:
    """One task: everything about one shard's videos; bad rows and failed videos are named."""
    problems: list[str] = []
    endpoint = EndpointConfig(
        base_url=args.endpoint,
        model=args.model,
        token_env=args.token_env,
        max_tokens=512,
        timeout_s=120.0,
    )
    with Catalogue() as videos:
        table = find_table(args.folder, args.split)
        fill(videos, table, lambda problem: problems.append(str(problem)))
        outcome = run(
            videos,
            prompted_by(ServedPrinter(endpoint)),
            args.out / "journal",
            RelabelConfig(),
            Shard(int(row["id"]), args.shards),
            keep_going=True,
        )
    return {
        "shard": int(row["id"]),
        "examples": outcome.examples,
        "asked": outcome.asked,
        "bad_rows": problems,
        "failed": list(outcome.failed),
    }


def main() -> int:
    """Run every shard; 1 when a row was bad or a video failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="labelled videos (metadata.jsonl)")
    parser.add_argument("--split", default="train", help="of the folder (default: train)")
    parser.add_argument("--out", type=Path, required=True, help="journal, on a shared disk")
    parser.add_argument("--endpoint", required=True, help="OpenAI-compatible")
    parser.add_argument("--model", required=True, help="served model that sees")
    parser.add_argument("--token-env", default="", help="variable with the endpoint's token")
    parser.add_argument("--shards", type=int, default=8, help="tasks (default: 8)")
    parser.add_argument("--concurrency", type=int, default=0, help="at once (default: all)")
    args = parser.parse_args()
    ray.init(ignore_reinit_error=True)
    rows = ray.data.range(args.shards, override_num_blocks=args.shards).map(
        relabel_shard,
        fn_kwargs={"args": args},
        num_cpus=0.5,  # it waits for the endpoint
        concurrency=args.concurrency or args.shards,
    )
    wrong, examples, bad = 0, 0, list[str]()
    for row in rows.iter_rows():
        print(f"shard {row['shard']}: {row['examples']} examples, {row['asked']} questions asked")
        examples += int(row["examples"])
        bad = list(row["bad_rows"])  # every shard reads the whole table
        for name in row["failed"]:
            print(f"  failed: {name}")
            wrong += 1
    for problem in bad:
        print(f"left out: {problem}")
    print(f"{args.shards} shards done, {examples} examples, {wrong} videos failed")
    return int(bool(wrong or bad))


if __name__ == "__main__":
    raise SystemExit(main())

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Packed training steps beside steps of single examples: CPU time, and both gradients.

One video, many instructions, as counterfactual data has them; forward and backward pass of the
fine-tuning itself on randomly initialised models of both families.

Usage: python bench/reward_training.py [--json OUT] [--examples 8 16] [--device cuda]
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from roboreward_ros.reward_training.finetune.feeding import Feeder
from roboreward_ros.reward_training.finetune.forms import Example, Form
from roboreward_ros.reward_training.finetune.frames import FrameStore
from roboreward_ros.reward_training.finetune.network import Answering, losses, prepare
from roboreward_ros.reward_training.finetune.recipe import Compute, parse_finetune
from roboreward_ros.reward_training.finetune.writing import Writing
from roboreward_ros.rewards.vlm.backend import Backend
from roboreward_ros.rewards.vlm.prompt import Family
from roboreward_ros.rewards.vlm.weights import WeightsConfig, load
from roboreward_ros.testing.grey_video import write_video
from roboreward_ros.testing.tiny_vlm import TinySize, make_tiny_vlm

SIZES = {
    "1M": TinySize(hidden=128, layers=3, vision_hidden=64, patch=16),
    "10M": TinySize(hidden=384, layers=6, vision_hidden=128, patch=16),
}
HEADS = ("rubric", "progress")


@dataclass(frozen=True)
class Step:
    """Forward and backward pass of one step."""

    seconds: float
    tokens: int
    loss: float
    gradient: list[torch.Tensor]


def step(
    network: Answering, feeder: Feeder, examples: list[Example], form: Form, repeat: int
) -> Step:
    """The fastest of several."""
    moved = list(network.trained().values())
    device = moved[0].device
    best, loss, gradient, tokens = float("inf"), 0.0, [], 0
    # One thread's own seconds: other load of the machine does not count.
    clock = time.perf_counter if device.type == "cuda" else time.process_time
    for _ in range(repeat):
        begun = clock()
        micros = feeder.micros(examples, [tuple(range(len(examples)))], form.replies, ended=True)
        network.zero_grad(set_to_none=True)
        loss = 0.0
        for micro in micros:
            there = micro.to(device)
            weights = torch.ones(len(micro.replies), device=device) / len(examples)
            part = losses(network(there), there, weights)
            part.backward()
            loss += part.item()
        if device.type == "cuda":
            torch.cuda.synchronize()
        best = min(best, clock() - begun)
        gradient = [parameter.grad.clone() for parameter in moved]
        tokens = sum(micro.batch.ids.numel() for micro in micros)
    return Step(best, tokens, loss, gradient)


def examples_of(head: str, video: str, count: int, frames: int) -> list[Example]:
    """Questions about one video; progress asks about its key frames."""
    if head == "rubric":
        tasks = [f"put the block number {k} on the cloth" for k in range(count)]
        return [Example(video, task, (), k % 5) for k, task in enumerate(tasks)]
    places = np.linspace(0, frames - 1, 11).round().astype(int)[:count]
    return [Example(video, "open the drawer", (0, int(k)), n) for n, k in enumerate(places)]


def measure(
    folder: Path,
    family: Family,
    size: str,
    head: str,
    order: str,
    count: int,
    args: argparse.Namespace,
) -> dict[str, object]:
    base = folder / f"{family}-{size}"
    if not base.exists():
        make_tiny_vlm(base, family, SIZES[size])
    options: dict[str, object] = {"frame_pixels": 128 * 128}
    if head == "rubric":
        options |= {"order": order, "min_frames": 8, "max_frames": 8}
    config = parse_finetune({"model": str(base), "head": head, "options": options}, "bench")
    weights = load(WeightsConfig(model=str(base), device="cpu"))
    form = Form(config)
    video = folder / "video.mp4"
    if not video.exists():
        write_video(video, 80, fps=10, size=(128, 128))
    store = FrameStore(folder / "frames", form.frames, form.name)
    (sha256,) = store.keep([video])[0].values()
    writing = Writing(Backend(weights), form, store)
    network = prepare(weights, config).to(args.device).train()
    examples = examples_of(head, sha256, count, store.read(sha256).count)
    both = {
        packed: step(
            network, Feeder(writing, Compute(packed=packed, micro_tokens=args.tokens)),
            examples, form, args.repeat,
        )
        for packed in (False, True)
    }  # fmt: skip
    single, packed = both[False], both[True]
    apart = max(
        float((a - b).abs().max()) for a, b in zip(single.gradient, packed.gradient, strict=True)
    )
    largest = max(float(a.abs().max()) for a in single.gradient)
    return {
        "family": str(family),
        "params": sum(p.numel() for p in network.parameters()),
        "device": args.device,
        "head": head,
        "order": order if head == "rubric" else "-",
        "examples": len(examples),
        "single_tokens": single.tokens,
        "packed_tokens": packed.tokens,
        "single_s": round(single.seconds, 4),
        "packed_s": round(packed.seconds, 4),
        "speedup": round(single.seconds / packed.seconds, 2),
        "loss_apart": abs(single.loss - packed.loss),
        "gradient_apart": apart,
        "largest_gradient": largest,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="file for all rows")
    parser.add_argument("--examples", type=int, nargs="+", default=[4, 11], help="about one video")
    parser.add_argument("--sizes", nargs="+", choices=tuple(SIZES), default=list(SIZES))
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--tokens", type=int, default=16384, help="of a micro-batch")
    parser.add_argument("--repeat", type=int, default=3, help="the fastest counts")
    args = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    cases = [("rubric", "video_first"), ("rubric", "text_first"), ("progress", "-")]
    with tempfile.TemporaryDirectory() as place:
        for size in args.sizes:
            for family in Family:
                for head, order in cases:
                    for count in args.examples:
                        row = measure(Path(place), family, size, head, order, count, args)
                        rows.append(row)
                        if args.json:
                            args.json.parent.mkdir(parents=True, exist_ok=True)
                            args.json.write_text(json.dumps({"rows": rows}, indent=1) + "\n")
                        print(
                            f"{family:<11} {row['params'] / 1e6:5.1f} M  {head:<9}{order:<12}"
                            f"{count:>3} examples  {row['single_s']:7.3f} s -> "
                            f"{row['packed_s']:7.3f} s  {row['speedup']:5.2f}x  gradients apart "
                            f"{row['gradient_apart']:.1e} of {row['largest_gradient']:.1e}",
                            flush=True,
                        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

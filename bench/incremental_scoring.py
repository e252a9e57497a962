# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What keeping keys and values saves, and that it changes nothing.

Run: python bench/incremental_scoring.py [--sizes 1m,30m] [--frames 8,16,32,64,128] [--json OUT].

``stepwise``: every frame of a growing episode gets a score; in full, each is a prefill of its own.
``packed``: 16 instructions on one video; in full, 16 prefills. The long suffix is the whole rubric
behind the video (packed shares it up to the task), the short one is what remains of the prompt when
the rubric stands in front of it (stepwise), or a bare task sentence (packed). Weights are random:
only speed and equality are shown. On a CPU, seconds are those of the process on one thread, so that
waiting for other load does not count; what it does to the caches does, so that both ways take turns
and the best time of each is kept.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy as np
import torch

from roboreward_ros.rewards.vlm.answers import Answer
from roboreward_ros.rewards.vlm.backend import Backend
from roboreward_ros.rewards.vlm.clips import Clip
from roboreward_ros.rewards.vlm.incremental import IncrementalScorer
from roboreward_ros.rewards.vlm.packed import score_instructions
from roboreward_ros.rewards.vlm.processors import Patching
from roboreward_ros.rewards.vlm.prompt import (
    VIDEO_TRIPLE,
    Family,
    Order,
    PromptConfig,
    chat,
    scoring_prompt,
    split_video,
)
from roboreward_ros.rewards.vlm.weights import Weights
from roboreward_ros.testing.tiny_vlm import TinySize, random_clip, random_model

_QWEN = TinySize(
    hidden=2560, layers=36, heads=32, kv_heads=8, head_dim=128, intermediate=9728,
    vocabulary=151_936, vision_hidden=1024, vision_layers=24, vision_heads=16,
    vision_intermediate=4096, deepstack=(5, 11, 17), patch=16,
)  # fmt: skip
SIZES = {
    "1m": TinySize(hidden=128, layers=4, vision_hidden=64, vision_layers=2, patch=16),
    "30m": TinySize(hidden=512, layers=10, heads=8, vision_hidden=256, vision_layers=6, patch=16),
    "4b": _QWEN,
    "8b": dataclasses.replace(
        _QWEN, hidden=4096, intermediate=12_288, vision_hidden=1152, vision_layers=27,
        vision_intermediate=4304, deepstack=(8, 16, 24),
    ),
}  # fmt: skip
"""The shapes of Qwen3-VL-4B and -8B need a GPU: --sizes 4b --device cuda --dtype bfloat16."""
REPEATS = 4
"""More measurements of a case, one where a case takes ``LONG_S`` and more."""
LONG_S = 20.0  # s
OBJECTS = ("drawer", "cup", "cloth", "cube", "pot", "lid", "spoon", "mushroom")
TASKS = [f"{verb} the {thing}" for verb in ("open", "lift") for thing in OBJECTS]


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    family: str
    params: int
    device: str
    dtype: str
    frames: int
    mode: str
    suffix_tokens: int
    full_s: float
    fast_s: float
    speedup: float
    max_abs_dlogit: float


def random_backend(family: Family, size: TinySize, device: str, dtype: str) -> Backend:
    """A model with random weights, made where it will run."""
    torch.set_default_dtype(getattr(torch, dtype))
    try:
        with torch.device(device):
            model, tokenizer = random_model(family, size)
    finally:
        torch.set_default_dtype(torch.float32)
    patching = Patching(size.patch, 2, 2, (0.5,) * 3, (0.5,) * 3)
    model = model.requires_grad_(False)
    return Backend(Weights(model, tokenizer, family, patching, "random"))


def timed(device: str, work: Callable[[], list[Answer]]) -> tuple[float, list[Answer]]:
    """Seconds and results; of the process on a CPU, of the wall on a GPU."""
    if device == "cpu":
        start = time.process_time()
        found = work()
        return time.process_time() - start, found
    torch.cuda.synchronize()
    start = time.perf_counter()
    found = work()
    torch.cuda.synchronize()
    return time.perf_counter() - start, found


def stepwise(backend: Backend, clip: Clip, order: Order) -> tuple[int, Callable, Callable]:
    """Suffix tokens, full and fast scoring of every prefix."""
    prompt = scoring_prompt(TASKS[0], PromptConfig(order), backend.family)
    before, after = split_video(prompt)

    def full() -> list[Answer]:
        return [backend.score(prompt, clip.prefix(n + 1)) for n in range(len(clip.times_s))]

    def fast() -> list[Answer]:
        scorer = IncrementalScorer(backend, before, clip.seconds_per_frame)
        found = []
        for frame, time_s in zip(clip.frames, clip.times_s, strict=True):
            scorer.push(frame, time_s)
            found.append(scorer.score(after))
        return found

    return len(backend.encoder.encode(after + backend.rubric.lead)), full, fast


def packed(backend: Backend, clip: Clip, short: bool) -> tuple[int, Callable, Callable]:
    """Suffix tokens, full and fast scoring of 16 instructions."""
    config = PromptConfig(Order.VIDEO_FIRST)
    prompts = [
        chat(f"{VIDEO_TRIPLE}Task: {task}", "auto", backend.family)
        if short
        else scoring_prompt(task, config, backend.family)
        for task in TASKS
    ]

    def full() -> list[Answer]:
        return [backend.score(prompt, clip) for prompt in prompts]

    def fast() -> list[Answer]:
        return score_instructions(backend, prompts, clip)

    suffix = split_video(prompts[0])[1] + backend.rubric.lead
    return len(backend.encoder.encode(suffix)), full, fast


def compare(backend: Backend, device: str, dtype: str, clip: Clip, mode: str, case: tuple) -> Row:
    suffix, full, fast = case
    full_s, wanted = timed(device, full)
    fast_s, found = timed(device, fast)
    for _ in range(REPEATS if full_s < LONG_S else 1):
        full_s = min(full_s, timed(device, full)[0])
        fast_s = min(fast_s, timed(device, fast)[0])
    gap = max(
        float(np.abs(np.array(a.logits) - np.array(b.logits)).max())
        for a, b in zip(found, wanted, strict=True)
    )
    return Row(
        backend.family.value,
        sum(weight.numel() for weight in backend.core.parameters()),
        device,
        dtype,
        len(clip.times_s),
        mode,
        suffix,
        round(full_s, 4),
        round(fast_s, 4),
        round(full_s / fast_s, 2),
        gap,
    )


def measure(
    backend: Backend, device: str, dtype: str, frames: Sequence[int], side: int
) -> list[Row]:
    rows = []
    for order in Order:  # warm up both paths
        _, full, fast = stepwise(backend, random_clip(2, side=(side, side)), order)
        full()
        fast()
    for count in frames:
        clip = random_clip(count, side=(side, side))
        cases = [("stepwise", stepwise(backend, clip, order)) for order in Order]
        cases += [("packed", packed(backend, clip, short)) for short in (True, False)]
        for mode, case in cases:
            row = compare(backend, device, dtype, clip, mode, case)
            print(
                f"{row.family:>10} {row.params / 1e6:6.1f} M {row.frames:4d} frames {row.mode:>8} "
                f"suffix {row.suffix_tokens:3d}: full {row.full_s:8.3f} s, fast "
                f"{row.fast_s:8.3f} s, {row.speedup:5.1f}x, max |dlogit| {row.max_abs_dlogit:.1e}"
            )
            rows.append(row)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", default="1m,30m", help=f"of {', '.join(SIZES)}")
    parser.add_argument("--frames", default="8,16,32,64,128")
    parser.add_argument("--families", default=",".join(Family))
    parser.add_argument("--side", type=int, default=128, help="of a frame, pixels")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16"])
    parser.add_argument("--json", default="", help="file for the rows")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows: list[Row] = []
    for size in options.sizes.split(","):
        for family in options.families.split(","):
            backend = random_backend(Family(family), SIZES[size], options.device, options.dtype)
            frames = [int(count) for count in options.frames.split(",")]
            rows += measure(backend, options.device, options.dtype, frames, options.side)
    if options.json:
        content = [dataclasses.asdict(row) for row in rows]
        Path(options.json).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Does the learner learn the same in bfloat16? Learning curves of both precisions, seed by seed.

Run: python bench/precision_curves.py [--seeds N] [--widths 64 512] [--json OUT].

Each seed runs three times on a toy task whose best noise is known: in float32; in float32 with the
first weights moved by a millionth, which shows how far two runs drift apart for no reason at all;
and in bfloat16. Every tenth episode the steered policy plays 100 held-out layouts. What counts is
the difference of the mean success over the curve, paired by seed, beside the nudge's.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from roboreward_ros.dsrl.compute import Compute, Precision, bf16_path
from roboreward_ros.dsrl.config import load_profile
from roboreward_ros.dsrl.learner import Learner
from roboreward_ros.evaluation.intervals import Interval, paired_bootstrap
from roboreward_ros.testing.steering_toy import SteeringToy

TOY = SteeringToy()
ARMS = ("fp32", "fp32 nudged", "bf16")
NUDGE = 1e-6
EVERY = 10
HELD_OUT = 100


def curve(arm: str, width: int, seed: int, episodes: int) -> list[float]:
    """Held-out success of the steered policy after every tenth training episode."""
    profile = dataclasses.replace(load_profile("widowx"), hidden=(width, width))
    precision = Precision.BF16 if arm == "bf16" else Precision.FP32
    learner = Learner(profile, TOY.spec, seed, Compute(precision=precision))
    if arm == "fp32 nudged":
        with torch.no_grad():
            for parameter in learner.sac.modules()["critic"].parameters():
                parameter.mul_(1 + NUDGE)
    found = []
    for k in range(episodes):
        actor = learner.actor_snapshot()
        episode = TOY.run(1000 * seed + k, actor.steer, actor.version)
        learner.observe_episode(episode, episode.label)
        learner.update()
        if (k + 1) % EVERY == 0:
            steer = learner.actor_snapshot().steer
            won = [TOY.run(10**6 + i, steer).score == 5 for i in range(HELD_OUT)]
            found.append(float(np.mean(won)))
    return found


def row(width: int, curves: dict[str, list[list[float]]]) -> dict[str, object]:
    """Differences of the area under the curve and of its end."""
    area = {arm: [float(np.mean(it)) for it in found] for arm, found in curves.items()}
    end = {arm: [it[-1] for it in found] for arm, found in curves.items()}
    gaps = {
        f"{arm} - fp32, {name}": dataclasses.asdict(paired_bootstrap(values[arm], values["fp32"]))
        for arm in ARMS[1:]
        for name, values in (("area", area), ("end", end))
    }
    return {"width": width, "seeds": len(curves["fp32"]), "gaps": gaps, "curves": curves}


def said(found: dict[str, object]) -> str:
    lines = [f"width {found['width']}, {found['seeds']} seeds"]
    for arm, curves in found["curves"].items():
        points = " ".join(f"{100 * it:3.0f}" for it in np.mean(curves, axis=0))
        lines.append(f"  {arm:<12} {points} %")
    for name, gap in found["gaps"].items():
        it = Interval(**gap)
        points = f"{100 * it.value:+.1f} [{100 * it.low:+.1f}, {100 * it.high:+.1f}] points"
        lines.append(f"  {name:<24} {points}")
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--episodes", type=int, default=60)
    parser.add_argument("--widths", type=int, nargs="+", default=[64, 512])
    parser.add_argument("--json", type=Path, help="write the results here")
    args = parser.parse_args(argv)
    result: dict[str, object] = {
        "bf16": bf16_path() or "emulated",
        "episodes": args.episodes,
        "held_out": HELD_OUT,
        "nudge": NUDGE,
        "torch": torch.__version__,
        "load_average_1min": os.getloadavg()[0],
        "rows": [],
    }
    for width in args.widths:
        curves: dict[str, list[list[float]]] = {arm: [] for arm in ARMS}
        for seed in range(args.seeds):
            for arm in ARMS:
                curves[arm].append(curve(arm, width, seed, args.episodes))
        result["rows"].append(row(width, curves))
        print(said(result["rows"][-1]), flush=True)
    if args.json:
        args.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()

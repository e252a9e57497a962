# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Does the learner learn the same in bfloat16? Learning curves of both precisions, seed by seed.

Run: python bench/precision_curves.py [--profiles widowx noise_aliased] [--widths 64 512]
[--seeds N] [--json OUT]; rows that OUT holds already are kept.

Each seed runs three times on a toy task whose best noise is known: in float32; in float32 with the
first weights moved by a millionth, which shows how far two runs drift apart for no reason at all;
and in bfloat16. All latents are steered: the toy's best noise is not the same for every action of a
chunk. Every tenth episode the steered policy plays 100 held-out layouts. What counts is the
difference of the mean success over the curve, paired by seed, beside the nudge's.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from roboreward_ros.dsrl.actor import SteeringActor
from roboreward_ros.dsrl.compute import Compute, Precision, bf16_path
from roboreward_ros.dsrl.config import NoiseForm, load_profile
from roboreward_ros.dsrl.edit_actor import steered_chunk
from roboreward_ros.dsrl.learner import Learner
from roboreward_ros.evaluation.intervals import Interval, paired_bootstrap
from roboreward_ros.testing.steering_toy import SteeringToy, ToyEpisode

TOY = SteeringToy()
ARMS = ("fp32", "fp32 nudged", "bf16")
NUDGE = 1e-6
EVERY = 10
HELD_OUT = 100


def played(actor: SteeringActor, seed: int) -> ToyEpisode:
    return TOY.play(seed, lambda *at: steered_chunk(TOY.decode, actor, *at), actor.version)


def curve(profile: str, arm: str, width: int, seed: int, episodes: int) -> list[float]:
    """Held-out success of the steered policy after every tenth training episode."""
    whole = {"noise": NoiseForm.FULL, "kl_budget": 12.0}
    config = dataclasses.replace(load_profile(profile), hidden=(width, width), **whole)
    precision = Precision.BF16 if arm == "bf16" else Precision.FP32
    learner = Learner(config, TOY.spec, seed, Compute(precision=precision), TOY.decode)
    if arm == "fp32 nudged":
        with torch.no_grad():
            for module in learner.sac.modules().values():
                for parameter in module.parameters():
                    parameter.mul_(1 + NUDGE)
    found = []
    for k in range(episodes):
        episode = played(learner.actor_snapshot(), 1000 * seed + k)
        learner.observe_episode(episode, episode.label)
        learner.update()
        if (k + 1) % EVERY == 0:
            actor = learner.actor_snapshot()
            won = [played(actor, 10**6 + i).score == 5 for i in range(HELD_OUT)]
            found.append(float(np.mean(won)))
    return found


def row(profile: str, width: int, curves: dict[str, list[list[float]]]) -> dict[str, object]:
    """Differences of the area under the curve and of its end."""
    area = {arm: [float(np.mean(it)) for it in found] for arm, found in curves.items()}
    end = {arm: [it[-1] for it in found] for arm, found in curves.items()}
    gaps = {
        f"{arm} - fp32, {name}": dataclasses.asdict(paired_bootstrap(values[arm], values["fp32"]))
        for arm in ARMS[1:]
        for name, values in (("area", area), ("end", end))
    }
    return {
        "profile": profile,
        "width": width,
        "seeds": len(curves["fp32"]),
        "episodes": EVERY * len(curves["fp32"][0]),
        "load_average_1min": os.getloadavg()[0],
        "gaps": gaps,
        "curves": curves,
    }


def said(found: dict[str, object]) -> str:
    lines = [f"{found['profile']}, width {found['width']}, {found['seeds']} seeds"]
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
    parser.add_argument("--profiles", nargs="+", default=["widowx", "noise_aliased"])
    parser.add_argument("--widths", type=int, nargs="+", default=[64, 512])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--episodes", type=int, default=60)
    parser.add_argument("--json", type=Path, help="write the results here, beside its other rows")
    args = parser.parse_args(argv)
    result: dict[str, object] = {
        "bf16": bf16_path() or "emulated",
        "held_out": HELD_OUT,
        "nudge": NUDGE,
        "torch": torch.__version__,
    }
    rows = json.loads(args.json.read_text())["rows"] if args.json and args.json.exists() else []
    for profile, width in itertools.product(args.profiles, args.widths):
        curves: dict[str, list[list[float]]] = {arm: [] for arm in ARMS}
        for seed, arm in itertools.product(range(args.seeds), ARMS):
            curves[arm].append(curve(profile, arm, width, seed, args.episodes))
        found = row(profile, width, curves)
        print(said(found), flush=True)
        rows = [r for r in rows if (r["profile"], r["width"]) != (profile, width)] + [found]
        if args.json:
            args.json.write_text(json.dumps(result | {"rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Films one held-out layout twice: the frozen policy with plain noise, and the same one steered.

Usage: python tools/make_before_after.py runs/demo [--out docs/images]

Takes the first held-out layout on which the base fails and the run's last actor succeeds, and
writes before_after.png (two filmstrips) and before_after.gif (side by side, real time).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from roboreward_ros.dsrl.actor import load_actor
from roboreward_ros.evaluation.filmstrip import GAP, filmstrip, png_bytes
from roboreward_ros.evaluation.summary import read_summary
from roboreward_ros.policies.diffusion import load_policy
from roboreward_ros.sim.adapters import TwinCamera, TwinRobot
from roboreward_ros.sim.seeds import held_out_seed
from roboreward_ros.sim.twin import Twin
from roboreward_ros.studies.rollout import NoiseChooser, PriorNoise, Rollout, SteeredNoise
from roboreward_ros.types import FloatArray, ImageU8, RobotState, StepReport

LAYOUTS = 50


class FilmedRobot(TwinRobot):
    """The twin's arm with a frame kept of every state."""

    def __init__(self, twin: Twin) -> None:
        super().__init__(twin)
        self.filmed = twin
        self.frames: list[ImageU8] = []

    def reset(self, task: str, seed: int) -> RobotState:
        state = super().reset(task, seed)
        self.frames = [self.filmed.render(256, 256)]
        return state

    def step(self, action: FloatArray) -> StepReport:
        report = super().step(action)
        self.frames.append(self.filmed.render(256, 256))
        return report


def strip(frames: list[ImageU8], hz: float) -> ImageU8:
    jpegs = [cv2.imencode(".jpg", f[:, :, ::-1], [1, 95])[1].tobytes() for f in frames]
    return filmstrip(jpegs, hz, count=7, height=170)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--out", type=Path, default=Path("docs/images"))
    options = parser.parse_args()
    summary = read_summary(options.run)
    policy = load_policy("demo", "cpu")
    actor = load_actor(sorted((options.run / "policies").glob("actor_*.safetensors"))[-1])
    twin = Twin()
    robot = FilmedRobot(twin)
    camera = TwinCamera(twin, 256, 256)
    robot.connect()
    camera.open()
    rollout = Rollout(robot, camera, policy, twin.truth)
    steps = next(t.max_steps for t in twin.tasks if t.sentence == summary.task)

    def film(seed: int, chooser: NoiseChooser) -> tuple[bool, list[ImageU8]]:
        done = rollout.run(summary.task, seed, chooser, steps)
        return done.success, robot.frames

    for layout in range(LAYOUTS):
        seed = held_out_seed(layout)
        failed, before = film(seed, PriorNoise(1.0))
        if failed:
            continue
        worked, after = film(seed, SteeredNoise(actor, deterministic=False))
        if worked:
            break
    else:
        print(f"no layout of {LAYOUTS} separates base and steered")
        return 1
    twin.close()
    options.out.mkdir(parents=True, exist_ok=True)
    hz = policy.spec.control_hz
    rows = [strip(before, hz), strip(after, hz)]
    gap = np.full((2 * GAP, rows[0].shape[1], 3), 255, np.uint8)
    (options.out / "before_after.png").write_bytes(
        png_bytes(np.concatenate([rows[0], gap, rows[1]]))
    )
    pairs = [np.concatenate(pair, axis=1) for pair in zip(before, after, strict=True)]
    film_frames = [Image.fromarray(p).resize((448, 224)).quantize(64) for p in pairs]
    film_frames[0].save(
        options.out / "before_after.gif",
        save_all=True,
        append_images=[*film_frames[1:], *[film_frames[-1]] * 8],
        duration=round(1000 / hz),
        loop=0,
        optimize=True,
    )
    print(f"layout {layout}: wrote {options.out}/before_after.png and .gif")
    return 0


if __name__ == "__main__":
    sys.exit(main())

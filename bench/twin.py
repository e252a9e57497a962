# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What does the twin cost? CPU time of physics, resets and pictures, one thread.

python bench/twin.py [--episodes 10] [--gl auto]
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from roboreward_ros.sim import gl
from roboreward_ros.sim.demonstrators import demonstrate
from roboreward_ros.sim.seeds import demo_seed
from roboreward_ros.sim.tasks import TASKS
from roboreward_ros.sim.twin import Twin, TwinConfig

SIZES = ((64, 64), (128, 128), (256, 256), (640, 480))
PICTURES = 60


def milliseconds(action, times: int) -> float:
    """CPU milliseconds of one call, mean of ``times`` after one to warm up."""
    action()
    start = time.process_time()
    for _ in range(times):
        action()
    return 1e3 * (time.process_time() - start) / times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--episodes", type=int, default=10, help="demonstrations per task")
    parser.add_argument("--gl", default="auto", help="auto | egl | osmesa")
    options = parser.parse_args()
    backend = gl.prepare(options.gl)
    twin = Twin(TwinConfig(gl=backend))
    header = ["task", "reset", "50 steps", "ideal demo", "success"]
    header += [f"{w}x{h}" for w, h in SIZES]
    print(f"CPU milliseconds, OpenGL backend {backend}")
    print(" | ".join(f"{name:>10}" for name in header))
    for spec in TASKS:
        reset = milliseconds(lambda key=spec.key: twin.reset(key, 1), 10)
        start = time.process_time()
        done = [
            demonstrate(twin, spec.key, demo_seed(i), np.random.default_rng(i), ideal=True).success
            for i in range(options.episodes)
        ]
        demo = 1e3 * (time.process_time() - start) / options.episodes
        twin.reset(spec.key, 1)
        action = np.array([0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0])
        steps = 50 * milliseconds(lambda: twin.step(action), 100)  # noqa: B023
        pictures = [milliseconds(lambda s=size: twin.render(*s), PICTURES) for size in SIZES]
        row = [spec.key, f"{reset:.1f}", f"{steps:.0f}", f"{demo:.0f}", f"{np.mean(done):.2f}"]
        row += [f"{picture:.1f}" for picture in pictures]
        print(" | ".join(f"{cell:>10}" for cell in row))
    twin.close()


if __name__ == "__main__":
    main()

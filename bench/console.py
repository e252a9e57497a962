# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a viewer of the web console costs: CPU of the server's process at a 10 Hz camera view.

Usage: python bench/console.py [--viewers 1 4] [--seconds 15] [--browser] [--json OUT]

The server runs alone with a session that steps at 5 Hz and 640x480 pictures at 10 Hz. A viewer is
a live picture over the console's WebSocket; with --browser it is a whole page in a real headless
browser (whose own CPU is not the robot machine's business and is not counted).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

RESULT = Path(__file__).parent / "results" / "console.json"
CAMERA_HZ = 10.0
TICKS = os.sysconf("SC_CLK_TCK")


def serve(port: int) -> None:
    """The child: a console over a session that only counts steps."""
    import cv2
    import numpy as np

    from roboreward_ros.clock import SystemClock
    from roboreward_ros.console.hub import Hub
    from roboreward_ros.console.live import CAMERA
    from roboreward_ros.console.server import ConsoleServer, ServerConfig
    from roboreward_ros.errors import StoreError
    from roboreward_ros.types import (
        AskCard,
        IdleAccount,
        RewardPoint,
        RunFacts,
        SessionView,
        VerbAnswer,
    )

    clock = SystemClock()
    start_ns = clock.steady_ns()

    class Session:
        def view(self) -> SessionView:
            seconds = (clock.steady_ns() - start_ns) / 1e9
            step, index = int(seconds * 5) % 50, int(seconds / 10)
            return SessionView(
                *("RUNNING", "running", ("label", "hold", "quit"), "open the drawer"),
                *(f"ep_{index:06d}", step, index, index, 0, 0),
                IdleAccount(motion_s=seconds),
                max_steps=50,
            )

        def send(self, request: object) -> VerbAnswer:
            del request
            return VerbAnswer("ok")

    class Watch:
        def facts(self) -> RunFacts:
            n = 100 + int((clock.steady_ns() - start_ns) / 1e10)
            points = [RewardPoint(k, f"e{k}", 1.0 + k % 5, "source", counts=True) for k in range(n)]
            return RunFacts(episodes=n, points=tuple(points))

        def audits(self, episode_ids: Sequence[str]) -> tuple[AskCard, ...]:
            del episode_ids
            return ()

        def frame(self, episode_id: str, index: int) -> bytes:
            raise StoreError("the bench has no stored pictures", got=f"{episode_id}, {index}")

    class Desk:
        def sources(self) -> tuple[str, ...]:
            return ("ground_truth",)

    hub = Hub(Session(), Watch(), Desk(), clock, "bench")  # type: ignore[arg-type]
    noise = np.random.default_rng(0)
    image = cv2.resize(noise.integers(0, 255, (12, 16, 3), dtype=np.uint8), (640, 480))
    jpegs = []
    for k in range(10):
        cv2.circle(image, (60 * k, 240), 30, (255, 255, 255), -1)
        jpegs.append(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes())
    server = ConsoleServer(hub, ServerConfig(port=port, frame_hz=CAMERA_HZ))
    server.start()
    hub.refresh()
    if not hub.facts().points:
        raise SystemExit("the console does not see the bench's run")
    print("ready", flush=True)
    for k in range(10**9):
        hub.cameras.put(CAMERA, jpegs[k % 10], clock.steady_ns())
        clock.sleep(1 / CAMERA_HZ)


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


@contextmanager
def sockets(port: int, count: int) -> Iterator[list[int]]:
    """``count`` viewers of the live picture; counts what each received."""
    from websockets.asyncio.client import connect

    got = [0] * count
    stop = threading.Event()

    async def look(k: int) -> None:
        async with connect(f"ws://localhost:{port}/live/main") as socket_:
            while not stop.is_set():
                await socket_.send("n")
                got[k] += isinstance(await socket_.recv(), bytes)

    async def everybody() -> None:
        await asyncio.gather(*(look(k) for k in range(count)))

    thread = threading.Thread(target=lambda: asyncio.run(everybody()))
    thread.start()
    try:
        yield got
    finally:
        stop.set()
        thread.join()


@contextmanager
def pages(port: int, count: int) -> Iterator[list[int]]:
    """``count`` whole pages; pictures are counted at the end."""
    from playwright.sync_api import sync_playwright

    names = ("chromium", "chromium-browser", "google-chrome")
    program = next(filter(None, map(shutil.which, names)))
    got = [0] * count
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox", "--disable-gpu"]
        )
        opened = [browser.new_context().new_page() for _ in range(count)]
        for page in opened:
            page.goto(f"http://localhost:{port}")
            page.wait_for_function("document.querySelector('img[data-camera]')?.dataset.count > 2")

        def count_all() -> None:
            for k, page in enumerate(opened):
                shown = page.locator("img[data-camera]").get_attribute("data-count")
                got[k] = int(shown or 0)

        count_all()
        before = list(got)
        yield got
        count_all()
        got[:] = [after - first for after, first in zip(got, before, strict=True)]
        browser.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--viewers", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--browser", action="store_true", help="whole pages, not only pictures")
    parser.add_argument("--json", type=Path, default=RESULT)
    parser.add_argument("--serve", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve)
        return 0
    from roboreward_ros.clock import SystemClock

    clock = SystemClock()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = [sys.executable, __file__, "--serve", str(port)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    rows = []
    try:
        assert child.stdout is not None
        child.stdout.readline()
        clock.sleep(2.0)

        def measure() -> tuple[float, float]:
            began, spent = clock.steady_ns(), cpu_s(child.pid)
            clock.sleep(options.seconds)
            wall = (clock.steady_ns() - began) / 1e9
            return (cpu_s(child.pid) - spent) / wall, wall

        idle, _ = measure()
        rows.append({"kind": "none", "viewers": 0, "core": idle, "core_per_viewer": 0.0, "hz": 0.0})
        kinds = [("picture", sockets)] + ([("page", pages)] if options.browser else [])
        for kind, open_viewers in kinds:
            for count in options.viewers:
                with open_viewers(port, count) as got:
                    share, wall = measure()
                rows.append(
                    {
                        "kind": kind,
                        "viewers": count,
                        "core": share,
                        "core_per_viewer": (share - idle) / count,
                        "hz": sum(got) / count / wall,
                    }
                )
    finally:
        child.kill()
    for row in rows:
        print(
            f"{row['kind']:8} {row['viewers']} viewers: {100 * float(row['core']):5.1f} % of a "
            f"core, {100 * float(row['core_per_viewer']):5.2f} % a viewer, {row['hz']:.1f} Hz"
        )
    load = os.getloadavg()
    options.json.write_text(
        json.dumps({"camera_hz": CAMERA_HZ, "load": load, "rows": rows}, indent=1) + "\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())

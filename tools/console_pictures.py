# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Photographs the console's page in every state that the how-to shows; needs no ROS.

Usage: python tools/console_pictures.py RUN [--out docs/images]

RUN is a run's folder with some dozen labelled episodes, such as runs/demo. The page, its charts and
its pictures are the real ones over that run; what the session and the nodes say is put into their
mouths here, since a full disk or a fooled judge is rare.
"""

from __future__ import annotations

import argparse
import io
import shutil
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from roboreward_ros.clock import SystemClock
from roboreward_ros.console.hands import load_hands
from roboreward_ros.console.hub import Hub
from roboreward_ros.console.live import CAMERA
from roboreward_ros.console.server import ConsoleServer, ServerConfig
from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.evaluation.run_watch import StoreWatch
from roboreward_ros.rewards.registry import SOURCES
from roboreward_ros.session.events import Phase
from roboreward_ros.session.machine import MachineConfig, SessionMachine
from roboreward_ros.session.plan import PlanConfig
from roboreward_ros.types import (
    AskCard,
    FloatArray,
    HealthLevel,
    HealthReason,
    HealthView,
    IdleAccount,
    LearnerView,
    PartHealth,
    RunFacts,
    SessionView,
    VerbAnswer,
    VerbRequest,
)

PORT = 8650
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
DESK, PHONE = (1280, 900), (390, 844)
SCALE = 0.8
"""Of desktop pictures, so that three fit beside one another."""
NODES = (
    *("camera_node: image", "learner_node: learner", "policy_node: policy"),
    *("recorder_node: recorder", "reward_node: reward", "robot_node: arm"),
)
LEARNER = LearnerView(31, 31, 341, 1860, 0, 21, 0.0031, -0.42, 0.61, 38.2, 41.0)
HELD = (
    "weights are held back: 6 of 6 audited successes of the reward source are none (limit 20%, "
    "evidence 28, decided at 20); promote another source, or release the brake"
)


@dataclass(frozen=True, slots=True)
class Shot:
    """One picture: what the session says, and how the page is looked at.

    Attributes:
        name: of the file.
        phase: of the session.
        message: of the session.
        dark: the browser asks for dark colours.
        size: of the window, CSS pixels.
        notice: alarm of the learner.
        asks: two drawn audits and an episode without a score wait.
        keys: pressed before the picture is taken.
    """

    name: str
    phase: str
    message: str
    dark: bool = False
    size: tuple[int, int] = DESK
    notice: str = ""
    asks: bool = False
    keys: str = ""


def shots(last: str, following: str) -> tuple[Shot, ...]:
    """All pictures; ``last`` is the newest episode, ``following`` the one after it."""
    running = f"running {following}: s success, f failure, r redo, m move the arm yourself"
    yours = f"you move the arm in {following}: m gives it back, s success, f failure, space holds"
    lay_out = "lay out the scene for 'open the drawer', then press Enter"
    full = "record failed 4 times in a row: [Errno 28] No space left on device"
    asked = f"no score for {last}: press s, f or 1 to 5"
    stopped = "stopped: press Enter to start"
    return (
        Shot("console", "RUNNING", running),
        Shot("console_reset", "WAIT_RESET", lay_out),
        Shot("console_paused", "PAUSED", "held: press Enter or space to go on"),
        Shot("console_questions", "ASK", asked, dark=True, asks=True),
        Shot("console_fault", "FAULT", f"{full}. Press Enter to try again"),
        Shot("console_alarm", "RUNNING", running, notice=HELD),
        Shot("console_takeover", "TAKEOVER", yours, keys="m"),
        Shot("console_idle", "IDLE", stopped),
        Shot("console_done", "DONE", "31 episodes are committed"),
        Shot("console_task", "IDLE", stopped, keys="t"),
        Shot("console_phone", "RUNNING", running, dark=True, size=PHONE),
        Shot("console_phone_takeover", "TAKEOVER", yours, dark=True, size=PHONE, keys="m"),
        Shot("console_lost", "RUNNING", running),
    )


def valid_verbs(phase: str) -> tuple[str, ...]:
    """Verbs that the session takes in a phase."""
    return SessionMachine(MachineConfig(), PlanConfig("any"), phase=Phase[phase]).allowed


class Stage:
    """Session, watch and desk of the page: says what a shot wants (three protocols in one)."""

    def __init__(self, run_dir: Path) -> None:
        self._watch = StoreWatch(run_dir)
        self._store = EpisodeStore(run_dir)
        self.last = self._store.ids()[-1]
        self.index = len(self._store.ids())
        episode = self._store.open(self.last)
        self.task = episode.summary.meta.task
        self.max_steps = episode.summary.meta.max_steps
        self.pictures = list(episode.frames())
        self.following = f"ep_{self.index:06d}"
        self.shot = shots(self.last, self.following)[0]

    def view(self) -> SessionView:
        moving = self.shot.phase in ("RUNNING", "TAKEOVER")
        here = moving or self.shot.phase in ("WAIT_RESET", "PAUSED")
        return SessionView(
            self.shot.phase,
            self.shot.message,
            valid_verbs(self.shot.phase),
            self.task,
            episode_id=self.following if here else "",
            step=17 if moving else 0,
            committed=self.index,
            labelled=self.index,
            abstained=0,
            errors=0,
            idle=IdleAccount(272.0, 61.0, 1.0, 0.0, 38.0, 9.0),
            last_episode_id=self.last,
            asked=(self.last,) if self.shot.asks else (),
            index=self.index,
            max_steps=self.max_steps,
            reward_source="roboreward",
            policy_version=21,
            notice=self.shot.notice,
        )

    def send(self, request: VerbRequest) -> VerbAnswer:
        return VerbAnswer(f"{request.verb} is done")

    def facts(self) -> RunFacts:
        facts = self._watch.facts()
        if not self.shot.asks:
            return facts
        steps = tuple(range(0, len(self.pictures), max(1, len(self.pictures) // 6)))
        why = "the levels are about equally likely"
        card = AskCard(self.last, self.index - 1, self.task, False, why, steps)
        return replace(facts, queue=(card,))

    def audits(self, episode_ids: object) -> tuple[AskCard, ...]:
        del episode_ids
        return self._watch.audits(self._store.ids()[-4:-2]) if self.shot.asks else ()

    def frame(self, episode_id: str, index: int) -> bytes:
        return self._watch.frame(episode_id, index)

    def sources(self) -> tuple[str, ...]:
        return tuple(sorted(SOURCES))

    def move(self, velocity: FloatArray) -> None:
        del velocity

    def grip(self, opening: float) -> None:
        del opening


def health(shot: Shot, now_ns: int) -> HealthView:
    """What health_node would say in a state."""
    if shot.phase == "FAULT":
        what, do = "12 MB free, 500 are needed", "Free space in run_dir, then press Enter."
        reason = HealthReason("recorder_node", "recorder", HealthLevel.ERROR, what, now_ns, do)
        return HealthView(HealthLevel.ERROR, (reason,))
    return HealthView(HealthLevel.OK)


@contextmanager
def speaking(hub: Hub, stage: Stage) -> Iterator[None]:
    """Camera, learner and health speak as long as the context lasts."""
    over = threading.Event()

    def speak() -> None:
        while not over.wait(0.1):
            now_ns = hub.clock.steady_ns()
            hub.cameras.put(CAMERA, stage.pictures[17], now_ns)
            hub.heard_session(stage.view())
            hub.heard_learner(
                LearnerView(31, 31, 341, 1860, 0, 21, 0.0031, -0.42, 0.61, 38.2, 41.0)
            )
            hub.heard_health([PartHealth(name, 0, "well") for name in NODES])
            hub.heard_whole(health(stage.shot, hub.clock.now_ns()))

    thread = threading.Thread(target=speak)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def opened(browser: Browser, shot: Shot) -> Page:
    """A window on the page, once it shows the shot."""
    width, height = shot.size
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if shot.dark else "light",
        has_touch=shot.size == PHONE,
        device_scale_factor=1.0 if shot.size == PHONE else SCALE,
    )
    page = context.new_page()
    page.goto(f"http://127.0.0.1:{PORT}")
    page.wait_for_function("() => window.roboreward?.online()")
    page.wait_for_function("document.querySelector('img[data-camera]')?.dataset.count > 2")
    phase = shot.phase.replace("_", " ")
    page.wait_for_function(
        "want => document.querySelector('[data-testid=phase]')?.innerText === want", arg=phase
    )
    page.get_by_test_id("chart").locator("canvas, svg").first.wait_for()
    page.get_by_text("session:").wait_for()
    for key in shot.keys:
        page.keyboard.press(key)
    page.wait_for_timeout(2500)  # the chart draws itself in
    return page


def save(png: bytes, path: Path) -> None:
    """With 256 colours: half as large, and nobody sees it."""
    Image.open(io.BytesIO(png)).convert("RGB").quantize(256).save(path, optimize=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--out", type=Path, default=Path("docs/images"))
    parser.add_argument("--only", nargs="+", default=[], help="names of pictures")
    options = parser.parse_args()
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        print(f"no browser; install one of {', '.join(BROWSERS)}", file=sys.stderr)
        return 1
    stage = Stage(options.run)
    pages = {"report": options.run / "report.html"}
    hub = Hub(
        *(stage, stage, stage, SystemClock(), options.run.name, stage, load_hands("default")),  # type: ignore[arg-type]
        pages=pages,
    )
    server = ConsoleServer(hub, ServerConfig(port=PORT))
    server.start()
    with sync_playwright() as playwright, speaking(hub, stage):
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        for shot in shots(stage.last, stage.following):
            if options.only and shot.name not in options.only:
                continue
            stage.shot = shot
            time.sleep(1.0)
            page = opened(browser, shot)
            if shot.name == "console_lost":
                server.close()
                page.wait_for_timeout(6000)
                page.keyboard.press("s")
                page.wait_for_timeout(500)
            save(page.screenshot(), options.out / f"{shot.name}.png")
            page.context.close()
            print(f"wrote {options.out / shot.name}.png")
        browser.close()
    server.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())

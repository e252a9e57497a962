# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The real stack on the twin with its console, and a real browser that looks at it."""

import contextlib
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from roboreward_ros.cli.domain import free_domain
from roboreward_ros.clock import SystemClock

LIMIT_S = 120.0
STEPS = 60
"""Of an episode; at 5 Hz."""
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ABSTAINS = "roboreward_ros.testing.fake_rewards:AbstainingSource"
expect.set_options(timeout=60_000)


def free_port() -> int:
    """Below those that the kernel gives to whoever asks for any, so that it is free later too."""
    for port in random.SystemRandom().sample(range(12_000, 32_000), 100):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    pytest.fail("no port is free")


class Stack:
    """``roboreward launch`` in the background; its lines are read as they come."""

    def __init__(self, run_dir: Path, domain: dict[str, str]) -> None:
        self.run_dir = run_dir
        self.domain_id = int(domain["ROS_DOMAIN_ID"])
        self.port = free_port()
        self.url = f"http://localhost:{self.port}"
        self.lines: list[str] = []
        self._changed = threading.Condition()
        words = [
            *("launch", "dsrl_widowx", "sim:=true", f"run_dir:={run_dir}", f"max_steps:={STEPS}"),
            *(f"console_port:={self.port}", f"reward:={ABSTAINS}"),
        ]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "roboreward_ros.cli.main", *words],
            env={**os.environ, **domain},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            process_group=0,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._changed:
                self.lines.append(line.rstrip())
                self._changed.notify_all()

    def wait_for(self, pattern: str, count: int = 1) -> None:
        def there() -> bool:
            return sum(bool(re.search(pattern, line)) for line in self.lines) >= count

        with self._changed:
            assert self._changed.wait_for(there, LIMIT_S), (pattern, self.lines[-40:])

    def pid_of(self, node: str) -> int:
        found = [re.search(rf"{node} started, pid (\d+)", line) for line in self.lines]
        return int([match for match in found if match][-1].group(1))

    def close(self) -> None:
        try:
            os.killpg(self.process.pid, signal.SIGINT)
            self.process.wait(LIMIT_S)
        finally:
            self.process.kill()
        self._reader.join(5.0)


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Starts once; the twin runs in real time and its reward source never has an answer."""
    os.environ.pop("ROS_DOMAIN_ID", None)
    with free_domain() as domain:
        launched = Stack(tmp_path_factory.mktemp("run") / "evening", domain)
        try:
            launched.wait_for("console: http")
            launched.wait_for("RUNNING")
            yield launched
        finally:
            launched.close()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    assert found, f"the console's tests need a browser: install one of {BROWSERS} (make setup says)"
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=found, args=FLAGS)
        yield running
        running.close()


class Viewer:
    """A browser tab on the console."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def at(self, name: str):
        return self.page.get_by_test_id(name)

    def phase(self, pattern: str) -> None:
        expect(self.at("phase")).to_have_text(re.compile(pattern))

    def press(self, key: str) -> None:
        self.page.keyboard.press(key)

    def shown(self) -> str:
        names = ("phase", "episode", "step", "message")
        return " | ".join(self.at(name).inner_text() for name in names)

    def committed(self) -> int:
        return int(re.search(r"(\d+) saved", self.at("episode").inner_text()).group(1))

    def index(self) -> int:
        """Of the episode that is shown."""
        return int(re.search(r"episode (\d+)", self.at("episode").inner_text()).group(1))

    def pictures(self) -> int:
        shown = self.page.locator("img[data-camera]").get_attribute("data-count")
        return int(shown or 0)

    def until(self, condition, what: str, limit_s: float = LIMIT_S) -> None:
        clock = SystemClock()
        end_ns = clock.steady_ns() + round(limit_s * 1e9)
        while not condition():
            assert clock.steady_ns() < end_ns, f"{what}; the page: {self.shown()}"
            self.page.wait_for_timeout(50)

    def connected(self) -> None:
        """Wait until presses reach the console: pictures have a connection of their own."""
        self.page.wait_for_function(
            "() => window.roboreward?.online() && document.querySelector('.rr-seen')"
        )

    def step(self) -> int:
        """Of the running episode; 0 where none is."""
        shown = re.fullmatch(rf"step (\d+)/{STEPS}", self.at("step").inner_text())
        return int(shown.group(1)) if shown else 0

    def running(self, left: int = 24) -> None:
        """Wait for an episode with so many steps or more to go: time to act in it."""
        if self.at("phase").inner_text() in ("PAUSED", "IDLE"):
            self.press("Enter")
        self.until(lambda: 1 <= self.step() <= STEPS - left, "an episode to act in")

    def passed(self, steps: int) -> None:
        """Wait until the running episode has gone on by so many steps."""
        first = self.step()
        self.until(lambda: self.step() >= first + steps, f"{steps} steps more")


def open_page(stack: Stack, browser: Browser) -> Viewer:
    page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    page.set_default_timeout(60_000)
    page.goto(stack.url)
    viewer = Viewer(page)
    viewer.connected()
    expect(viewer.at("phase")).not_to_have_text("")
    return viewer


@pytest.fixture(scope="session")
def viewer(stack: Stack, browser: Browser) -> Viewer:
    """One tab for all tests: a page takes longer to open than most tests."""
    return open_page(stack, browser)


@pytest.fixture
def second(stack: Stack, browser: Browser) -> Iterator[Viewer]:
    """Another tab, gone after the test."""
    other = open_page(stack, browser)
    yield other
    other.page.context.close()

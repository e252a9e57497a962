# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Calls a person who is not looking: runs a command or posts to a web hook, and not too often.

What is said again is sent once, line by line. Within ``every_s`` after a page the newest word
waits, and goes out then if it still holds. A page that cannot be delivered is logged, stops nothing
and is sent again for as long as there is something to say; each way of calling keeps its own
account, so that one that works is not used twice because another one fails.
"""

from __future__ import annotations

import json
import os
import queue
import shlex
import subprocess
import threading
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from roboreward_ros.clock import Clock
from roboreward_ros.errors import ConfigError

TEXT_VARIABLE = "ROBOREWARD_PAGE"
COMMAND_S, HOOK_S = 30.0, 10.0
RETRY_S = 10.0
"""Until a page that did not get out is sent again, s; doubled each time, up to ``every_s``."""


@dataclass(frozen=True, slots=True)
class PagerConfig:
    """Whom to call.

    Attributes:
        command: program and arguments, no shell; the words are in ROBOREWARD_PAGE and on its input.
        url: web hook that takes ``{"text": ..., "run": ...}`` as JSON.
        every_s: shortest time between two pages.
        run: folder of the run; its name goes before the words, for people with several.

    Raises:
        ConfigError: quotes that do not close, an address that is no http(s) one, a negative time.
    """

    command: str = ""
    url: str = ""
    every_s: float = 300.0
    run: str = ""

    def __post_init__(self) -> None:
        try:
            shlex.split(self.command)
        except ValueError as error:
            raise ConfigError("page_command", got=f"{self.command}: {error}") from None
        if self.url and (urlsplit(self.url).scheme not in ("http", "https")):
            raise ConfigError("page_url", got=self.url, allowed="http:// or https://")
        if self.every_s < 0:
            raise ConfigError("page_every_s", got=self.every_s, allowed="0 or more")


class Pages:
    """When to say what; knows no way to say it. One thread.

    Args:
        every_s: shortest time between two pages that were delivered, longest until one that was
            not is sent again.
        clock: its steady time.
    """

    def __init__(self, every_s: float, clock: Clock) -> None:
        self._every_ns = round(every_s * 1e9)
        self._clock = clock
        self._said: set[str] = set()
        self._under_way: set[str] = set()
        self._next_ns = clock.steady_ns()
        self._retry_ns = self._first_retry_ns = min(round(RETRY_S * 1e9), self._every_ns)

    def due(self, text: str) -> str:
        """What to send now, given what holds now; "" for nothing.

        What was handed out counts as said only once it is ``delivered``; until that or ``failed``
        is called, nothing else is due.

        Args:
            text: why a person is needed, a line a trouble; "" while none is.
        """
        lines = set(text.splitlines())
        self._said &= lines  # trouble that comes back is news, one that is left over is none
        if self._under_way or lines <= self._said or self._clock.steady_ns() < self._next_ns:
            return ""
        self._under_way = lines
        return text

    def delivered(self) -> None:
        """What was due reached its way's end."""
        self._said, self._under_way = self._under_way, set()
        self._next_ns = self._clock.steady_ns() + self._every_ns
        self._retry_ns = self._first_retry_ns

    def failed(self) -> None:
        """What was due did not get out."""
        self._under_way = set()
        self._next_ns = self._clock.steady_ns() + self._retry_ns
        self._retry_ns = min(2 * self._retry_ns, self._every_ns)


Deliver = Callable[[PagerConfig, str], None]


class Pager:
    """See the module's text; ``look`` returns at once. One thread uses it.

    Args:
        config: whom to call.
        clock: for the rate.
        log: takes lines about pages that were not delivered; called on the pager's threads.
        ways: name of each way and what sends one page by it, raising any exception where that
            does not work; for tests. None: those of the configuration.
    """

    def __init__(
        self,
        config: PagerConfig,
        clock: Clock,
        log: Callable[[str], None],
        ways: Mapping[str, Deliver] | None = None,
    ) -> None:
        if ways is None:
            known = (("command", run_command, config.command), ("web hook", post, config.url))
            ways = {name: deliver for name, deliver, wanted in known if wanted}
        self._clock = clock
        self._ways = {name: _Way(config, clock, log, deliver) for name, deliver in ways.items()}

    def look(self, text: str) -> None:
        """Why a person is needed now; "" while none is. Called often."""
        for way in self._ways.values():
            way.look(text)

    @property
    def problems(self) -> dict[str, str]:
        """By name of each way that has failed: what did not get out and why; "" once one did."""
        return {name: it.problem for name, it in self._ways.items() if it.problem is not None}

    def say_last(self, text: str) -> None:
        """Send this whatever was said before and when: nobody will be here to say it later."""
        for way in self._ways.values():
            way.send(text)

    def close(self, timeout_s: float = 5.0) -> None:
        """Send what waits, for so long at most; idempotent."""
        for way in self._ways.values():
            way.send(None)
        end_ns = self._clock.steady_ns() + round(timeout_s * 1e9)
        for way in self._ways.values():
            way.join(max(0.0, (end_ns - self._clock.steady_ns()) * 1e-9))


class _Way:
    """One way to call a person, with a thread that waits for it."""

    def __init__(
        self, config: PagerConfig, clock: Clock, log: Callable[[str], None], deliver: Deliver
    ) -> None:
        self._config, self._log, self._deliver = config, log, deliver
        self._pages = Pages(config.every_s, clock)
        self._texts: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._outcomes: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.problem: str | None = None
        self._thread = threading.Thread(target=self._serve, name="pager worker", daemon=True)
        self._thread.start()

    def look(self, text: str) -> None:
        while not self._outcomes.empty():
            if problem := self._outcomes.get():
                self._pages.failed()
            else:
                self._pages.delivered()
            if problem or self.problem is not None:
                self.problem = problem
        if page := self._pages.due(text):
            self.send(page)

    def send(self, text: str | None) -> None:
        self._texts.put(text)

    def join(self, timeout_s: float) -> None:
        self._thread.join(timeout_s)

    def _serve(self) -> None:
        while (text := self._texts.get()) is not None:
            problem = ""
            try:
                self._deliver(self._config, text)
            except Exception as error:  # whatever it is, the next page must be tried
                problem = f"a page did not get out: {_why(error)}; it was about: {text}"
                problem = " ".join(problem.split())
                self._log(problem)
            self._outcomes.put(problem)


def _why(error: Exception) -> str:
    """Without the command's arguments, which may hold a secret."""
    if isinstance(error, subprocess.CalledProcessError):
        return f"the command ended with code {error.returncode}"
    if isinstance(error, subprocess.TimeoutExpired):
        return f"the command did not end in {error.timeout:g} s"
    return str(error) or type(error).__name__


def run_command(config: PagerConfig, text: str) -> None:
    """Run the command of the configuration for one page.

    Raises:
        OSError, SubprocessError: it did not work.
    """
    subprocess.run(
        shlex.split(config.command),
        input=f"{Path(config.run).name}: {text}\n",
        env={**os.environ, TEXT_VARIABLE: f"{Path(config.run).name}: {text}"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
        timeout=COMMAND_S,
        check=True,
    )


def post(config: PagerConfig, text: str) -> None:
    """Post one page to the web hook of the configuration.

    Raises:
        OSError, HTTPException: it did not work.
    """
    body = json.dumps(
        {"text": f"{Path(config.run).name}: {text}", "run": Path(config.run).name}
    ).encode()
    request = urllib.request.Request(
        config.url, body, {"Content-Type": "application/json"}, method="POST"
    )
    with urllib.request.urlopen(request, timeout=HOOK_S) as answer:
        answer.read(1024)

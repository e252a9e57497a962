# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Calls a person who is not looking: runs a command or posts to a web hook, and not too often.

What is said again is sent once, line by line. Within ``every_s`` after a page the newest word
waits, and goes out then if it still holds. A page that cannot be delivered is logged and stops
nothing.
"""

from __future__ import annotations

import json
import os
import queue
import shlex
import subprocess
import threading
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from urllib.parse import urlsplit

from roboreward_ros.clock import Clock
from roboreward_ros.errors import ConfigError

TEXT_VARIABLE = "ROBOREWARD_PAGE"
COMMAND_S, HOOK_S = 30.0, 10.0


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

    @property
    def wanted(self) -> bool:
        """Whether anybody is to be called."""
        return bool(self.command or self.url)


class Pages:
    """When to say what; knows no way to say it. One thread.

    Args:
        every_s: shortest time between two pages.
        clock: its steady time.
    """

    def __init__(self, every_s: float, clock: Clock) -> None:
        self._every_ns = round(every_s * 1e9)
        self._clock = clock
        self._said: set[str] = set()
        self._sent_ns: int | None = None

    def due(self, text: str) -> str:
        """What to send now, given what holds now; "" for nothing.

        Args:
            text: why a person is needed, a line a trouble; "" while none is.
        """
        lines = set(text.splitlines())
        self._said &= lines  # trouble that comes back is news, one that is left over is none
        if lines <= self._said:
            return ""
        now_ns = self._clock.steady_ns()
        recent = self._sent_ns is not None and now_ns - self._sent_ns < self._every_ns
        if recent:
            return ""
        self._said, self._sent_ns = lines, now_ns
        return text


class Pager:
    """See the module's text; ``look`` returns at once.

    Args:
        config: whom to call.
        clock: for the rate.
        log: takes lines about pages that were not delivered; called on the pager's thread.
        deliver: sends one page; for tests.
    """

    def __init__(
        self,
        config: PagerConfig,
        clock: Clock,
        log: Callable[[str], None],
        deliver: Callable[[PagerConfig, str], None] | None = None,
    ) -> None:
        self._config = config
        self._pages = Pages(config.every_s, clock)
        self._log = log
        self._deliver = deliver or send
        self._queue: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        if config.wanted:
            self._thread = threading.Thread(target=self._serve, name="pager worker", daemon=True)
            self._thread.start()

    def look(self, text: str) -> None:
        """Why a person is needed now; "" while none is. Called often."""
        if self._thread is not None and (page := self._pages.due(text)):
            self._queue.put(page)

    def close(self, timeout_s: float = 5.0) -> None:
        """Send what waits, for so long at most; idempotent."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join(timeout_s)

    def _serve(self) -> None:
        while (text := self._queue.get()) is not None:
            try:
                self._deliver(self._config, text)
            except (OSError, ValueError, HTTPException, subprocess.SubprocessError) as error:
                self._log(f"nobody could be called: {error}; it was about: {text}")


def send(config: PagerConfig, text: str) -> None:
    """Deliver one page by every way of the configuration.

    Raises:
        OSError, ValueError, HTTPException, SubprocessError: it did not work.
    """
    problems: list[Exception] = []
    ways = [way for way, wanted in ((_run, config.command), (_post, config.url)) if wanted]
    for way in ways:
        try:
            way(config, text)
        except (OSError, ValueError, HTTPException, subprocess.SubprocessError) as error:
            problems.append(error)
    if problems:
        raise problems[0]


def _run(config: PagerConfig, text: str) -> None:
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


def _post(config: PagerConfig, text: str) -> None:
    body = json.dumps(
        {"text": f"{Path(config.run).name}: {text}", "run": Path(config.run).name}
    ).encode()
    request = urllib.request.Request(
        config.url, body, {"Content-Type": "application/json"}, method="POST"
    )
    with urllib.request.urlopen(request, timeout=HOOK_S) as answer:
        answer.read(1024)

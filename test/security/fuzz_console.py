# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What browsers and others send to the console, in hostile forms: heads, bodies, frames."""

import asyncio
from collections.abc import Iterator, MutableMapping
from pathlib import Path
from typing import cast

from fuzz_edits import Target
from hypothesis import strategies as st

from roboreward_ros.clock import FakeClock
from roboreward_ros.console.gate import App, Gate, Receive, Scope, Send
from roboreward_ros.console.hub import Hub
from roboreward_ros.console.server import build_app
from roboreward_ros.errors import StoreError
from roboreward_ros.protocols import RewardDesk, SessionClient
from roboreward_ros.types import AskCard, RunFacts

NAMES = ("console requests",)
TOKEN = "0123456789abcdef0123"
PATHS = (
    "/console/console.css", "/", "/frames/ep_000000/0", "/frames/../1", "/frames/é/9999999999999",
    "/frames/ep_000000/-1", "/live/main", "/live/x", "//", "/%00", "/\0", "/console/..",
    "/console/../gate.py", "/pages/x", "/pages/\0",
)  # fmt: skip
HEADERS = (b"host", b"origin", b"cookie", b"content-length", b"transfer-encoding", b"x", b"")
VALUES = (
    b"localhost:8642", b"evil.example", b"http://localhost:8642", b"roboreward_console=", b"[::1",
    b"", b"roboreward_console=" + TOKEN.encode(), b"chunked", b"0", b"-1", b"9" * 40, b"\xff\xfe",
    b'a;b="', b"\xb2",
)  # fmt: skip


def requests() -> st.SearchStrategy[dict[str, object]]:
    header = st.tuples(st.sampled_from(HEADERS), st.sampled_from(VALUES))
    return st.fixed_dictionaries(
        {
            "type": st.sampled_from(("http", "websocket")),
            "headers": st.lists(header, max_size=6),
            "method": st.sampled_from(("GET", "POST", "HEAD", "x")),
            "path": st.sampled_from(PATHS),
            "query_string": st.one_of(
                st.sampled_from(
                    (b"", b"token=", b"token=\xff", b"&" * 40, b"token=" + TOKEN.encode())
                ),
                st.binary(max_size=30),
            ),
            "known": st.booleans(),
            "body": st.lists(st.sampled_from((b"", b"next", b"\xff", b"x" * 70_000)), max_size=3),
            "text": st.booleans(),
        }
    )


JPEG = b"\xff\xd8 no picture"


class OneEpisode:
    """A run of one episode with one picture."""

    def facts(self) -> RunFacts:
        return RunFacts()

    def audits(self, episode_ids: object) -> tuple[AskCard, ...]:
        return ()

    def frame(self, episode_id: str, index: int) -> bytes:
        if (episode_id, index) != ("ep_000000", 0):
            raise StoreError("no such picture")
        return JPEG


class HastyClock(FakeClock):
    """A second goes by at every look, so that nobody waits for a picture that does not come."""

    def steady_ns(self) -> int:
        self.advance(1.0)
        return super().steady_ns()


def console() -> App:
    hub = Hub(cast("SessionClient", None), OneEpisode(), cast("RewardDesk", None), HastyClock())
    hub.cameras.put("main", JPEG, 0)
    return cast("App", build_app(hub, 60.0))


def events(scope: dict[str, object]) -> Iterator[dict[str, object]]:
    """What a client of the scope's kind sends."""
    said = cast("list[bytes]", scope["body"])
    if scope["type"] == "http":
        for body in said:
            yield {"type": "http.request", "body": body, "more_body": True}
        yield {"type": "http.request", "body": b"", "more_body": False}
    else:
        yield {"type": "websocket.connect"}
        for body in said:
            text = {"text": body.decode("utf-8", "replace")}
            yield {"type": "websocket.receive"} | (text if scope["text"] else {"bytes": body})
    while True:
        yield {"type": f"{scope['type']}.disconnect", "code": 1000}


def read_http(scope: dict[str, object], folder: Path) -> object:
    """The console answers everything, and nobody gets past its gate without the token."""
    passed: list[str] = []
    answers: list[int] = []
    inner, coming = console(), events(scope)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        passed.append("in")
        await inner(scope, receive, send)

    async def receive() -> dict[str, object]:
        return next(coming)

    async def send(message: MutableMapping[str, object]) -> None:
        answers.append(int(cast("int", message.get("status", message.get("code", 200)))))

    token = TOKEN if scope["known"] else ""
    asyncio.run(Gate(app, token)(dict(scope), receive, send))
    headers = dict(cast("list[tuple[bytes, bytes]]", scope["headers"]))
    if passed and token:
        assert TOKEN.encode() in headers.get(b"cookie", b"")
    if passed and not token:
        assert headers.get(b"host", b"").startswith(b"localhost")
    assert answers, "no answer"
    assert scope["type"] == "websocket" or answers[0] < 500
    return None


def targets() -> list[Target]:
    return [Target(NAMES[0], requests(), read_http, cost=2)]

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Serves a hub over HTTP: the page, live pictures, stored pictures. One server a process.

NiceGUI keeps its state in module globals, so a second server needs a second process.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import uvicorn
from fastapi import FastAPI, Response, WebSocket, WebSocketDisconnect
from fastapi.responses import FileResponse

from roboreward_ros.console.gate import App, Gate, load_token, require_token
from roboreward_ros.console.hub import Hub
from roboreward_ros.errors import ConfigError, RoboRewardError, StackError

_LOG = logging.getLogger(__name__)
STATIC = Path(__file__).with_name("static")
EPISODE_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
MAX_VIEWERS = 64
FRAME_S = 0.1
MAX_MESSAGE = 64 * 1024
REFRESH_S = 0.5
START_S = 30.0


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """Where the console listens.

    Attributes:
        address: 127.0.0.1, or another one, which needs a token.
        port: 1..65535.
        token_file: file that only its owner may read; "" looks into the environment.
        frame_hz: pictures a second and viewer, at most.
    """

    address: str = "127.0.0.1"
    port: int = 8642
    token_file: str = ""
    frame_hz: float = 10.0

    def __post_init__(self) -> None:
        if not 1 <= self.port <= 65535:
            raise ConfigError("the console's port", got=self.port, allowed="1..65535")
        if not 0.1 <= self.frame_hz <= 60:
            raise ConfigError("pictures a second", got=self.frame_hz, allowed="0.1..60")


def build_app(hub: Hub, frame_hz: float) -> FastAPI:
    """All routes but the page itself, which NiceGUI adds."""

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        task = asyncio.create_task(keep_fresh(hub))
        yield
        task.cancel()

    app = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    viewers: set[WebSocket] = set()

    @app.get("/console/{name}")
    def static(name: str) -> Response:
        allowed = {path.name: path for path in STATIC.iterdir() if path.is_file()}
        if name not in allowed:
            return Response(status_code=404)
        return FileResponse(allowed[name], headers={"cache-control": "no-cache"})

    @app.get("/pages/{name}")
    def page(name: str) -> Response:
        path = hub.pages.get(name)
        if path is None or not path.is_file():
            return Response(status_code=404)
        return FileResponse(path, headers={"cache-control": "no-cache"})

    @app.get("/frames/{episode_id}/{index}")
    async def stored(episode_id: str, index: int) -> Response:
        if not EPISODE_ID.fullmatch(episode_id):
            return Response(status_code=404)
        try:
            jpeg = await asyncio.to_thread(hub.frame, episode_id, index)
        except RoboRewardError:
            return Response(status_code=404)
        return Response(jpeg, media_type="image/jpeg", headers={"cache-control": "max-age=3600"})

    @app.websocket("/live/{camera}")
    async def live(socket: WebSocket, camera: str) -> None:
        if len(viewers) >= MAX_VIEWERS:
            await socket.close(1013)
            return
        await socket.accept()
        viewers.add(socket)
        try:
            await send_pictures(socket, hub, camera, 1.0 / frame_hz)
        except (WebSocketDisconnect, RuntimeError):
            pass
        finally:
            viewers.discard(socket)

    return app


async def send_pictures(socket: WebSocket, hub: Hub, camera: str, period_s: float) -> None:
    """One picture for each word of the viewer, so that a slow one never builds up a queue."""
    sent = 0
    while True:
        try:
            word = await socket.receive_text()
        except KeyError:  # a frame of bytes
            await socket.close(1003)
            return
        if len(word) > 16:
            await socket.close(1009)
            return
        began_ns = hub.clock.steady_ns()
        while (picture := hub.cameras.newest(camera)) is None or picture.number == sent:
            await asyncio.sleep(period_s / 4)
            if hub.clock.steady_ns() - began_ns > 2e9:
                break
        if picture is None or picture.number == sent:
            await socket.send_text("old")  # keeps both sides sure that the other is there
            continue
        await socket.send_bytes(picture.jpeg)
        sent = picture.number
        rest_s = period_s - (hub.clock.steady_ns() - began_ns) / 1e9
        await asyncio.sleep(max(rest_s, 0.0))


async def keep_fresh(hub: Hub) -> None:
    """Read the stores for everybody, once; a bug is told to whoever looks, and the page lives."""
    failed = ""
    while True:
        try:
            await asyncio.to_thread(hub.refresh)
        except Exception as error:
            if repr(error) != failed:
                failed = repr(error)
                _LOG.exception("the run cannot be shown as it is")
                hub.log(f"figures stand still, a fault of the console's own: {failed}", bad=True)
        await asyncio.sleep(REFRESH_S)


class ConsoleServer:
    """The server in a thread of its own.

    Args:
        hub: what is shown.
        config: where it listens.

    Raises:
        ConfigError: another address than this machine's without a token.
    """

    def __init__(self, hub: Hub, config: ServerConfig) -> None:
        token = load_token(config.token_file)
        require_token(config.address, token)
        from roboreward_ros.console.page import add_page

        app = build_app(hub, config.frame_hz)
        add_page(app, hub)
        self._config = config
        self._failure: BaseException | None = None
        self._server = uvicorn.Server(
            uvicorn.Config(
                Gate(cast("App", app), token),
                host=config.address,
                port=config.port,
                log_level="error",
                ws_max_size=MAX_MESSAGE,
                ws_max_queue=8,
                limit_concurrency=512,
                timeout_graceful_shutdown=1,
            )
        )
        self._thread = threading.Thread(target=self._run, name="console worker", daemon=True)

    def start(self) -> None:
        """Listen; raises StackError where the port is taken."""
        self._thread.start()
        waited = threading.Event()
        for _ in range(round(START_S / 0.05)):
            if self._server.started:
                return
            if not self._thread.is_alive():
                break
            waited.wait(0.05)
        raise StackError(
            "the console cannot listen",
            got=f"{self._config.address}:{self._config.port}: {self._failure or 'no start'}",
            next_step="Another program may have the port: give another console_port:=.",
        )

    def close(self, timeout_s: float = 5.0) -> None:
        """Stop; idempotent."""
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def _run(self) -> None:
        try:
            self._server.run()
        except BaseException as error:  # uvicorn leaves by SystemExit when it cannot bind
            self._failure = error

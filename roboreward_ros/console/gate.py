# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Who gets in: a token, the right host, no foreign page, nothing oversized. Pure ASGI.

Without a token only this machine's own names are served, which also stops a web page elsewhere that
points a name at 127.0.0.1 (DNS rebinding). A page of another origin can neither connect a WebSocket
nor send a form.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Awaitable, Callable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from typing import cast
from urllib.parse import parse_qs, urlsplit

from roboreward_ros.clock import Clock, SystemClock
from roboreward_ros.errors import ConfigError
from roboreward_ros.remote.throttle import Throttle

Message = MutableMapping[str, object]
Scope = MutableMapping[str, object]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

COOKIE = "roboreward_console"
TOKEN_VARIABLE = "ROBOREWARD_CONSOLE_TOKEN"
MIN_TOKEN = 16
MAX_BODY = 64 * 1024
WRONG_TOKENS = 10
"""Different wrong ones an address may show in a minute, in queries and cookies together."""
LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
LOGIN = b"""<!doctype html><meta name=viewport content="width=device-width">
<title>roboreward</title><style>:root{color-scheme:light dark}
body{font:16px system-ui;max-width:22em;margin:15vh auto;padding:0 1em}
input,button{font:inherit;padding:.5em;width:100%;box-sizing:border-box;margin:.3em 0}</style>
<h1>Operator's console</h1><p>This console asks for its token.</p>
<form method=get action=/>
<input name=token type=password aria-label=token autofocus autocomplete=current-password>
<button>Open</button></form>"""


def is_local(address: str) -> bool:
    """Whether only this machine can reach a server on ``address``."""
    if address == "localhost":
        return True
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def load_token(path: str) -> str:
    """The token of a file, or of the environment; "" for none.

    Raises:
        ConfigError: the file cannot be read or is open to others, or the token is too short.
    """
    token = os.environ.get(TOKEN_VARIABLE, "").strip()
    if path:
        try:
            if Path(path).stat().st_mode & 0o077:
                raise ConfigError(
                    "others may read the console's token",
                    got=path,
                    next_step=f"chmod 600 {path}",
                )
            token = Path(path).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ConfigError(
                "the console's token cannot be read", got=f"{path}: {error.strerror}"
            ) from None
    if (token or path) and len(token) < MIN_TOKEN:
        raise ConfigError(
            "the console's token is too short",
            got=f"{len(token)} characters",
            allowed=f"{MIN_TOKEN} or more",
            next_step="For example: python -c 'import secrets; print(secrets.token_urlsafe())'",
        )
    return token


def require_token(address: str, token: str) -> None:
    """Refuse to listen beyond this machine without a token; raises ConfigError."""
    if not token and not is_local(address):
        raise ConfigError(
            "a console that others can reach needs a token",
            got=address,
            allowed="127.0.0.1 without one",
            next_step=f"Give console_token:=FILE, or {TOKEN_VARIABLE} in the environment.",
        )


class Gate:
    """ASGI middleware; see the module's text.

    Args:
        app: what is guarded.
        token: "" where the server is local.
        clock: of the wrong tokens.
    """

    def __init__(self, app: App, token: str = "", clock: Clock | None = None) -> None:
        self.app = app
        self._token = token
        self._throttle = Throttle(token.encode(), WRONG_TOKENS, clock or SystemClock())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = {
            key.decode("latin-1").lower(): value.decode("latin-1")
            for key, value in cast("list[tuple[bytes, bytes]]", scope["headers"])
        }
        status, extra, body = self._judge(scope, headers)
        if status == 0:
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
        else:
            fixed = [
                (b"content-type", b"text/html; charset=utf-8"),
                (b"cache-control", b"no-store"),
            ]
            await send({"type": "http.response.start", "status": status, "headers": fixed + extra})
            await send({"type": "http.response.body", "body": body})

    def _judge(
        self, scope: Scope, headers: dict[str, str]
    ) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        """Status 0 lets it pass; else status, headers and body of the answer."""
        host = headers.get("host", "")
        if not self._token and _name_of(host) not in LOCAL_NAMES:
            return 421, [], b"This console answers on this machine's own name only."
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
            return 403, [], b"Requests of other pages are refused."
        if scope["type"] == "http" and not _small(headers):
            return 413, [], b"Too large."
        if not self._token:
            return 0, [], b""
        address, heard = _address(scope), True
        if kept := _kept(headers):
            right = self._throttle.check(address, kept)
            if right:
                return 0, [], b""
            heard = right is not None
        if given := _shown(cast("bytes", scope.get("query_string", b""))):
            right = self._throttle.check(address, given)
            if right and scope["type"] == "http":
                cookie = f"{COOKIE}={self._token}; Path=/; HttpOnly; SameSite=Strict"
                return 303, [(b"location", b"/"), (b"set-cookie", cookie.encode())], b""
            heard = right is not None
        if not heard:
            return 429, [], b"Too many wrong tokens. Wait a minute."
        return 401, [], LOGIN


def _kept(headers: dict[str, str]) -> bytes:
    """The token of a cookie; b"" for none."""
    try:
        cookies = SimpleCookie(headers.get("cookie", ""))
    except CookieError:
        return b""
    return cookies[COOKIE].value.encode() if COOKIE in cookies else b""


def _shown(query: bytes) -> bytes:
    """The token of a query; b"" for none, and for a query that is none."""
    try:
        fields = parse_qs(query.decode("latin-1"), max_num_fields=16, encoding="latin-1")
    except ValueError:
        return b""
    return fields.get("token", [""])[0].encode("latin-1", "replace")


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if isinstance(client, tuple | list) and client else ""


def _name_of(host: str) -> str:
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


def _small(headers: dict[str, str]) -> bool:
    """Bodies are not needed at all; chunked ones have no length to judge."""
    if "transfer-encoding" in headers:
        return False
    length = headers.get("content-length", "0")
    return length.isascii() and length.isdigit() and len(length) < 10 and int(length) <= MAX_BODY

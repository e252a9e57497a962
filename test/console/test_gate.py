# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Who gets in and what is turned away, over a real HTTP and WebSocket server's own routes."""

import asyncio

import httpx
import pytest
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from roboreward_ros.clock import FakeClock, SystemClock
from roboreward_ros.console.gate import (
    COOKIE,
    TOKEN_VARIABLE,
    Gate,
    is_local,
    load_token,
    require_token,
)
from roboreward_ros.console.hub import Hub
from roboreward_ros.console.server import build_app
from roboreward_ros.errors import ConfigError, StoreError
from roboreward_ros.types import RunFacts, SessionView

TOKEN = "0123456789abcdef0123"
JPEG = b"\xff\xd8 not a real picture"


class Watch:
    def facts(self):
        return RunFacts()

    def audits(self, episode_ids):
        return ()

    def frame(self, episode_id, index):
        if (episode_id, index) != ("ep_000001", 2):
            raise StoreError("no such picture")
        return JPEG


class Client:
    def view(self):
        return SessionView("IDLE", "", (), "", "", 0, 0, 0, 0, 0)


def served(token=""):
    hub = Hub(Client(), Watch(), None, SystemClock())
    hub.cameras.put("main", JPEG, 0)
    return Gate(build_app(hub, 60.0), token)


def client(token="", base="http://localhost:8642"):
    return TestClient(served(token), base_url=base, follow_redirects=False)


def get(path, token="", **headers):
    return client(token).get(path, headers={k.replace("_", "-"): v for k, v in headers.items()})


def test_a_local_console_needs_no_token():
    assert get("/frames/ep_000001/2").content == JPEG


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8642", "localhost.evil.example"])
def test_another_name_for_this_machine_is_refused(host):
    assert get("/frames/ep_000001/2", host=host).status_code == 421


def test_a_foreign_page_can_neither_ask_nor_listen():
    assert get("/frames/ep_000001/2", origin="http://evil.example").status_code == 403
    foreign = {"origin": "http://evil.example"}
    with (
        pytest.raises(WebSocketDisconnect),
        client().websocket_connect("ws://localhost:8642/live/main", headers=foreign),
    ):
        pass


@pytest.mark.parametrize(
    "path",
    ["/frames/ep_000001/2", "/live/main", "/", "/console/console.js", "/?token=", "/?token=wrong"],
)
def test_without_the_token_there_is_only_the_door(path):
    answer = get(path, TOKEN)
    assert answer.status_code == 401
    assert "asks for its token" in answer.text
    assert "set-cookie" not in answer.headers


def test_a_websocket_without_the_token_is_refused():
    with (
        pytest.raises(WebSocketDisconnect),
        client(TOKEN).websocket_connect("ws://localhost:8642/live/main"),
    ):
        pass


@pytest.mark.parametrize("query", ["token=%ff", "token=\xff", "&" * 40, "token=" + "&token=" * 40])
def test_a_query_that_is_none_is_answered(query):
    assert get(f"/?{query}", TOKEN).status_code == 401


def by_query(page, k):
    return page.get(f"/?token=guess{k}")


def by_cookie(page, k):
    return page.get("/", headers={"cookie": f"{COOKIE}=guess{k}"})


@pytest.mark.parametrize("guess", [by_query, by_cookie])
def test_an_address_that_guesses_is_not_listened_to_for_a_minute(guess):
    clock = FakeClock()
    hub = Hub(Client(), Watch(), None, clock)
    gate = Gate(build_app(hub, 60.0), TOKEN, clock)
    page = TestClient(gate, base_url="http://localhost:8642", follow_redirects=False)
    inside = TestClient(gate, base_url="http://localhost:8642", cookies={COOKIE: TOKEN})
    guesses = [guess(page, k).status_code for k in range(11)]
    assert guesses == [401] * 10 + [429]
    assert page.get(f"/?token={TOKEN}").status_code == 429
    assert inside.get("/frames/ep_000001/2").status_code == 429, "a cookie is a guess, too"
    clock.advance(61.0)
    assert page.get(f"/?token={TOKEN}").status_code == 303
    page.cookies.clear()
    assert [guess(page, k).status_code for k in range(11)] == guesses
    assert inside.get("/frames/ep_000001/2").status_code == 200, "who is in stays in"


def test_a_browser_with_a_stale_cookie_makes_one_guess():
    page = client(TOKEN)
    stale = {"cookie": f"{COOKIE}=of-the-time-before"}
    assert {page.get("/", headers=stale).status_code for _ in range(30)} == {401}
    assert page.get(f"/?token={TOKEN}", headers=stale).status_code == 303


@pytest.mark.parametrize("value", ["", "wrong", TOKEN + "x", TOKEN[:-1], '"', "\xff"])
def test_a_wrong_cookie_is_refused(value):
    answer = get("/frames/ep_000001/2", TOKEN, cookie=f"{COOKIE}={value}".encode("latin-1"))
    assert answer.status_code == 401


def test_the_token_opens_the_door_for_this_browser_and_leaves_the_address_bar():
    door = get(f"/?token={TOKEN}", TOKEN)
    assert (door.status_code, door.headers["location"]) == (303, "/")
    assert "HttpOnly" in door.headers["set-cookie"]
    assert "SameSite=Strict" in door.headers["set-cookie"]
    cookie = door.headers["set-cookie"].split(";")[0]
    assert get("/frames/ep_000001/2", TOKEN, cookie=cookie).content == JPEG
    far = get("/frames/ep_000001/2", TOKEN, cookie=cookie, host="robot.local:8642")
    assert far.content == JPEG


@pytest.mark.parametrize(
    "path",
    [
        "/frames/..%2f..%2fetc/0",
        "/frames/%2e%2e/0",
        "/frames/ep_000001/-1",
        "/frames/ep_000001/99999999999999999999",
        "/frames/ep_000001/2/../../../run.json",
        "/frames/ep_000001%00/2",
        "/console/..%2fserver.py",
        "/console/%2e%2e%2fserver.py",
        "/console/server.py",
    ],
)
def test_path_tricks_find_nothing(path):
    answer = get(path)
    assert answer.status_code in (404, 422), answer.text


def test_pages_of_the_run_are_served_by_name_and_only_where_they_exist(tmp_path):
    (tmp_path / "report.html").write_text("<h1>the evening</h1>")
    (tmp_path / "secret.html").write_text("no")
    pages = {"report": tmp_path / "report.html", "runs": tmp_path / "index.html"}
    hub = Hub(Client(), Watch(), None, SystemClock(), pages=pages)
    page = TestClient(Gate(build_app(hub, 60.0)), base_url="http://localhost:8642")
    assert "the evening" in page.get("/pages/report").text
    for name in ("runs", "secret", "secret.html", "..%2Fsecret.html", "report%2F..%2Fsecret.html"):
        assert page.get(f"/pages/{name}").status_code == 404


@pytest.mark.parametrize(
    "headers",
    [{"content-length": str(10**9)}, {"content-length": "-1"}, {"transfer-encoding": "chunked"}],
)
def test_oversized_requests_are_turned_away_before_they_are_read(headers):
    async def ask():
        transport = httpx.ASGITransport(app=served())
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
            return await http.post("/", headers=headers)

    assert asyncio.run(ask()).status_code == 413


@pytest.mark.parametrize(
    ("frame", "code"), [({"text": "x" * 100_000}, 1009), ({"bytes": b"n"}, 1003)]
)
def test_a_viewer_that_talks_nonsense_is_dropped_and_others_go_on(frame, code):
    with (
        client().websocket_connect("ws://localhost:8642/live/main") as good,
        client().websocket_connect("ws://localhost:8642/live/main") as bad,
    ):
        bad.send({"type": "websocket.receive", **frame})
        with pytest.raises(WebSocketDisconnect) as closed:
            bad.receive_bytes()
        assert closed.value.code == code
        good.send_text("n")
        assert good.receive_bytes() == JPEG


def test_fifty_viewers_that_come_and_go_leave_nothing_behind():
    app = client()
    for _ in range(2):
        sockets = [app.websocket_connect("ws://localhost:8642/live/main") for _ in range(50)]
        for socket in sockets:
            socket.__enter__()
        for socket in sockets:
            socket.send_text("n")
            assert socket.receive_bytes() == JPEG
            socket.__exit__(None, None, None)
    with app.websocket_connect("ws://localhost:8642/live/main") as last:
        last.send_text("n")
        assert last.receive_bytes() == JPEG


def test_a_token_of_the_environment_or_of_a_private_file(tmp_path, monkeypatch):
    monkeypatch.setenv(TOKEN_VARIABLE, TOKEN)
    assert load_token("") == TOKEN
    path = tmp_path / "token"
    path.write_text("another-token-of-a-file\n")
    path.chmod(0o600)
    assert load_token(str(path)) == "another-token-of-a-file"
    path.chmod(0o644)
    with pytest.raises(ConfigError, match="others may read"):
        load_token(str(path))
    path.chmod(0o600)
    path.write_text("short")
    with pytest.raises(ConfigError, match="too short"):
        load_token(str(path))
    with pytest.raises(ConfigError, match="cannot be read"):
        load_token(str(tmp_path / "none"))


@pytest.mark.parametrize("address", ["0.0.0.0", "192.168.1.7", "::", "robot.local"])
def test_other_addresses_need_a_token(address):
    assert not is_local(address)
    require_token(address, TOKEN)
    with pytest.raises(ConfigError, match="needs a token"):
        require_token(address, "")


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "localhost", "127.8.0.1"])
def test_this_machine_needs_none(address):
    require_token(address, "")

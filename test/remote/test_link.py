# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from roboreward_ros.clock import Clock, FakeClock
from roboreward_ros.errors import ConfigError, LinkError, RefusedError
from roboreward_ros.remote.door import Door, Peer
from roboreward_ros.remote.door_config import DoorConfig
from roboreward_ros.remote.endpoint import Endpoint
from roboreward_ros.remote.link import Link
from roboreward_ros.remote.packet import Packet
from roboreward_ros.testing.papers import Papers, papers_in

HELLO = Packet("hello", {"who": "test"})


class Echo:
    """Answers what it is told to."""

    name = "echo"

    def __init__(self) -> None:
        self.taken: list[Packet] = []
        self.release = threading.Event()

    def join(self, peer: Peer, hello: Packet) -> "EchoSession":
        if hello.fields.get("who") != "test":
            raise ConfigError("who are you", got=str(hello.fields.get("who")))
        return EchoSession(self, peer)


class EchoSession:
    def __init__(self, service: Echo, peer: Peer) -> None:
        self.service, self.peer = service, peer

    def welcome(self) -> Packet:
        return Packet("welcome", {"service": "echo"})

    def take(self, packet: Packet) -> Packet | None:
        self.service.taken.append(packet)
        match packet.kind:
            case "echo":
                return Packet("echoed", packet.fields, packet.body)
            case "refuse":
                raise ConfigError("it is not allowed", got="this")
            case "break":
                raise ZeroDivisionError("a bug")
            case "later":
                for done in range(3):
                    self.peer.send(Packet("progress", {"done": done}, ticket=packet.ticket))
                self.peer.send(Packet("echoed", ticket=packet.ticket))
            case "cut once":
                if len([p for p in self.service.taken if p.kind == "cut once"]) == 1:
                    self.peer._connection.close_socket()
                    return None
                return Packet("echoed", packet.fields)
            case "wait":
                self.service.release.wait(60)
        return None

    def close(self) -> None:
        """Nothing is kept."""


@contextmanager
def door(
    config: DoorConfig | None = None, clock: Clock | None = None
) -> Iterator[tuple[Door, Echo]]:
    service = Echo()
    with Door(config or DoorConfig(port=0), service, clock) as opened:
        yield opened, service


def link(opened: Door, clock: Clock | None = None) -> Link:
    return Link(Endpoint(f"ws://127.0.0.1:{opened.port}"), "echo", HELLO, clock=clock)


def secure(papers: Papers, port: int = 0) -> DoorConfig:
    return DoorConfig(
        port=port, cert_file=papers.certificate, key_file=papers.key, token_file=papers.token
    )


def asker(opened: Door, papers: Papers, host: str = "127.0.0.1") -> Link:
    endpoint = Endpoint(
        f"wss://{host}:{opened.port}", ca_file=papers.certificate, token_file=papers.token
    )
    return Link(endpoint, "echo", HELLO)


def test_a_question_gets_its_answer_over_tls_with_the_token(papers: Papers) -> None:
    with door(secure(papers)) as (opened, _):
        asking = asker(opened, papers, "localhost")
        reply = asking.ask(Packet("echo", {"a": 1}, b"\x00\xffbody"), 20.0)
        assert (reply.kind, reply.fields, reply.body) == ("echoed", {"a": 1}, b"\x00\xffbody")
        assert asking.connections == 1
        assert opened.peers == 1
        asking.close()
        with pytest.raises(RefusedError, match="closed"):
            asking.ask(Packet("echo"), 1.0)


def test_a_link_that_is_closed_while_it_opens_leaves_no_connection() -> None:
    with door() as (opened, service):
        endpoint = Endpoint(f"ws://127.0.0.1:{opened.port}")
        asking = Link(endpoint, "echo", HELLO, lambda _: asking.close())
        with pytest.raises(RefusedError, match="closed"):
            asking.ask(Packet("echo"), 20.0)
        assert not asking.connected
        assert not service.taken


def test_papers_are_found_from_home(papers: Papers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(Path(papers.token).parent))
    config = DoorConfig(port=0, cert_file="~/host.crt", key_file="~/host.key", token_file="~/token")
    with door(config) as (opened, _):
        asking = asker(opened, Papers("~/host.crt", "~/host.key", "~/token"))
        assert asking.ask(Packet("echo"), 20.0).kind == "echoed"
        asking.close()


def test_progress_comes_before_the_answer() -> None:
    heard: list[Packet] = []
    with door() as (opened, _):
        asking = link(opened)
        assert asking.ask(Packet("later"), 20.0, heard.append).kind == "echoed"
        asking.close()
    assert [packet.fields["done"] for packet in heard] == [0, 1, 2]


def test_what_the_host_refuses_is_told_and_the_connection_stays() -> None:
    with door() as (opened, _):
        asking = link(opened)
        with pytest.raises(RefusedError, match="it is not allowed"):
            asking.ask(Packet("refuse"), 20.0)
        with pytest.raises(RefusedError, match="the host failed: ZeroDivisionError"):
            asking.ask(Packet("break"), 20.0)
        assert asking.ask(Packet("echo"), 20.0).kind == "echoed"
        assert asking.connections == 1
        asking.close()


def test_a_question_that_a_cut_interrupts_is_asked_again() -> None:
    with door() as (opened, service):
        asking = link(opened)
        assert asking.ask(Packet("cut once", {"a": 2}), 20.0).fields == {"a": 2}
        assert asking.connections == 2
        assert len(service.taken) == 2
        asking.close()


def test_a_late_answer_is_an_error_and_belongs_to_no_later_question() -> None:
    with door() as (opened, service):
        asking = link(opened)
        asking.connect(20.0)
        with pytest.raises(LinkError, match="silent"):
            asking.ask(Packet("wait"), 0.5)
        service.release.set()
        assert asking.ask(Packet("echo"), 20.0).kind == "echoed"
        asking.close()


def test_a_host_that_comes_back_is_found_again() -> None:
    clock = FakeClock()
    with door() as (opened, _):
        port = opened.port
        asking = link(opened, clock)
        asking.connect(20.0)
    with pytest.raises(LinkError, match=r"within 20 s; got .*refused"):
        asking.ask(Packet("echo"), 20.0)
    assert clock.steady == 20_000_000_000
    assert not asking.tell(Packet("echo"))
    with door(DoorConfig(port=port)):
        assert asking.ask(Packet("echo"), 20.0).kind == "echoed"
        asking.close()


def test_a_wrong_token_is_refused_and_shown_nowhere(
    papers: Papers,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    right = Path(papers.token).read_text().strip()
    clock = FakeClock()
    with door(secure(papers), clock) as (opened, service):
        endpoint = Endpoint(
            f"wss://127.0.0.1:{opened.port}", ca_file=papers.certificate, token_env="TOKEN"
        )
        said = []
        for guess in (*["of-the-time-before"] * 6, "1", "2", "3", "4", "5"):
            monkeypatch.setenv("TOKEN", f"wrong-token-0123456789-{guess}")
            asking = Link(endpoint, "echo", HELLO, clock=FakeClock())
            with pytest.raises(LinkError) as caught:
                asking.ask(Packet("echo"), 20.0)
            said.append(str(caught.value))
        assert ["refuses the token" in each for each in said] == [True] * 10 + [False]
        assert "too many wrong tokens" in said[-1]
        monkeypatch.setenv("TOKEN", right)
        early = Link(endpoint, "echo", HELLO, clock=FakeClock())
        with pytest.raises(LinkError, match="too many wrong tokens"):
            early.ask(Packet("echo"), 20.0)
        clock.advance(61.0)
        good = asker(opened, papers)
        assert good.ask(Packet("echo"), 20.0).kind == "echoed"
        good.close()
        assert all(packet.kind == "echo" for packet in service.taken)
    assert right not in caplog.text
    assert "wrong-token" not in caplog.text + "".join(said)


def test_another_certificate_is_not_trusted(papers: Papers, tmp_path: Path) -> None:
    other = papers_in(tmp_path, "127.0.0.1")
    with door(secure(papers)) as (opened, _):
        endpoint = Endpoint(
            f"wss://127.0.0.1:{opened.port}", ca_file=other.certificate, token_file=papers.token
        )
        with pytest.raises(RefusedError, match="not trusted"):
            Link(endpoint, "echo", HELLO).ask(Packet("echo"), 20.0)


def test_a_certificate_for_another_name_is_not_trusted(papers: Papers, tmp_path: Path) -> None:
    other = papers_in(tmp_path, "gpu.lab")
    with door(secure(other)) as (opened, _), pytest.raises(RefusedError, match="not trusted"):
        asker(opened, other).ask(Packet("echo"), 20.0)


def test_another_service_is_refused_by_its_name() -> None:
    with door() as (opened, _):
        endpoint = Endpoint(f"ws://127.0.0.1:{opened.port}")
        with pytest.raises(RefusedError, match="serves echo, nothing else"):
            Link(endpoint, "rewards", HELLO).ask(Packet("echo"), 20.0)
        stranger = Link(endpoint, "echo", Packet("hello", {"who": "stranger"}))
        with pytest.raises(RefusedError, match="who are you"):
            stranger.ask(Packet("echo"), 20.0)


def test_a_web_page_cannot_reach_the_door() -> None:
    with door() as (opened, _), socket.create_connection(("127.0.0.1", opened.port)) as sock:
        sock.sendall(
            b"GET /echo HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
            b"Origin: http://evil.example\r\n\r\n"
        )
        assert b" 403 " in sock.recv(4096)


def test_a_host_that_speaks_http_only_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as page:

        def answer() -> None:
            sock, _ = page.accept()
            with sock:
                sock.recv(4096)
                sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n<p/>")

        threading.Thread(target=answer, daemon=True).start()
        endpoint = Endpoint(f"ws://127.0.0.1:{page.getsockname()[1]}")
        with pytest.raises(RefusedError, match="status 200: <p/>"):
            Link(endpoint, "echo", HELLO).ask(Packet("echo"), 20.0)


def test_too_large_a_message_ends_the_connection_and_nothing_else() -> None:
    with door(DoorConfig(port=0, max_message=1 << 16)) as (opened, _):
        asking = link(opened)
        with pytest.raises(RefusedError, match="so large a message"):
            asking.ask(Packet("echo", body=bytes(1 << 17)), 20.0)
        assert asking.ask(Packet("echo", body=b"small"), 20.0).body == b"small"
        asking.close()


def test_only_so_many_are_let_in() -> None:
    with door(DoorConfig(port=0, max_peers=1)) as (opened, _):
        first, second = link(opened), link(opened, FakeClock())
        first.connect(20.0)
        with pytest.raises(LinkError, match="askers are here already"):
            second.ask(Packet("echo"), 20.0)
        first.close()
        second = link(opened)
        assert second.ask(Packet("echo"), 20.0).kind == "echoed"
        second.close()


def test_a_door_to_the_network_needs_token_and_certificate(papers: Papers) -> None:
    with pytest.raises(ConfigError, match="no token and no certificate"):
        DoorConfig(bind="0.0.0.0")
    with pytest.raises(ConfigError, match="certificate"):
        DoorConfig(bind="::", token_file=papers.token)
    with pytest.raises(ConfigError, match="unencrypted"):
        Endpoint("ws://192.168.1.20:8650")
    assert DoorConfig(
        bind="0.0.0.0", cert_file=papers.certificate, key_file=papers.key, token_file=papers.token
    )


@pytest.mark.parametrize("content", ["", "short", "sixteen letters and blanks are no token"])
def test_what_is_no_token_is_not_repeated(content: str, tmp_path: Path) -> None:
    place = tmp_path / "token"
    place.touch(0o600)
    place.write_text(content)
    with pytest.raises(ConfigError) as caught:
        DoorConfig(token_file=str(place)).token()
    assert not content or content not in str(caught.value)


def test_a_token_or_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    made = papers_in(tmp_path, "127.0.0.1")
    for path in (made.token, made.key):
        Path(path).chmod(0o640)
    with pytest.raises(ConfigError, match="read by others"):
        DoorConfig(token_file=made.token).token()
    with pytest.raises(ConfigError, match="read by others"):
        DoorConfig(cert_file=made.certificate, key_file=made.key).tls()

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The answering side: lets in whoever has the token, and hands packets to one service.

Before the token is checked a stranger costs one thread for a few seconds, of a bounded number.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import ssl
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self

from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.sync.server import ServerConnection, serve

from roboreward_ros.clock import Clock, SystemClock
from roboreward_ros.errors import FormatError, LinkError, RoboRewardError, StackError
from roboreward_ros.remote.door_config import DoorConfig
from roboreward_ros.remote.gate import Gate
from roboreward_ros.remote.packet import Packet, pack, unpack
from roboreward_ros.remote.sockets import WIRE_LOG, give_up_after
from roboreward_ros.types.codec import JsonObject

_LOG = logging.getLogger(__name__)

QUEUED = 4
"""Messages of an asker that wait; more stay in the network."""


class Peer:
    """One connected asker. ``send`` may be called from any thread.

    Attributes:
        name: address and port, for logs.
    """

    def __init__(self, connection: ServerConnection) -> None:
        self._connection = connection
        address = connection.remote_address
        self.name = f"{address[0]}:{address[1]}" if isinstance(address, tuple) else str(address)

    def send(self, packet: Packet) -> None:
        """Raises LinkError when it is gone."""
        try:
            self._connection.send(pack(packet))
        except (OSError, WebSocketException):
            raise LinkError(f"{self.name} is gone") from None


class Session(Protocol):
    """What a service knows of one connection; its packets come one after the other."""

    def welcome(self) -> Packet:
        """The answer to the asker's hello."""

    def take(self, packet: Packet) -> Packet | None:
        """The answer; None where there is none, or where it is sent later through the peer.

        What comes later carries the packet's ticket. A RoboRewardError is answered by its text.
        """

    def close(self) -> None:
        """The connection is gone."""


class Service(Protocol):
    """What a host serves."""

    @property
    def name(self) -> str:
        """The word that an asker must know, such as ``rewards``."""

    def join(self, peer: Peer, hello: Packet) -> Session:
        """Let an asker in who has the token.

        Raises:
            RoboRewardError: not this one; it is told why.
        """


class Door:
    """Listens from construction on; ``with Door(...) as door`` serves in threads of its own.

    Args:
        config: where to listen, what is needed to get in, and the limits.
        service: what is served.
        clock: measures rates.

    Raises:
        ConfigError: token, certificate or key cannot be used.
        StackError: the address cannot be listened on.
    """

    def __init__(self, config: DoorConfig, service: Service, clock: Clock | None = None) -> None:
        self._config = config
        self._service = service
        self._clock = clock or SystemClock()
        self._gate = Gate(config.token(), service.name, config.max_peers, self._clock)
        self._visitors = threading.BoundedSemaphore(config.max_peers + config.max_strangers)
        context = config.tls()
        listener = _listen(config)
        self.port: int = listener.getsockname()[1]
        give_up_after(listener, config.dead_s)  # what it accepts inherits it
        self._server = serve(
            self._serve,
            sock=listener,
            ssl=context,
            origins=[None],  # a web page has no business here
            process_request=self._gate.judge,
            compression=None,
            server_header=None,
            open_timeout=config.open_s,
            ping_interval=config.dead_s / 3,
            ping_timeout=config.dead_s * 2 / 3,
            close_timeout=1.0,
            max_size=config.max_message,
            max_queue=QUEUED,
            logger=WIRE_LOG,
        )
        self._handle = self._server.handler
        self._server.handler = self._limited
        self._thread = threading.Thread(target=self._server.serve_forever, name="door", daemon=True)
        self._encrypted = isinstance(context, ssl.SSLContext)
        _LOG.info("serving %s on %s", service.name, self.url)

    @property
    def url(self) -> str:
        """Where it listens."""
        host = f"[{self._config.bind}]" if ":" in self._config.bind else self._config.bind
        return f"{'wss' if self._encrypted else 'ws'}://{host}:{self.port}"

    @property
    def peers(self) -> int:
        """Askers that are connected."""
        return self._gate.inside

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop listening and drop everybody."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.socket.close()

    # In a thread of each connection.

    def _limited(self, sock: socket.socket, address: object) -> None:
        if not self._visitors.acquire(blocking=False):
            sock.close()
            with self._server.lock:
                self._server.handler_threads.discard(threading.current_thread())
            return
        try:
            self._handle(sock, address)
        finally:
            self._visitors.release()

    def _serve(self, connection: ServerConnection) -> None:
        peer = Peer(connection)
        if not self._gate.enter():
            connection.close(1013, "too many askers")
            return
        try:
            with contextlib.suppress(ConnectionClosed, LinkError, TimeoutError):
                self._greet(connection, peer)
        except Exception:
            _LOG.exception("%s: the connection failed", peer.name)
        finally:
            self._gate.leave()
            _LOG.info("%s left", peer.name)

    def _greet(self, connection: ServerConnection, peer: Peer) -> None:
        hello = _packet(connection.recv(timeout=self._config.open_s))
        try:
            session = self._service.join(peer, hello)
        except RoboRewardError as error:
            peer.send(_error(hello, error))
            return
        _LOG.info("%s joined", peer.name)
        try:
            peer.send(session.welcome())
            self._answer_all(connection, peer, session.take)
        finally:
            session.close()

    def _answer_all(
        self,
        connection: ServerConnection,
        peer: Peer,
        take: Callable[[Packet], Packet | None],
    ) -> None:
        rate = self._config.rate(self._clock)
        while True:
            data = connection.recv()
            rate.spend(len(data))
            packet = _packet(data)
            if packet.kind == "ping":
                peer.send(Packet("pong", ticket=packet.ticket))
                continue
            try:
                answer = take(packet)
            except RoboRewardError as error:
                answer = _error(packet, error)
            except Exception as error:  # a bug here must not end the other connections
                _LOG.exception("%s: '%s' could not be answered", peer.name, packet.kind)
                answer = _error(packet, StackError(f"the host failed: {type(error).__name__}"))
            if answer is not None and packet.ticket:
                peer.send(Packet(answer.kind, answer.fields, answer.body, packet.ticket))


def _packet(data: str | bytes) -> Packet:
    """Raises LinkError, which ends the connection: an asker of another protocol is no asker."""
    try:
        if isinstance(data, str):
            raise FormatError("text where a packet was due")
        return unpack(data)
    except FormatError as error:
        _LOG.warning("an asker speaks another protocol: %s", error)
        raise LinkError("another protocol") from None


def _error(packet: Packet, error: RoboRewardError) -> Packet:
    fields: JsonObject = {"message": str(error), "kind": type(error).__name__}
    return Packet("error", fields, ticket=packet.ticket)


def _listen(config: DoorConfig) -> socket.socket:
    family = socket.AF_INET6 if ":" in config.bind else socket.AF_INET
    try:
        return socket.create_server((config.bind, config.port), family=family)
    except OSError as error:
        raise StackError(
            f"cannot listen on {config.bind}:{config.port}",
            got=error.strerror,
            next_step="Choose another port, or an address of this machine.",
        ) from None

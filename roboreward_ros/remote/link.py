# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The asking side: one connection, made when it is needed and made again when it is cut.

A question that a cut interrupts is asked again, within its deadline, on the next connection: what
is asked must therefore be safe to ask twice.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import ssl
import threading
from collections.abc import Callable

from websockets.exceptions import (
    ConnectionClosed,
    InvalidHandshake,
    InvalidMessage,
    InvalidStatus,
    WebSocketException,
)
from websockets.frames import CloseCode
from websockets.sync.client import ClientConnection, connect

from roboreward_ros.clock import Clock, SystemClock
from roboreward_ros.errors import FormatError, LinkError, RefusedError
from roboreward_ros.remote.endpoint import Endpoint
from roboreward_ros.remote.packet import Packet, pack, unpack
from roboreward_ros.remote.sockets import WIRE_LOG, give_up_after
from roboreward_ros.types.codec import Fields

_LOG = logging.getLogger(__name__)
_FIRST_PAUSE_S = 0.05
_LONGEST_PAUSE_S = 2.0
_AGAIN = {408, 425, 429, 500, 502, 503, 504}
_SHOWN = 200

OnPacket = Callable[[Packet], None]


class Link:
    """A connection to one service of another host.

    ``ask`` may be called from several threads, one at a time is served; ``tell`` and ``close``
    from any.

    Args:
        endpoint: where.
        service: what is asked for, such as ``rewards``; another service refuses.
        hello: the first packet of every connection; who we are.
        on_welcome: gets the host's answer to it, at every connection; what it raises goes to
            the one who asked, and the connection is dropped.
        clock: measures deadlines.

    Raises:
        ConfigError: the token or the certificates cannot be read.

    Attributes:
        connections: how many there have been.
        sent_bytes: of packets, without what TLS and TCP add.
        received_bytes: likewise.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        service: str,
        hello: Packet,
        on_welcome: OnPacket | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._url = f"{endpoint.url.rstrip('/')}/{service}"
        self._hello = hello
        self._on_welcome = on_welcome
        self._clock = clock or SystemClock()
        self._tls = endpoint.tls()
        token = endpoint.token()
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._asking = threading.Lock()
        self._connection: ClientConnection | None = None
        self._ticket = 0
        self._closed = False
        self.connections = 0
        self.sent_bytes = 0
        self.received_bytes = 0

    @property
    def connected(self) -> bool:
        """Whether there is a connection, as far as is known."""
        return self._connection is not None

    def ask(self, packet: Packet, deadline_s: float, on_packet: OnPacket | None = None) -> Packet:
        """The one answer to ``packet``; asked again on a new connection after a cut.

        Args:
            packet: its ticket is set here.
            deadline_s: for everything, connecting included.
            on_packet: gets what the host says about the question before it answers
                (kind ``progress``).

        Raises:
            RefusedError: the host does not let us in, is another service, or says no.
            LinkError: no answer within ``deadline_s``.
        """
        end_ns = self._clock.steady_ns() + round(deadline_s * 1e9)
        with self._asking:
            why = "the deadline was over before it was asked"
            pause_s = _FIRST_PAUSE_S
            while (left_s := self._left_s(end_ns)) > 0:
                try:
                    connection = self._ensure(left_s)
                    return self._ask_once(connection, packet, end_ns, on_packet)
                except RefusedError:
                    raise
                except TimeoutError:
                    why = "it is silent"
                    break
                except (OSError, WebSocketException, LinkError) as error:
                    why = _reason(error)
                    if self._connection is None and pause_s == _FIRST_PAUSE_S:
                        _LOG.warning("no connection to %s yet: %s", self._endpoint.name, why)
                    self._drop(self._connection, why)
                    if _too_big(error):
                        raise RefusedError(
                            f"{self._endpoint.name} does not take so large a message", got=why
                        ) from None
                    self._clock.sleep(max(min(pause_s, self._left_s(end_ns)), 0.0))
                    pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
            raise LinkError(
                f"no answer from {self._endpoint.name} within {deadline_s:g} s", got=why
            )

    def tell(self, packet: Packet) -> bool:
        """Say something that has no answer, if there is a connection; whether it was sent."""
        connection = self._connection
        if connection is None:
            return False
        try:
            self._send(connection, packet)
        except (OSError, WebSocketException) as error:
            self._drop(connection, _reason(error))
            return False
        return True

    def connect(self, deadline_s: float) -> None:
        """Make sure of a connection; raises as ``ask``."""
        self.ask(Packet("ping"), deadline_s)

    def drop(self, why: str) -> None:
        """Give the connection up, and with it every answer that is still to come."""
        self._drop(self._connection, why)

    def close(self) -> None:
        """Drop the connection for good; idempotent."""
        self._closed = True
        self._drop(self._connection, "")

    # While ``ask`` holds the lock.

    def _ask_once(
        self,
        connection: ClientConnection,
        packet: Packet,
        end_ns: int,
        on_packet: OnPacket | None,
    ) -> Packet:
        self._ticket += 1
        ticket = self._ticket
        self._send(connection, Packet(packet.kind, packet.fields, packet.body, ticket))
        while (left_s := self._left_s(end_ns)) > 0:
            reply = self._receive(connection, left_s)
            if reply.ticket != ticket:
                continue  # of a question whose asker went away
            if reply.kind == "progress":
                if on_packet is not None:
                    on_packet(reply)
                continue
            if reply.kind == "error":
                raise _told(reply)
            return reply
        raise TimeoutError

    def _ensure(self, left_s: float) -> ClientConnection:
        if self._closed:
            raise RefusedError(f"the link to {self._endpoint.name} is closed")
        if self._connection is None:
            connection = self._open(left_s)
            try:
                self._greet(connection, left_s)
            except BaseException:
                connection.close_socket()
                raise
            self._connection = connection
            if self._closed:  # meanwhile, by another thread
                self._drop(connection, "")
                raise RefusedError(f"the link to {self._endpoint.name} is closed")
            self.connections += 1
            _LOG.info("connected to %s", self._endpoint.name)
        return self._connection

    def _greet(self, connection: ClientConnection, left_s: float) -> None:
        try:
            self._send(connection, self._hello)
            welcome = self._receive(connection, left_s)
        except TimeoutError:
            raise LinkError(f"{self._endpoint.name} does not greet") from None
        if welcome.kind == "error":
            raise _told(welcome)
        if self._on_welcome is not None:
            self._on_welcome(welcome)

    def _open(self, left_s: float) -> ClientConnection:
        """A connection whose handshakes are done.

        Raises:
            RefusedError: the host is not the one we trust, or does not let us in.
            LinkError, OSError: it cannot be reached now.
        """
        endpoint = self._endpoint
        limit_s = min(left_s, max(endpoint.dead_s, 1.0))
        try:
            raw = socket.create_connection(endpoint.address, limit_s)
            give_up_after(raw, endpoint.dead_s)
            return connect(
                self._url,
                sock=raw,
                ssl=self._tls,
                server_hostname=endpoint.host if self._tls else None,
                additional_headers=self._headers,
                compression=None,
                proxy=None,
                open_timeout=limit_s,
                ping_interval=endpoint.dead_s / 3,
                ping_timeout=endpoint.dead_s * 2 / 3,
                close_timeout=1.0,
                max_size=endpoint.max_message,
                logger=WIRE_LOG,
                legacy=True,
            )
        except TimeoutError:
            raise LinkError(f"{endpoint.name} does not answer") from None
        except ssl.SSLCertVerificationError as error:
            raise RefusedError(
                f"the certificate of {endpoint.name} is not trusted",
                got=error.verify_message,
                next_step="ca_file must be the certificate that the host serves with, made for "
                "this name or address.",
            ) from None
        except InvalidStatus as error:
            raise self._refusal(error.response.status_code, error.response.body) from None
        except ssl.SSLError as error:
            raise LinkError(f"{endpoint.name} breaks off", got=str(error)) from None
        except InvalidMessage as error:
            raise LinkError(f"{endpoint.name} does not speak", got=_reason(error)) from None
        except InvalidHandshake as error:
            raise RefusedError(f"{endpoint.name} is something else", got=_reason(error)) from None

    def _refusal(self, status: int, body: bytes | bytearray | None) -> LinkError:
        text = " ".join((body or b"").decode("utf-8", "replace").split())[:_SHOWN]
        got = f"status {status}: {text or 'no reason'}"
        if status in _AGAIN:
            return LinkError(f"{self._endpoint.name} has no time", got=got)
        if status == 401:
            return RefusedError(
                f"{self._endpoint.name} refuses the token",
                got=got,
                next_step="Both ends must read the same token (token_file or token_env).",
            )
        return RefusedError(f"{self._endpoint.name} refuses the connection", got=got)

    def _send(self, connection: ClientConnection, packet: Packet) -> None:
        data = pack(packet)
        connection.send(data)
        self.sent_bytes += len(data)

    def _receive(self, connection: ClientConnection, left_s: float) -> Packet:
        data = connection.recv(timeout=left_s)
        self.received_bytes += len(data)
        try:
            if isinstance(data, str):
                raise FormatError("text where a packet was due", got=data[:_SHOWN])
            return unpack(data)
        except FormatError as error:
            self._drop(connection, "it speaks another protocol")
            raise RefusedError(
                f"{self._endpoint.name} speaks another protocol", got=str(error)
            ) from None

    def _left_s(self, end_ns: int) -> float:
        return (end_ns - self._clock.steady_ns()) / 1e9

    def _drop(self, connection: ClientConnection | None, why: str) -> None:
        if connection is None or connection is not self._connection:
            return
        self._connection = None
        if why:
            _LOG.warning("connection to %s lost: %s", self._endpoint.name, why)
            connection.close_socket()
            return
        with contextlib.suppress(OSError, WebSocketException):
            connection.close()


def _told(reply: Packet) -> RefusedError:
    fields = Fields(reply.fields, "error")
    error = RefusedError(fields.text("message"))
    error.kind = fields.text("kind")
    return error


def _too_big(error: BaseException) -> bool:
    received = error.rcvd if isinstance(error, ConnectionClosed) else None
    return received is not None and received.code == CloseCode.MESSAGE_TOO_BIG


def _reason(error: BaseException) -> str:
    if isinstance(error, ConnectionClosed):
        received = error.rcvd
        return f"closed: {received.reason or received.code}" if received else "cut"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__

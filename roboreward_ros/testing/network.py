# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Two hosts on one machine, with a bad wire between them: for tests and benches, Linux and root.

Each host is a network namespace of its own with one TUN device; a thread carries the packets from
one to the other, and delays, loses, doubles and cuts as it is told. Nothing leaves the two, and
nothing is left behind: a namespace ends with the last descriptor that holds it.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import heapq
import os
import random
import select
import socket
import struct
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from roboreward_ros.errors import StackError

_CLONE_NEWNET = 0x40000000
_TUNSETIFF, _TUN_WITHOUT_HEADER = 0x400454CA, 0x1001
_SIOCSIFFLAGS, _SIOCSIFADDR, _SIOCSIFNETMASK = 0x8914, 0x8916, 0x891C
_UP_AND_RUNNING = 0x41
_SELF = "/proc/thread-self/ns/net"
_LARGEST = 65_536
_QUEUED = 4096


@dataclass(frozen=True, slots=True)
class Quality:
    """How a wire treats packets, each way.

    Attributes:
        delay_s: of every packet, s.
        jitter_s: more of it, uniformly up to this; packets overtake each other.
        loss: probability of losing one.
        duplicate: probability of delivering one twice.
    """

    delay_s: float = 0.0
    jitter_s: float = 0.0
    loss: float = 0.0
    duplicate: float = 0.0


class Host:
    """One end.

    Attributes:
        address: IPv4, on the wire.
        tun: descriptor of its device, packets without a header.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        before = os.open(_SELF, os.O_RDONLY | os.O_CLOEXEC)
        try:
            _call("unshare", _CLONE_NEWNET)
            try:
                self._namespace = os.open(_SELF, os.O_RDONLY | os.O_CLOEXEC)
                self.tun = _device(address)
            finally:
                _call("setns", before, _CLONE_NEWNET)
        finally:
            os.close(before)

    @contextlib.contextmanager
    def inside(self) -> Iterator[None]:
        """This thread, and the threads and processes that it starts, live on this host."""
        before = os.open(_SELF, os.O_RDONLY | os.O_CLOEXEC)
        try:
            _call("setns", self._namespace, _CLONE_NEWNET)
            try:
                yield
            finally:
                _call("setns", before, _CLONE_NEWNET)
        finally:
            os.close(before)

    def close(self) -> None:
        """The host is gone once nothing runs there."""
        os.close(self.tun)
        os.close(self._namespace)


class Network:
    """``with Network() as net``: ``net.robot`` and ``net.gpu``, and the wire between them.

    Args:
        quality: of the wire; ``change`` sets another one.
        seed: of losses, doubles and jitter.

    Raises:
        StackError: namespaces or devices cannot be made here.

    Attributes:
        carried: bytes of packets that went from robot to gpu and from gpu to robot.
    """

    def __init__(self, quality: Quality | None = None, seed: int = 0) -> None:
        self._quality = quality or Quality()
        self._random = random.Random(seed)
        self._cut = False
        self.carried = [0, 0]
        self.robot = Host("10.77.0.1")
        try:
            self.gpu = Host("10.77.0.2")
        except BaseException:
            self.robot.close()
            raise
        self._stop, self._stopping = os.pipe2(os.O_CLOEXEC)
        self._thread = threading.Thread(target=self._carry, name="wire", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.write(self._stopping, b"x")
        self._thread.join()
        for host in (self.robot, self.gpu):
            host.close()
        os.close(self._stop)
        os.close(self._stopping)

    def change(self, quality: Quality) -> None:
        """Another wire from now on."""
        self._quality = quality

    def cut(self) -> None:
        """Carry nothing: neither end is told."""
        self._cut = True

    def mend(self) -> None:
        """Carry again."""
        self._cut = False

    # In the wire's thread.

    def _carry(self) -> None:
        ends = (self.robot.tun, self.gpu.tun)
        waiting: list[tuple[float, int, int, bytes]] = []  # due, number, to which end, packet
        poller = select.poll()
        for descriptor in (*ends, self._stop):
            poller.register(descriptor, select.POLLIN)
        number = 0
        while True:
            pause_ms = max((waiting[0][0] - time.monotonic()) * 1000, 0) if waiting else None
            for descriptor, _ in poller.poll(pause_ms):
                if descriptor == self._stop:
                    return
                packet = os.read(descriptor, _LARGEST)
                towards = 1 - ends.index(descriptor)
                for due in self._fate(len(waiting)):
                    number += 1
                    heapq.heappush(waiting, (due, number, towards, packet))
            now = time.monotonic()
            while waiting and waiting[0][0] <= now:
                _, _, towards, packet = heapq.heappop(waiting)
                if not self._cut:
                    self.carried[towards == 0] += len(packet)
                    with contextlib.suppress(OSError):  # not an address of that end
                        os.write(ends[towards], packet)

    def _fate(self, queued: int) -> list[float]:
        """When the packet is delivered: never, once or twice."""
        quality, draw = self._quality, self._random.random
        if self._cut or queued >= _QUEUED or (quality.loss and draw() < quality.loss):
            return []
        copies = 2 if quality.duplicate and draw() < quality.duplicate else 1
        now = time.monotonic()
        return [now + quality.delay_s + quality.jitter_s * draw() for _ in range(copies)]


def _call(name: str, *arguments: int) -> None:
    """A function of the C library that Python 3.11 does not have."""
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*arguments) != 0:
        raise StackError(
            "network namespaces cannot be made or entered",
            got=f"{name}: {os.strerror(ctypes.get_errno())}",
            allowed="root (CAP_SYS_ADMIN and CAP_NET_ADMIN) on Linux",
        )


def _device(address: str) -> int:
    """A TUN device in this thread's namespace, up, with ``address`` of a /24."""
    try:
        descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
        fcntl.ioctl(descriptor, _TUNSETIFF, struct.pack("16sH22x", b"wire", _TUN_WITHOUT_HEADER))
    except OSError as error:
        raise StackError(
            "no network device can be made",
            got=f"/dev/net/tun: {error.strerror}",
            next_step="The kernel needs CONFIG_TUN, a container the device /dev/net/tun.",
        ) from None
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        for request, text in ((_SIOCSIFADDR, address), (_SIOCSIFNETMASK, "255.255.255.0")):
            place = struct.pack("HH4s8x", socket.AF_INET, 0, socket.inet_aton(text))
            fcntl.ioctl(control, request, struct.pack("16s16s8x", b"wire", place))
        for name in (b"wire", b"lo"):
            fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sH22x", name, _UP_AND_RUNNING))
    return descriptor

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How fast an asker may send, and how often an address may guess."""

import pytest
from websockets.sync.client import connect

from roboreward_ros.clock import FakeClock
from roboreward_ros.remote.door import Door, Peer
from roboreward_ros.remote.door_config import DoorConfig
from roboreward_ros.remote.packet import Packet, pack, unpack
from roboreward_ros.remote.throttle import Throttle


class Silent:
    """Lets everybody in."""

    name = "silent"

    def join(self, peer: Peer, hello: Packet) -> "Silent":
        return self

    def welcome(self) -> Packet:
        return Packet("welcome")

    def take(self, packet: Packet) -> Packet:
        return Packet("taken")

    def close(self) -> None:
        """Nothing is kept."""


def test_a_second_of_the_allowance_is_free_and_what_is_beyond_waits() -> None:
    clock = FakeClock()
    rate = DoorConfig(bytes_per_s=1e3, messages_per_s=10).rate(clock)
    clock.advance(60.0)  # a silent minute saves up a second, not a minute
    began = clock.steady
    rate.spend(1000)
    assert clock.steady == began
    rate.spend(500)
    assert clock.steady - began == pytest.approx(0.5e9)
    for _ in range(20):
        rate.spend(1)
    assert clock.steady - began == pytest.approx(2.5e9)


@pytest.mark.parametrize(
    ("limits", "size", "waited_s"),
    [({"messages_per_s": 2.0}, 1, 10.0), ({"bytes_per_s": 1e4}, 5000, 10.0)],
)
def test_a_door_reads_an_asker_no_faster_than_it_allows(
    limits: dict[str, float], size: int, waited_s: float
) -> None:
    clock = FakeClock()
    with (
        Door(DoorConfig(port=0, **limits), Silent(), clock) as door,
        connect(f"ws://127.0.0.1:{door.port}/silent", compression=None) as asker,
    ):
        asker.send(pack(Packet("hello")))
        assert unpack(asker.recv(timeout=20)).kind == "welcome"
        for ticket in range(1, 21):
            asker.send(pack(Packet("x", body=bytes(size), ticket=ticket)))
            assert unpack(asker.recv(timeout=20)).kind == "taken"
    assert clock.steady / 1e9 == pytest.approx(waited_s, abs=1.1), "but for a second's worth"


def test_different_wrong_tokens_count_and_who_is_known_stays() -> None:
    clock = FakeClock()
    throttle = Throttle(b"right", 3, clock)
    assert throttle.check("known", b"right")
    for address in ("known", "other"):
        shown = [throttle.check(address, b"stale") for _ in range(9)]
        shown += [throttle.check(address, guess) for guess in (b"a", b"b", b"c")]
        assert shown == [False] * 11 + [None]
    assert throttle.check("known", b"right")
    assert throttle.check("other", b"right") is None
    assert throttle.check("third", b"right")
    clock.advance(61.0)
    assert throttle.check("other", b"right")

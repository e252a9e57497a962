# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
import contextlib
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roboreward_ros.errors import FormatError
from roboreward_ros.remote.packet import MAX_BODY, Packet, pack, unpack

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False,
    allow_infinity=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)  # fmt: skip
packets = st.builds(
    Packet,
    kind=st.text(max_size=9),
    fields=st.dictionaries(st.text(max_size=5), values, max_size=4),
    body=st.binary(max_size=99),
    ticket=st.integers(0, 2**62),
)


@settings(max_examples=50)
@given(packets)
def test_a_packet_comes_back_as_it_went(packet: Packet) -> None:
    assert unpack(pack(packet)) == packet


@given(st.binary(max_size=200))
def test_foreign_bytes_are_refused_by_name(data: bytes) -> None:
    with pytest.raises(FormatError):
        unpack(data)


@settings(max_examples=50)
@given(packets, st.data())
def test_a_damaged_packet_is_refused_or_still_a_packet(packet: Packet, data: st.DataObject) -> None:
    raw = bytearray(pack(packet))
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(FormatError):
        assert isinstance(unpack(bytes(raw)), Packet)


def test_a_length_beyond_all_bounds_is_refused_before_anything_is_allocated() -> None:
    with pytest.raises(FormatError, match="does not speak"):
        unpack(struct.pack("<4sII", b"RRW1", 2, MAX_BODY + 1) + b"{}")

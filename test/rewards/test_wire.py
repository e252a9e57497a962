# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
import socket
import struct
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roboreward_ros.errors import FormatError
from roboreward_ros.remote.packet import MAX_BODY
from roboreward_ros.rewards.wire import (
    Message,
    MessageKind,
    decode_request,
    encode_request,
    receive,
    send,
)
from roboreward_ros.types import GroundTruth, RewardRequest

truths = st.builds(
    GroundTruth, st.floats(0, 1), st.booleans(), st.integers(1, 5), st.text(max_size=9)
)
requests = st.builds(
    RewardRequest,
    episode_id=st.text(max_size=9),
    task=st.text(st.characters(codec="utf-8"), max_size=30),
    frames=st.lists(st.binary(max_size=50), max_size=5),
    stamps_ns=st.lists(st.integers(0, 2**62), max_size=5).map(tuple),
    control_hz=st.floats(0.1, 100),
    truth=st.none() | st.lists(truths, max_size=3),
    seed=st.integers(0, 2**63),
)


@pytest.fixture
def pair():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


@given(requests)
def test_requests_survive_the_wire(request):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        send(ours, encode_request(request))
        assert decode_request(receive(theirs)) == request


def test_a_large_message_passes_whole(pair):
    ours, theirs = pair
    body = bytes(range(256)) * 40_000
    sender = threading.Thread(target=send, args=(ours, Message(MessageKind.SCORE, {}, body)))
    sender.start()
    assert receive(theirs).body == body
    sender.join()


def test_an_end_between_messages_is_an_end(pair):
    ours, theirs = pair
    send(ours, Message(MessageKind.READY))
    ours.close()
    assert receive(theirs).kind is MessageKind.READY
    assert receive(theirs) is None


@pytest.mark.parametrize("keep", [1, 11, 12, 30])
def test_an_end_inside_a_message_is_an_error(pair, keep):
    ours, theirs = pair
    recorder, listener = socket.socketpair()
    with recorder, listener:
        send(recorder, Message(MessageKind.SCORE, {"a": "b" * 50}, b"x"))
        data = listener.recv(4096)
    ours.sendall(data[:keep])
    ours.close()
    with pytest.raises(FormatError, match="inside a message"):
        receive(theirs)


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00.",
        struct.pack("<4sII", b"RRW1", 10, MAX_BODY + 1),
        struct.pack("<4sII", b"RRW1", 2**31, 0),
        struct.pack("<4sII", b"RRW1", 2, 0) + b"[]",
        struct.pack("<4sII", b"RRW1", 2, 0) + b"{}",
        struct.pack("<4sII", b"RRW1", 29, 0) + b'{"kind":"shout","fields":{  }}'[:29],
    ],
)
def test_what_is_no_message_is_refused_before_it_is_read(pair, data):
    ours, theirs = pair
    ours.sendall(data)
    with pytest.raises(FormatError):
        receive(theirs)


def test_frames_and_lengths_must_agree():
    message = encode_request(RewardRequest("e", "t", [b"abc"], [1], 5.0))
    for body, lengths in ((b"ab", [3]), (b"abcd", [3]), (b"abc", [-1, 4]), (b"abc", [1.5, 1.5])):
        with pytest.raises(FormatError):
            decode_request(Message(MessageKind.SCORE, {**message.fields, "lengths": lengths}, body))


def test_no_time_left_is_a_timeout(pair):
    with pytest.raises(TimeoutError):
        receive(pair[0], lambda: 0.0)
    with pytest.raises(TimeoutError):
        receive(pair[0], lambda: 0.01)

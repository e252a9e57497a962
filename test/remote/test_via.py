# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A tunnel: another place is connected to, and the host that is asked for stays who it is."""

import socket
import threading

import pytest

from roboreward_ros.errors import ConfigError, RefusedError
from roboreward_ros.remote.endpoint import Endpoint
from roboreward_ros.remote.link import Link
from roboreward_ros.remote.packet import Packet

NO = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
WRONG = ("gpu", ":9000", "gpu:x", "gpu:99999", "a@gpu:1", "gpu:1/x", "gpu:0")


def test_the_tunnel_s_end_is_connected_to():
    plain = Endpoint("wss://gpu.lab:8650")
    assert plain.address == ("gpu.lab", 8650)
    tunnelled = Endpoint("wss://gpu.lab:8650", via="127.0.0.1:9000")
    assert tunnelled.address == ("127.0.0.1", 9000)
    assert (tunnelled.host, tunnelled.name) == (plain.host, plain.name)


@pytest.mark.parametrize("via", WRONG)
def test_what_is_no_place_is_refused(via):
    with pytest.raises(ConfigError, match="via is not a host"):
        Endpoint("wss://gpu.lab:8650", via=via)


def test_nothing_leaves_this_machine_unencrypted_by_a_tunnel():
    Endpoint("ws://127.0.0.1:8650", via="127.0.0.1:9000")
    with pytest.raises(ConfigError, match="unencrypted"):
        Endpoint("ws://127.0.0.1:8650", via="gpu.lab:9000")


def test_who_is_asked_is_the_host_not_the_tunnel():
    heard = []
    with socket.create_server(("127.0.0.1", 0)) as door:

        def hear():
            near, _ = door.accept()
            with near:
                heard.append(near.recv(65536))
                near.sendall(NO)

        thread = threading.Thread(target=hear, daemon=True)
        thread.start()
        via = f"127.0.0.1:{door.getsockname()[1]}"
        link = Link(Endpoint("ws://localhost:9", via=via), "echo", Packet("hello"))
        with pytest.raises(RefusedError, match="refuses the token"):
            link.connect(60.0)
        link.close()
        thread.join(30.0)
    assert heard[0].startswith(b"GET /echo HTTP/1.1\r\n")
    assert b"Host: localhost:9\r\n" in heard[0]

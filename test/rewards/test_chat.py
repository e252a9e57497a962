# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The chat client below ``api`` and ``gvl``: certificates, waiting times, token probabilities."""

import pytest

from roboreward_ros.clock import FakeClock
from roboreward_ros.errors import RewardSourceError
from roboreward_ros.rewards.chat.client import ChatClient, _retry_after_s
from roboreward_ros.rewards.chat.endpoint import EndpointConfig
from roboreward_ros.rewards.chat.reply import Position, distribution
from roboreward_ros.testing.chat_server import MODEL, ChatServer

CERTIFICATE = """\
-----BEGIN CERTIFICATE-----
MIIBmjCCAUGgAwIBAgIUZl4b8oNVX0XKl78CETQLAZDYTpEwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMTE0MDM1NVoYDzIxMjYxMDI4
MTQwMzU1WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAAQvDjoUWQVzUsU5QYl+V8ih56AHnNlQ0qrodaAU8YW6bdcF/pBj4VSf
FMj5MBHuwZU9y3X4Jk5Gs3ctwhGkhEKLo28wbTAdBgNVHQ4EFgQUVydrS1GT1qDR
+tr7QC2+3+ggkoQwHwYDVR0jBBgwFoAUVydrS1GT1qDR+tr7QC2+3+ggkoQwDwYD
VR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZI
zj0EAwIDRwAwRAIgDULQRRE3LKLzDebr7iMjtsqpWDM2bSAcia6UDGCECEcCIAD4
YhjjeZ5YZfKQ60coKpm1YjGBTlsA0tTTwvNK7whP
-----END CERTIFICATE-----
"""
KEY = """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgLQbSKSXjpJ7HDtNL
rNb7cL6ouAbJn8670N6rfcArD9ChRANCAAQvDjoUWQVzUsU5QYl+V8ih56AHnNlQ
0qrodaAU8YW6bdcF/pBj4VSfFMj5MBHuwZU9y3X4Jk5Gs3ctwhGkhEKL
-----END PRIVATE KEY-----
"""
"""Of nobody: made for this test, for localhost, until the next century."""


def test_an_unknown_certificate_is_refused_unless_it_is_named(tmp_path, monkeypatch):
    (tmp_path / "ca.pem").write_text(CERTIFICATE)
    (tmp_path / "server.pem").write_text(CERTIFICATE + KEY)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with ChatServer(tls=tmp_path / "server.pem") as server:

        def offered(**options):
            config = EndpointConfig(server.url, MODEL, retries=0, timeout_s=60.0, **options)
            client = ChatClient(config)
            try:
                return client.get("/models", 20.0)["data"][0]["id"]
            finally:
                client.close()

        with pytest.raises(RewardSourceError, match="CERTIFICATE_VERIFY_FAILED"):
            offered()
        assert offered(ca_file=str(tmp_path / "ca.pem")) == MODEL
        assert offered(verify_tls=False) == MODEL


def test_certificates_are_checked_where_they_are_named(tmp_path):
    broken = tmp_path / "ca.pem"
    broken.write_text("nothing")
    config = EndpointConfig("https://127.0.0.1:1/v1", MODEL, ca_file=str(broken))
    with pytest.raises(RewardSourceError, match="ca_file"):
        ChatClient(config)


def test_retry_after_may_be_a_date():
    clock = FakeClock(offset=0)
    assert _retry_after_s("Thu, 01 Jan 1970 00:00:09 GMT", clock) == pytest.approx(9.0)
    assert _retry_after_s("soon", clock) is None
    assert _retry_after_s("nan", clock) is None
    assert _retry_after_s("-4", clock) == 0


def test_the_distribution_is_read_where_the_answer_stands():
    answers = {str(k): float(k) for k in range(1, 6)}
    prefilled = [Position("4", {"4": 0.6, "5": 0.2, "no": 0.1})]
    found = distribution(prefilled, answers, "")
    assert found.probabilities == pytest.approx((0, 0, 0, 0.75, 0.25))
    assert found.off_answer_mass == pytest.approx(0.2)
    blank = [Position(" ", {" ": 0.5, "5": 0.25}), Position("4", {"4": 1.0})]
    assert distribution(blank, answers, "").probabilities[3] == pytest.approx(2 / 3)
    joined = [Position("ANSWER", {"ANSWER": 1.0}), Position(":", {":": 1.0})]
    joined.append(Position(" 4", {" 4": 0.5, "4": 0.1, " 5": 0.4}))
    found = distribution(joined, answers, "ANSWER: ")
    assert found.probabilities == pytest.approx((0, 0, 0, 0.6, 0.4))
    assert distribution(joined[:2], answers, "ANSWER: ") is None
    assert distribution([Position("x", {"x": 1.0})], answers, "") is None

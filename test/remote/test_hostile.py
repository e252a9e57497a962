# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Packets of an asker that has the token and means no good: an answer or an error by name."""

import contextlib
import dataclasses
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roboreward_ros.errors import FormatError, RoboRewardError
from roboreward_ros.policies.remote import dialect as policy_dialect
from roboreward_ros.policies.remote.service import PolicyService, PolicySession
from roboreward_ros.remote.packet import Packet, unpack
from roboreward_ros.rewards.live import LiveFrame
from roboreward_ros.rewards.remote import dialect as reward_dialect
from roboreward_ros.rewards.remote.service import RewardService, RewardSession
from roboreward_ros.testing.conformance_reward_source import make_request
from roboreward_ros.testing.fake_policy import FakePolicy
from roboreward_ros.testing.fake_rewards import FakeSource, registry_name

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
bodies = st.binary(max_size=60)


class Nobody:
    """A peer that is told everything in vain."""

    name = "nobody"

    def send(self, packet: Packet) -> None: ...


def honest_rewards() -> list[Packet]:
    request = make_request(FakeSource())
    frame = LiveFrame("ep", "t", 5.0, 0, b"jpeg")
    names = [reward_dialect.name_of(item) for item in request.frames]
    return [
        reward_dialect.push(frame),
        reward_dialect.score(request, names),
        *reward_dialect.pieces(request.frames),
        Packet("cancel", {"episode_id": "ep"}),
    ]


def honest_policy() -> list[Packet]:
    image = np.arange(27, dtype=np.uint8).reshape(3, 3, 3)
    noise = np.zeros((1, 4, 7), dtype=np.float32)
    features = np.zeros((1, 16), dtype=np.float32)
    asked = [
        policy_dialect.encode([image], np.zeros((1, 7)), ["t"], coding)
        for coding in policy_dialect.Coding
    ]
    kept = policy_dialect.numbers(policy_dialect.KEEP, features)
    return [*asked, kept, policy_dialect.decode(features, noise)]


@st.composite
def twisted(draw: st.DrawFn, honest: list[Packet]) -> Packet:
    """An honest packet with fields and body that are not."""
    packet = draw(st.sampled_from(honest))
    fields = dict(packet.fields)
    for name in draw(st.lists(st.sampled_from([*fields, "other"]), max_size=3)):
        if draw(st.booleans()):
            fields.pop(name, None)
        else:
            fields[name] = draw(values)
    body = draw(st.just(packet.body) | bodies | st.just(packet.body[:-1]))
    return dataclasses.replace(packet, fields=fields, body=body, ticket=1)


@pytest.fixture(scope="module")
def rewards() -> Iterator[RewardSession]:
    service = RewardService(registry_name(FakeSource))
    yield RewardSession(service, Nobody(), "me")  # type: ignore[arg-type]
    service.close()


HARD = settings(max_examples=60)


@HARD
@given(twisted(honest_rewards()))
def test_a_reward_host_answers_or_refuses(rewards: RewardSession, packet: Packet) -> None:
    with contextlib.suppress(RoboRewardError):
        answer = rewards.take(packet)
        assert answer is None or isinstance(answer, Packet)


@HARD
@given(twisted(honest_policy()))
def test_a_policy_host_answers_or_refuses(packet: Packet) -> None:
    session = PolicySession(PolicyService(FakePolicy()))
    with contextlib.suppress(RoboRewardError):
        assert isinstance(session.take(packet), Packet)


@pytest.mark.parametrize("body", [b"", b"[" * 100_000, b'{"kind":' * 20_000])
def test_depth_is_refused_like_any_rubbish(body: bytes) -> None:
    head = b"RRW1" + len(body).to_bytes(4, "little") + bytes(4)
    with pytest.raises(FormatError):
        unpack(head + body)


def test_a_picture_that_claims_more_than_it_may_is_not_unpacked() -> None:
    large = np.zeros((2000, 2000, 3), dtype=np.uint8)  # 12 MB out of a few kB
    packet = policy_dialect.encode([large], np.zeros((1, 7)), ["t"], policy_dialect.Coding.PNG)
    heads = packet.fields["images"]
    assert isinstance(heads, list)
    small = [{**dict(heads[0]), "shape": [2, 2, 3]}]  # type: ignore[arg-type]
    with pytest.raises(FormatError, match="announced size"):
        policy_dialect.read_encode(
            dataclasses.replace(packet, fields={**packet.fields, "images": small})
        )  # type: ignore[dict-item]

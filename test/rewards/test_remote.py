# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A reward source behind a door on this machine; other networks are in test/remote."""

import dataclasses
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from roboreward_ros.clock import SystemClock
from roboreward_ros.errors import ConfigError, RewardSourceError
from roboreward_ros.protocols import RewardSource
from roboreward_ros.remote.door import Door
from roboreward_ros.remote.door_config import DoorConfig
from roboreward_ros.rewards.host import RewardHost
from roboreward_ros.rewards.live import LiveDesk, LiveFrame
from roboreward_ros.rewards.registry import build
from roboreward_ros.rewards.remote.config import RemoteConfig
from roboreward_ros.rewards.remote.dialect import name_of
from roboreward_ros.rewards.remote.service import RewardService
from roboreward_ros.rewards.remote.shelf import FrameShelf
from roboreward_ros.rewards.remote.source import RemoteSource
from roboreward_ros.testing.conformance_reward_source import (
    RewardSourceConformance,
    make_request,
)
from roboreward_ros.testing.fake_rewards import (
    AbstainingSource,
    EndlessSource,
    FakeSource,
    FollowingSource,
    RaisingSource,
    registry_name,
)
from roboreward_ros.types import Abstain, RewardFailure, RewardRequest, Score

LIMIT_S = 60.0


@contextmanager
def served(
    source: type[FakeSource] = FakeSource, port: int = 0, **options: object
) -> Iterator[tuple[Door, RewardService]]:
    service = RewardService(registry_name(source), options)  # type: ignore[arg-type]
    try:
        with Door(DoorConfig(port=port), service) as door:
            yield door, service
    finally:
        service.close()


def remote(door: Door, **config: object) -> RemoteSource:
    found = RemoteSource(RemoteConfig(url=f"ws://127.0.0.1:{door.port}", **config))  # type: ignore[arg-type]
    found.warm_up()
    return found


def until(holds, what: str) -> None:
    clock = SystemClock()
    end_ns = clock.steady_ns() + round(LIMIT_S * 1e9)
    while not holds():
        assert clock.steady_ns() < end_ns, f"in vain: {what}"
        clock.sleep(0.01)


def pushed(desk: LiveDesk, request: RewardRequest) -> list[float | None]:
    return [
        desk.push(LiveFrame(request.episode_id, request.task, request.control_hz, step, frame))
        for step, frame in enumerate(request.frames)
    ]


class TestRemoteConforms(RewardSourceConformance):
    @pytest.fixture
    def source(self) -> Iterator[RewardSource]:
        with served() as (door, _):
            yield RemoteSource(RemoteConfig(url=f"ws://127.0.0.1:{door.port}"))


def test_a_score_says_who_gave_it_there() -> None:
    with served(value=4.0) as (door, _):
        source = remote(door)
        outcome = source.score(make_request(source))
        source.close()
    assert isinstance(outcome, Score)
    assert outcome.value == 4.0
    assert (outcome.provenance.source, outcome.provenance.model) == ("remote", "FakeSource fake")


def test_an_abstention_comes_through_as_one() -> None:
    with served(AbstainingSource) as (door, _):
        source = remote(door)
        outcome = source.score(make_request(source))
        source.close()
    assert isinstance(outcome, Abstain)
    assert outcome.detail == "1.4 nats"


def test_a_failure_there_is_one_here_and_is_computed_anew_when_asked_again() -> None:
    with served(RaisingSource) as (door, service):
        source = remote(door)
        for count in (1, 2):
            outcome = source.score(make_request(source))
            assert isinstance(outcome, RewardFailure)
            assert "no such tensor" in outcome.message
            assert service.desk.computed == count
        source.close()


def test_frames_that_went_out_as_they_happened_are_not_sent_again() -> None:
    with served(FollowingSource) as (door, service):
        source = remote(door)
        desk = LiveDesk(source)
        request = make_request(source, steps=6)
        assert pushed(desk, request) == [None] * 7
        size = sum(len(frame) for frame in request.frames)
        until(lambda: service.shelf.size == size, "all frames are there")
        before = source.link.sent_bytes
        assert before > size
        outcome, live = desk.score(request)
        assert live
        assert isinstance(outcome, Score)
        assert source.link.sent_bytes - before < 1200  # names of frames, and no frame
        source.close()


def test_a_host_that_follows_gives_the_values_of_steps_while_they_happen() -> None:
    with served(FollowingSource, dense=True, child=True) as (door, _):
        source = remote(door, dense=True, live_s=LIMIT_S)
        desk = LiveDesk(source)
        request = make_request(source, steps=4)
        assert pushed(desk, request) == [1.0, 2.0, 3.0, 4.0, 5.0]
        outcome, _ = desk.score(request)
        assert isinstance(outcome, Score)
        assert outcome.text == "5 live"  # the host went on from what it had seen
        assert outcome.per_step == (1.0, 2.0, 3.0, 4.0, 5.0)
        source.close()


def test_two_arms_that_count_their_episodes_alike_get_each_its_own_score() -> None:
    with served(FollowingSource, dense=True, child=True) as (door, _):
        sources = [remote(door, dense=True, live_s=LIMIT_S) for _ in range(2)]
        desks = [LiveDesk(source) for source in sources]
        requests = [make_request(sources[0], steps=steps) for steps in (4, 6)]
        values: list[list[float | None]] = [[], []]
        for step in range(7):
            for arm, (desk, request) in enumerate(zip(desks, requests, strict=True)):
                if step < len(request.frames):
                    frame = request.frames[step] + bytes([arm])  # nobody else's bytes
                    values[arm].append(
                        desk.push(LiveFrame(request.episode_id, request.task, 5.0, step, frame))
                    )
        assert values[0] == [1.0, None, None, None, None]  # the other began later
        assert values[1] == [1.0, 2.0, 3.0, 4.0, 5.0, 1.0, 2.0]
        for arm, (desk, request) in enumerate(zip(desks, requests, strict=True)):
            stored = dataclasses.replace(
                request, frames=[frame + bytes([arm]) for frame in request.frames]
            )
            outcome, live = desk.score(stored)
            assert live
            assert isinstance(outcome, Score)
            assert len(outcome.per_step) == len(request.frames)
        for source in sources:
            source.close()


def test_frames_of_a_running_episode_survive_a_host_that_comes_and_goes() -> None:
    with served() as (door, _):
        port = door.port
        source = remote(door)
    desk = LiveDesk(source)
    request = make_request(source)
    assert pushed(desk, request) == [None] * 5  # into nothing
    with served(port=port, value=2.0) as (_, service):
        outcome, _ = desk.score(request)
        assert isinstance(outcome, Score)
        assert outcome.value == 2.0
        assert service.desk.computed == 1
    source.close()


def test_an_unreachable_host_is_an_error_and_never_a_number() -> None:
    with served() as (door, _):
        source = remote(door, timeout_s=0.2)
    with pytest.raises(RewardSourceError, match=r"no answer from 127\.0\.0\.1"):
        source.score(make_request(source))
    source.close()


def test_an_answer_that_came_while_the_line_was_cut_is_fetched_not_computed_again() -> None:
    release = threading.Event()
    with served() as (door, service):
        judge = service.host.score

        def slow(*arguments, **named):
            release.wait(LIMIT_S)
            return judge(*arguments, **named)

        service.host.score = slow  # type: ignore[method-assign]
        source = remote(door)
        answers = []
        asking = threading.Thread(target=lambda: answers.append(source.score(make_request(source))))
        asking.start()
        until(lambda: bool(service.desk._jobs), "it is being scored")
        for connection in door._server.connections:
            connection.close_socket()
        until(lambda: source.link.connections == 2, "it has come back")
        release.set()
        asking.join(LIMIT_S)
        assert isinstance(answers[0], Score)
        assert service.desk.computed == 1
        again = source.score(make_request(source))
        assert dataclasses.replace(again, latency_s=0) == dataclasses.replace(
            answers[0], latency_s=0
        )
        assert service.desk.computed == 1
        source.close()


def test_what_nobody_wants_any_more_ends_on_the_host_too() -> None:
    with served(EndlessSource, child=True) as (door, service):
        host = RewardHost("remote", {"url": f"ws://127.0.0.1:{door.port}"})
        wanted = threading.Event()
        wanted.set()
        answers = []
        request = make_request(build("remote"))
        asking = threading.Thread(
            target=lambda: answers.append(host.score(request, wanted.is_set, None))
        )
        asking.start()
        until(lambda: bool(service.desk._jobs), "it is being scored")
        wanted.clear()
        asking.join(LIMIT_S)
        assert isinstance(answers[0], RewardFailure)
        until(lambda: not service.desk._jobs, "the host has ended it")
        assert host.child is not None
        assert host.child.restarts == 0
        host.close()


@pytest.mark.parametrize(
    "config", [{"scale": "unit_0_1"}, {"dense": True}, {"source": "roboreward"}]
)
def test_a_host_that_serves_something_else_is_refused(config: dict[str, object]) -> None:
    with served() as (door, _):
        source = build("remote", {"url": f"ws://127.0.0.1:{door.port}", **config})  # type: ignore[dict-item]
        with pytest.raises(RewardSourceError, match="serves something else"):
            source.warm_up()


def test_a_start_waits_for_a_host_that_is_still_away() -> None:
    with served() as (door, _):
        port = door.port
    starting = build("remote", {"url": f"ws://127.0.0.1:{port}"})
    with pytest.raises(RewardSourceError, match=r"within 0\.1 s"):
        starting.require_host(0.1)  # type: ignore[attr-defined]
    waiting = threading.Thread(target=starting.warm_up)
    waiting.start()
    with served(port=port):
        waiting.join(LIMIT_S)
        assert isinstance(starting.score(make_request(starting)), Score)
        starting.close()


def test_without_a_host_it_says_what_to_do() -> None:
    with pytest.raises(RewardSourceError, match="gpu-on-another-host"):
        build("remote").warm_up()


@pytest.mark.parametrize("name", ["ground_truth", "human", "degraded"])
def test_sources_that_read_the_truth_are_not_served(name: str) -> None:
    with pytest.raises(ConfigError, match="stays on its machine"):
        RewardService(name)


def test_the_oldest_frames_make_room_and_are_asked_for_again() -> None:
    shelf = FrameShelf(1 << 20)
    frames = [bytes([k]) * 400_000 for k in range(3)]
    for frame in frames:
        shelf.put(frame)
        shelf.put(frame)
    names = [name_of(frame) for frame in frames]
    assert shelf.size == 800_000
    assert shelf.take(names) == [0]
    assert shelf.take(names[1:]) == frames[1:]
    with pytest.raises(ConfigError, match="too large"):
        shelf.put(bytes(2 << 20))

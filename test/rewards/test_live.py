# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Frames that come early save work and change nothing: what is scored is what is stored."""

import dataclasses
import os
import queue
import signal
import threading

import pytest

from roboreward_ros.errors import RewardSourceError
from roboreward_ros.rewards.host import LIVE_WINDOW, RewardHost
from roboreward_ros.rewards.live import LiveDesk, LiveFrame
from roboreward_ros.rewards.worker import ChildSource
from roboreward_ros.testing import fake_rewards as fakes
from roboreward_ros.testing.conformance_reward_source import make_request
from roboreward_ros.types import RewardFailure

FOLLOWING = fakes.registry_name(fakes.FollowingSource)
REQUEST = make_request(fakes.FakeSource(), "ep", steps=3)


def frame(step, request=REQUEST, **changes):
    made = LiveFrame(
        request.episode_id, request.task, request.control_hz, step, request.frames[step]
    )
    return dataclasses.replace(made, **changes)


@pytest.fixture
def desk():
    return LiveDesk(fakes.FollowingSource())


@pytest.mark.parametrize("seen", [1, 3, 4])
def test_an_episode_that_was_followed_is_finished_from_what_is_known(desk, seen):
    for step in range(seen):
        desk.push(frame(step))
    outcome, live = desk.score(REQUEST)
    assert (outcome.text, outcome.value, live) == (f"{seen} live", 3.0, True)
    assert desk.score(REQUEST)[1] is False


@pytest.mark.parametrize(
    "change",
    [{"frames": [b"other", *REQUEST.frames[1:]]}, {"task": "close it"}, {"control_hz": 10.0},
     {"frames": REQUEST.frames[:1]}, {"episode_id": "another"}],
)  # fmt: skip
def test_what_differs_from_the_store_is_scored_from_the_store(desk, change):
    for step in range(3):
        desk.push(frame(step))
    outcome, live = desk.score(dataclasses.replace(REQUEST, **change))
    assert (outcome.text, live) == ("stored", False)


def test_an_episode_that_began_unseen_or_was_dropped_is_not_followed(desk):
    assert desk.push(frame(1)) is None
    assert not desk.score(REQUEST)[1]
    desk.push(frame(0))
    desk.drop("ep")
    assert not desk.score(REQUEST)[1]


def test_a_gap_is_an_error_and_ends_following(desk):
    desk.push(frame(0))
    with pytest.raises(RewardSourceError, match="gap"):
        desk.push(frame(2))
    assert not desk.score(REQUEST)[1]


def test_of_too_many_episodes_the_one_that_was_silent_longest_goes():
    desk = LiveDesk(fakes.FollowingSource(), limit=2)
    for name in ("a", "b", "c"):
        desk.push(frame(0, episode_id=name))
        if name == "b":
            desk.push(frame(1, episode_id="a"))
    known = {
        name: desk.score(dataclasses.replace(REQUEST, episode_id=name))[1]
        for name in ("a", "b", "c")
    }
    assert known == {"a": True, "b": False, "c": True}


@pytest.fixture
def child():
    made = ChildSource(FOLLOWING, {"child": True, "dense": True})
    made.warm_up()
    yield made
    made.close()


def test_a_child_process_tells_each_step_and_whether_it_helped(child):
    assert [child.push(frame(step)) for step in range(3)] == [1.0, 2.0, 3.0]
    assert child.score(REQUEST).per_step == (1.0, 2.0, 3.0, 4.0)
    assert (child.stats.live_hits, child.stats.scored) == (1, 1)
    child.push(frame(0))
    child.drop("ep")
    assert child.score(REQUEST).text == "stored"
    assert child.stats.live_hits == 1


def test_a_child_that_dies_between_frames_costs_the_frames_and_no_score(child):
    child.push(frame(0))
    os.kill(child.pid, signal.SIGKILL)
    child._process.wait()
    assert child.score(REQUEST).text == "stored"
    assert child.stats.restarts == 1


def test_a_child_answers_several_episodes_at_once():
    source = ChildSource(FOLLOWING, {"child": True})
    try:
        assert source.batch == 3
        names = ["a", "b", "c"]
        requests = [dataclasses.replace(REQUEST, episode_id=name) for name in names]
        assert [o.text for o in source.score_batch(requests)] == ["3 at once"] * 3
    finally:
        source.close()


@pytest.fixture
def host():
    made = []

    def make(name=FOLLOWING, **changes):
        options = {"child": True, **changes.pop("options", {})}
        made.append(RewardHost(name, options, **changes))
        return made[-1]

    yield make
    for item in made:
        item.close()


def test_a_host_tells_the_values_of_a_running_episode_in_order(host):
    heard = queue.SimpleQueue()
    made = host(options={"dense": True}, on_step=lambda f, value: heard.put((f.step, value)))
    assert made.follows
    for step in range(3):
        assert made.push(frame(step))
    assert [heard.get(timeout=60) for _ in range(3)] == [(0, 1.0), (1, 2.0), (2, 3.0)]
    assert made.score(REQUEST).text == "3 live"


def test_frames_that_come_too_fast_are_given_up_and_the_episode_is_scored_from_the_store(host):
    made = host(name=fakes.registry_name(fakes.FollowingSource))
    with made._boundary:
        pushed = [made.push(dataclasses.replace(frame(0), step=k)) for k in range(LIVE_WINDOW + 3)]
    assert pushed[:LIVE_WINDOW] == [True] * LIVE_WINDOW
    assert not any(pushed[-2:])
    assert made.lost == 1
    assert made.score(REQUEST).text == "stored"


def test_a_source_that_breaks_on_a_frame_is_not_shown_the_next_and_still_scores(host):
    made = host(options={"breaks_at": 1})
    for step in range(3):
        made.push(frame(step))
    assert made.score(REQUEST).text == "stored"
    assert made.lost == 1


def test_a_source_in_process_is_shown_nothing(host):
    made = host(options={"child": False})
    assert not made.follows
    assert not made.push(frame(0))


def test_a_bad_episode_among_several_costs_only_itself(host):
    made = host(options={"only": "b"})
    requests = [dataclasses.replace(REQUEST, episode_id=name) for name in ("a", "b", "c")]
    good, bad, other = made.score_many(requests)
    assert isinstance(bad, RewardFailure)
    assert (good.text, other.text) == ("stored", "stored")
    assert [o.text for o in made.score_many(requests[::2])] == ["2 at once"] * 2


def test_progress_is_told_and_a_cancel_ends_the_work_at_the_next_frame(host):
    made = host(fakes.registry_name(fakes.EndlessSource), options={"only": "ep"})
    heard = threading.Event()
    seen = []

    def on_frames(done, total):
        seen.append((done, total))
        heard.set()

    outcome = made.score(REQUEST, lambda: not heard.is_set(), on_frames)
    assert isinstance(outcome, RewardFailure)
    assert seen[0] == (1, 9)
    # The next episode is answered by the same process long before the first one's deadline.
    before = made.child
    assert made.score(dataclasses.replace(REQUEST, episode_id="next")).value == 3.0
    assert made.child.restarts == before.restarts == 0


def test_the_shadow_takes_over_warm_and_between_episodes(host):
    made = host()
    with pytest.raises(RewardSourceError, match="no source runs in the shadow"):
        made.promote_shadow()
    made.set_shadow(fakes.registry_name(fakes.FakeSource), {"value": 2.0})
    warm = made._shadow.guard
    assert made.promote_shadow().name == "FakeSource"
    assert made._active is warm
    assert made.shadow is None
    assert made.score(REQUEST).value == 2.0

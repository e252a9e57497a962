# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
import random
from dataclasses import replace

import numpy as np
import pytest

from roboreward_ros.episodes.assembly import Beat, EpisodeAssembler
from roboreward_ros.episodes.intake import Ending, Intake, Patience
from roboreward_ros.episodes.store import EpisodeStore, open_uri
from roboreward_ros.errors import ConfigError
from roboreward_ros.types import (
    Chunk,
    EndCause,
    EpisodeMeta,
    GroundTruth,
    RobotState,
    StepFlag,
    StepReport,
    closing_chunk,
    without_closing,
)

CHUNK = 4
PERIOD_NS = 200_000_000
T0 = 1_700_000_000_000_000_000


def encode(image):
    return b"\xff\xd8" + image.tobytes()


def image_of(step):
    return np.full((2, 2, 3), step, dtype=np.uint8)


def beat_of(step, last_step, flags=StepFlag.NONE, end_cause=EndCause.TIME):
    state = RobotState(
        T0 + step * PERIOD_NS,
        np.full(6, step, dtype=float),
        np.zeros(6),
        np.zeros(6),
        1.0,
        np.eye(4),
        np.full(7, step, dtype=float),
    )
    action = np.full(7, step - 1, dtype=float)
    report = StepReport(action, action, np.eye(4), np.zeros(6), flags, state) if step else None
    return Beat(step, state, report, step == last_step, end_cause)


def chunk_of(index):
    zeros = np.zeros((8, 7), dtype=np.float32)
    return Chunk(index, index * CHUNK, zeros, np.zeros(5, dtype=np.float32), zeros, 3, steered=True)


def streams(last_step, **last):
    """Calls of each stream, in its own order."""
    beats = [
        beat_of(k, last_step, **(last if k == last_step else {})) for k in range(last_step + 1)
    ]
    return {
        "image": [
            lambda a, k=k: a.add_image(T0 + k * PERIOD_NS, image_of(k))
            for k in range(last_step + 1)
        ],
        "beat": [lambda a, b=b: a.add_beat(b) for b in beats],
        "chunk": [
            lambda a, c=c: a.add_chunk("policy", CHUNK, chunk_of(c))
            for c in range(-(-last_step // CHUNK))
        ],
        "truth": [
            lambda a, k=k: a.add_truth(k, GroundTruth(k / 10, False, 1, "far"))
            for k in range(last_step + 1)
        ],
    }


@pytest.fixture
def store(tmp_path):
    opened = EpisodeStore(tmp_path, "w")
    yield opened
    opened.close()


@pytest.fixture
def assembler(store):
    def open_writer(policy_id, chunk_size):
        return store.create(
            EpisodeMeta("ep_000000", 0, "t", 1, 9, 5.0, "twin", policy_id, chunk_size, T0)
        )

    return EpisodeAssembler(open_writer, encode, expects_truth=True)


@pytest.mark.parametrize("order", range(20))
def test_any_interleaving_of_the_streams_gives_the_same_episode(assembler, store, order):
    queues = streams(9)
    rng = random.Random(order)
    while any(queues.values()):
        name = rng.choice([n for n, q in queues.items() if q])
        queues[name].pop(0)(assembler)
    assert assembler.whole
    assembler.commit()
    episode = store.open("ep_000000")
    assert episode.summary.complete
    assert episode.summary.taint == ()
    assert (episode.summary.n_steps, episode.summary.meta.policy_id) == (9, "policy")
    assert list(episode.frames()) == [encode(image_of(k)) for k in range(10)]
    np.testing.assert_array_equal(episode.proprio()[:, 0], np.arange(10))
    np.testing.assert_array_equal(episode.actions()[:, 0], np.arange(9))
    assert [c.executed for c in episode.chunks()] == [4, 4, 1]
    assert [t.progress for t in episode.truth()] == [k / 10 for k in range(10)]


def closing_of(last_step):
    index = -(-last_step // CHUNK)
    return closing_chunk(index, last_step, np.full(5, 7, dtype=np.float32), 8, 3)


@pytest.mark.parametrize("order", range(10))
def test_a_closing_decision_is_stored_and_stands_for_no_other(assembler, store, order):
    queues = streams(9)
    queues["chunk"].append(lambda a: a.add_chunk("policy", CHUNK, closing_of(9)))
    rng = random.Random(order)
    while any(queues.values()):
        assert not assembler.closed or not queues["chunk"]
        name = rng.choice([n for n, q in queues.items() if q])
        queues[name].pop(0)(assembler)
    assert (assembler.whole, assembler.closed) == (True, True)
    assembler.commit()
    episode = store.open("ep_000000")
    assert (episode.summary.complete, episode.summary.taint) == (True, ())
    closing = episode.chunks()[-1]
    assert (closing.step, closing.executed, closing.steered) == (9, 0, False)
    np.testing.assert_array_equal(closing.features, 7)
    assert [c.step for c in without_closing(episode.chunks(), 9)] == [0, 4, 8]


def test_a_closing_decision_does_not_make_up_for_a_lost_one(assembler, store):
    queues = streams(9)
    closing = replace(closing_of(9), index=2)  # as of a policy that made two
    queues["chunk"][-1] = lambda a: a.add_chunk("policy", CHUNK, closing)
    feed(assembler, queues)
    assert (assembler.whole, assembler.closed) == (False, True)
    assembler.commit()
    assert store.open("ep_000000").summary.taint == ("something did not arrive",)


@pytest.mark.parametrize(("closes", "closing_s"), [(True, 60.0), (False, 0.05)])
def test_a_whole_episode_waits_for_its_closing_decision_but_not_long(assembler, closes, closing_s):
    intake = Intake("ep_000000", Patience(closing_s=closing_s))
    queues = streams(9)
    for name in ("chunk", "truth", "image", "beat"):
        for call in queues[name]:
            intake.put(call)
    if closes:
        intake.put(lambda a: a.add_chunk("policy", CHUNK, closing_of(9)))
    ending = intake.follow(assembler, lambda: True, lambda: None, lambda ready: None)
    assert (ending, assembler.whole, assembler.closed) == (Ending.OVER, True, closes)
    assembler.commit()


def test_nothing_closes_a_faulty_end(assembler):
    feed(assembler, streams(9, end_cause=EndCause.FAULT))
    assert assembler.closed


def feed(assembler, queues):
    for name in ("chunk", "truth", "image", "beat"):
        for call in queues[name]:
            call(assembler)


@pytest.mark.parametrize("stream", ["beat", "image", "chunk", "truth"])
def test_a_lost_message_makes_the_episode_incomplete_or_tainted(assembler, store, stream):
    queues = streams(9)
    del queues[stream][1]
    feed(assembler, queues)
    assembler.commit()
    summary = store.open("ep_000000").summary
    assert summary.taint
    assert not summary.complete or stream == "chunk"


def test_a_doubled_state_makes_the_episode_incomplete(assembler, store):
    queues = streams(9)
    queues["beat"].insert(3, queues["beat"][3])
    feed(assembler, queues)
    assembler.commit()
    summary = store.open("ep_000000").summary
    assert not summary.complete
    assert "gap: state" in summary.taint


def test_an_end_mark_on_a_state_that_came_before_adds_nothing(assembler, store):
    queues = streams(9)
    ended = beat_of(6, 6, end_cause=EndCause.OPERATOR)
    queues["beat"][7:] = [lambda a: a.add_beat(ended)]
    queues["truth"][7:] = [queues["truth"][6]]
    queues["chunk"][2:] = []
    feed(assembler, queues)
    assert assembler.whole
    assembler.commit()
    summary = store.open("ep_000000").summary
    assert (summary.n_steps, summary.complete, summary.taint) == (6, True, ())
    assert summary.end_cause is EndCause.OPERATOR


@pytest.mark.parametrize(
    ("last", "taint"),
    [
        ({"flags": StepFlag.FAULT}, ("fault",)),
        ({"end_cause": EndCause.FAULT}, ("fault",)),
        ({"flags": StepFlag.TAKEOVER}, ("takeover",)),
        ({"flags": StepFlag.HOLD | StepFlag.LATE}, ()),
    ],
)
def test_faults_and_takeover_taint_the_episode_lateness_only_its_chunk(
    assembler, store, last, taint
):
    feed(assembler, streams(9, **last))
    assembler.commit()
    assert store.open("ep_000000").summary.taint == taint


def test_a_camera_with_its_own_time_gives_the_newest_image_that_is_not_younger(assembler, store):
    queues = streams(4)
    queues["image"] = [
        lambda a, k=k: a.add_image(T0 + k * PERIOD_NS // 6 - 1, image_of(k)) for k in range(30)
    ]
    feed(assembler, queues)
    assert assembler.whole
    assembler.commit()
    assert list(store.open("ep_000000").frames()) == [encode(image_of(k * 6)) for k in range(5)]


def test_images_that_overtook_each_other_are_put_in_order(assembler, store):
    queues = streams(4)
    order = list(range(30))
    for k in (5, 6, 11, 17):  # one of them is the picture of a state
        order[k], order[k + 1] = order[k + 1], order[k]
    queues["image"] = [
        lambda a, k=k: a.add_image(T0 + k * PERIOD_NS // 6 - 1, image_of(k)) for k in order
    ]
    feed(assembler, queues)
    assembler.commit()
    episode = store.open("ep_000000")
    assert episode.summary.complete
    assert list(episode.frames()) == [encode(image_of(k * 6)) for k in range(5)]


def beat_at(step, stamp_ns):
    """One of nine, at another time."""
    beat = beat_of(step, 9)
    return replace(beat, state=replace(beat.state, stamp_ns=stamp_ns))


def test_pictures_that_change_their_size_are_kept_and_marked(assembler, store):
    queues = streams(4)
    small = np.zeros((1, 1, 3), np.uint8)
    queues["image"][3] = lambda a: a.add_image(T0 + 3 * PERIOD_NS, small)
    feed(assembler, queues)
    assembler.commit()
    episode = store.open("ep_000000")
    assert (episode.summary.complete, episode.summary.taint) == (True, ("picture size changed",))
    assert list(episode.frames())[3] == encode(small)


@pytest.mark.parametrize("first", ["image", "beat"])
@pytest.mark.parametrize("hours", [1, -1])
def test_a_clock_that_is_set_in_mid_episode_invents_nothing(assembler, store, first, hours):
    """From step 5 on; each stream hears of it in its own time."""
    shift_ns = hours * 3600 * 10**9
    image = [(k, T0 + k * PERIOD_NS + (shift_ns if k >= 5 else 0)) for k in range(10)]
    calls = {
        "image": [lambda a, k=k, t=t: a.add_image(t, image_of(k)) for k, t in image],
        "beat": [lambda a, k=k, t=t: a.add_beat(beat_at(k, t)) for k, t in image],
    }
    for call in (*streams(9)["chunk"], *streams(9)["truth"]):
        call(assembler)
    for pair in zip(
        *(calls[name] for name in sorted(calls, reverse=first == "image")), strict=True
    ):
        for call in pair:
            call(assembler)
    assert assembler.whole
    assembler.commit()
    episode = store.open("ep_000000")
    assert ("clock set back" in episode.summary.taint) == (hours < 0)
    assert (episode.summary.n_steps, episode.summary.complete) == (9, True)
    assert list(episode.frames()) == [encode(image_of(k)) for k in range(10)]


def test_a_state_whose_picture_is_lost_by_a_clock_set_back_is_marked(assembler, store):
    queues = streams(9)
    back = [(k, T0 + k * PERIOD_NS - 3600 * 10**9) for k in range(6, 10)]
    queues["image"][5:] = [lambda a, k=k, t=t: a.add_image(t, image_of(k)) for k, t in back]
    queues["beat"][6:] = [lambda a, k=k, t=t: a.add_beat(beat_at(k, t)) for k, t in back]
    for name in ("chunk", "truth"):
        for call in queues[name]:
            call(assembler)
    for k in range(9):
        queues["beat"][k](assembler)
        queues["image"][k](assembler)
    queues["beat"][9](assembler)
    assert assembler.whole  # nothing is waited for that cannot come
    assembler.commit()
    summary = store.open("ep_000000").summary
    assert {"clock set back", "no image"} <= set(summary.taint)
    assert not summary.complete


def test_an_image_that_is_too_old_is_not_taken(assembler):
    queues = streams(4)
    old, young = T0 - 10**9, T0 + 10**10
    queues["image"] = [
        lambda a: a.add_image(old, image_of(0)),
        lambda a: a.add_image(young, image_of(1)),
    ]
    feed(assembler, queues)
    assert "no image" in assembler.taint


def test_an_episode_that_outlived_its_camera_says_so(assembler, store):
    queues = streams(9, end_cause=EndCause.FAULT)
    del queues["image"][6:]
    feed(assembler, queues)
    assembler.commit()
    summary = store.open("ep_000000").summary
    assert summary.n_steps == 5
    assert {"fault", "no image"} <= set(summary.taint)


def test_nothing_is_visible_after_an_abort(assembler, store):
    feed(assembler, streams(9))
    assembler.abort()
    assembler.abort()
    assert store.ids() == []


def test_an_episode_without_end_or_decision_is_refused(assembler):
    queues = streams(9)
    queues["chunk"].clear()
    feed(assembler, queues)
    assert not assembler.whole
    with pytest.raises(ConfigError, match="no decision of the policy"):
        assembler.commit()


def test_the_uri_opens_the_episode(assembler):
    feed(assembler, streams(9))
    assert open_uri(assembler.commit()).summary.meta.episode_id == "ep_000000"

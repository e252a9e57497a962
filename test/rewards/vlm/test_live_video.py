# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A video that grew frame by frame is judged as one that was there at once."""

import pytest

from roboreward_ros.rewards.live import LiveDesk, LiveFrame
from roboreward_ros.rewards.progress import listening
from roboreward_ros.rewards.registry import build
from roboreward_ros.rewards.vlm.prompt import Family
from roboreward_ros.testing.conformance_reward_source import jpeg
from roboreward_ros.types import RewardRequest

ROBOREWARD = "roboreward_ros.rewards.roboreward:RoboRewardSource"
SURE = {"max_entropy": 9.0, "max_off_answer_mass": 1.0}


@pytest.fixture
def make(tiny):
    made = []

    def build_warm(family=Family.QWEN3_VL, **options):
        options = {"model": str(tiny(family)), "device": "cpu", "offline": True, **SURE, **options}
        source = build(ROBOREWARD, {"sampling": "grid", **options})
        source.warm_up()
        made.append(source)
        return source

    yield build_warm
    for source in made:
        source.close()


def episode(count, name="ep_000000", task="open the drawer"):
    frames = [jpeg(5 * k) for k in range(count)]
    return RewardRequest(name, task, frames, [200_000_000 * k for k in range(count)], 5.0)


def follow(source, request, count):
    desk = LiveDesk(source)
    values = [
        desk.push(LiveFrame(request.episode_id, request.task, request.control_hz, step, data))
        for step, data in enumerate(request.frames[:count])
    ]
    outcome, live = desk.score(request)
    assert live
    return values, outcome


def close(a, b):
    assert a.value == b.value
    assert a.provenance == b.provenance
    assert a.probabilities == pytest.approx(b.probabilities, abs=1e-4)


@pytest.mark.parametrize("family", list(Family))
@pytest.mark.parametrize("order", ["text_first", "video_first"])
@pytest.mark.parametrize("count", [6, 11, 12])
def test_an_episodic_score_is_the_one_of_a_fresh_prefill(make, family, order, count):
    source = make(family, order=order)
    request = episode(12)
    values, outcome = follow(source, request, count)
    assert values == [None] * count
    close(outcome, source.score(request))


def test_dense_values_are_those_of_the_stored_episode(make):
    source = make(dense=True)
    request = episode(10)
    values, outcome = follow(source, request, 8)
    fresh = source.score(request)
    close(outcome, fresh)
    assert outcome.per_step == pytest.approx(fresh.per_step)
    assert values == pytest.approx(fresh.per_step[:8])


def test_an_episode_that_outgrows_its_frames_goes_on_at_half_the_rate(make):
    source = make(max_frames=4, fps=2.0)
    request = episode(40)
    _, outcome = follow(source, request, 40)
    close(outcome, source.score(request))


@pytest.mark.parametrize(
    "options",
    [{"sampling": "uniform_n"}, {"readout": "printed"}, {"paraphrases": ["Please {task}."]}],
)
def test_what_cannot_be_followed_says_so(make, options):
    assert make(**options).begin("open the drawer", 5.0) is None


def test_several_episodes_in_one_forward_score_as_each_alone(make):
    source = make(sampling="uniform_n", batch=3)
    assert source.batch == 3
    requests = [episode(4, "a"), episode(10, "b", "lift the cube")]
    for together, alone in zip(
        source.score_batch(requests), map(source.score, requests), strict=True
    ):
        close(together, alone)


def test_progress_of_a_dense_score_is_told_frame_by_frame(make):
    source = make(dense=True)
    request = episode(5)
    heard = []
    with listening(lambda done, total: heard.append((done, total))):
        source.score(request)
    assert heard == [(k, 5) for k in range(1, 6)]

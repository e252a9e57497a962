# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Clips of the twin: their labels against the twin's own judgement, and against plain sense."""

from collections.abc import Iterator

import numpy as np
import pytest

from roboreward_ros.rewards.vlm.clips import ClipConfig, Sampling, select
from roboreward_ros.sim.demo_scripts import Move, PickPlace, pick_script
from roboreward_ros.sim.demo_style import NO_PICK_ERROR, DemoStyle
from roboreward_ros.sim.demonstrators import demonstrate
from roboreward_ros.sim.seeds import demo_seed
from roboreward_ros.sim.tasks import DRAWER, MUSHROOM, STACK, TASKS
from roboreward_ros.sim.twin import Twin
from roboreward_ros.studies.reward_data import LAYOUTS, CollectConfig, Collector, shown
from roboreward_ros.studies.reward_sentences import SENTENCES, Swap, swap_of
from roboreward_ros.studies.reward_watch import WatchedTwin, projection, vocabulary

NUMBER = {sentence.text: k for k, sentence in enumerate(SENTENCES)}


@pytest.fixture(scope="module")
def twin() -> Iterator[WatchedTwin]:
    twin = WatchedTwin()
    yield twin
    twin.close()


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    collector = Collector(CollectConfig(episodes=3))
    yield collector
    collector.close()


def last_scores(twin: WatchedTwin) -> dict[str, int]:
    seen = twin.seen[max(twin.seen)]
    return dict(zip(NUMBER, seen.scores, strict=True))


@pytest.mark.parametrize("spec", TASKS, ids=lambda spec: spec.key)
def test_an_own_label_is_the_twins_score_of_that_very_step(twin: WatchedTwin, spec) -> None:
    twin.wanted = frozenset(range(0, spec.max_steps + 1, 4))
    episode = demonstrate(twin, spec.sentence, demo_seed(LAYOUTS), np.random.default_rng(3))
    column = NUMBER[spec.sentence]
    for step, seen in twin.seen.items():
        assert seen.scores[column] == episode.truth[step].score, step
    assert len(twin.seen) > 10


def test_another_object_is_judged_by_the_same_rubric(twin: WatchedTwin) -> None:
    plan = PickPlace("lemon", "cloth", grasp_z=0.005, carry_z=0.11, place_z=0.022, symmetry=np.pi)

    def moves(running: Twin, rng: np.random.Generator) -> Iterator[Move]:
        return pick_script(running, plan, NO_PICK_ERROR, rng)

    twin.wanted = frozenset({MUSHROOM.max_steps})
    rng = np.random.default_rng(0)
    seed = demo_seed(LAYOUTS + 2)
    demonstrate(twin, MUSHROOM.sentence, seed, rng, style=DemoStyle.ideal(), script=moves)
    scores = last_scores(twin)
    assert scores["put the lemon on the cloth"] == 5
    assert scores["put the mushroom on the cloth"] == 1
    assert scores["lift the lemon"] == 2  # it was moved, and hangs nowhere
    assert scores["stack the green block on the yellow block"] == 1  # there is no yellow one


def test_success_is_no_success_for_other_goals_and_relations(twin: WatchedTwin) -> None:
    twin.wanted = frozenset({STACK.max_steps})
    demonstrate(twin, STACK.sentence, demo_seed(1), np.random.default_rng(0), ideal=True)
    scores = last_scores(twin)
    assert scores["stack the green block on the yellow block"] == 5
    assert scores["stack the yellow block on the green block"] == 1
    assert scores["stack the green block on the red block"] <= 3
    assert scores["lift the green block"] <= 4  # it stands 3 cm up, let go
    assert scores["close the drawer"] == 1


def test_an_open_drawer_is_not_closed(twin: WatchedTwin) -> None:
    twin.wanted = frozenset({DRAWER.max_steps})
    demonstrate(twin, DRAWER.sentence, demo_seed(0), np.random.default_rng(0), ideal=True)
    scores = last_scores(twin)
    assert scores["open the drawer"] == 5
    assert scores["close the drawer"] == 1


def test_every_scene_has_its_own_and_counterfactual_sentences() -> None:
    for spec in TASKS:
        kinds = [swap_of(spec, sentence) for sentence in SENTENCES]
        assert kinds.count(Swap.OWN) == 1
        assert {Swap.OBJECT, Swap.RELATION, Swap.ABSENT} <= set(kinds)


def test_clips_show_what_the_reward_source_would_show() -> None:
    config = ClipConfig(Sampling.GRID, fps=0.25, min_frames=2, max_frames=4, frame_pixels=9216)
    for end in range(1, 61):
        assert list(select(end + 1, 5.0, config).indices) == shown(end)


def test_a_shard_is_a_function_of_its_number(collector: Collector) -> None:
    first, again = collector.shard(5), collector.shard(5)
    assert np.array_equal(first.frames, again.frames)
    assert np.array_equal(first.labels, again.labels)
    assert np.array_equal(first.states, again.states, equal_nan=True)
    assert not np.array_equal(first.seeds, collector.shard(6).seeds)


def test_the_camera_matrix_finds_things_in_the_picture(twin: WatchedTwin) -> None:
    twin.wanted = frozenset()
    twin.reset(MUSHROOM.sentence, demo_seed(LAYOUTS + 1))
    x, y, z = twin.object_state()["mushroom"][:3, 3]
    spot = projection() @ np.array([x, y, z, 1.0])
    column, row = (int(256 * spot[k] / spot[2]) for k in (0, 1))
    red, green, blue = twin.render(256, 256)[row - 3 : row + 3, column - 3 : column + 3].mean(
        (0, 1)
    )
    assert red > 1.3 * green
    assert red > 1.3 * blue


def test_states_of_absent_things_are_unknown(collector: Collector) -> None:
    shard = collector.shard(7)
    words = vocabulary()
    for row, task in enumerate(shard.task):
        key = TASKS[int(task)].key
        for number, name in enumerate(words.things):
            there = np.isfinite(shard.states[row, 0, 5 + 5 * number])
            assert there == name.startswith(f"{key}/")

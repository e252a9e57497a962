# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The real pieces at both ends of a bad wire: a run's scoring here, a reward host there."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from roboreward_ros.clock import SystemClock
from roboreward_ros.episodes.ledger import Ledger
from roboreward_ros.episodes.scoring_jobs import RetryConfig
from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.evaluation.scoring_desk import DeskConfig, ScoringDesk
from roboreward_ros.remote.door import Door
from roboreward_ros.remote.door_config import DoorConfig
from roboreward_ros.rewards.live import LiveFrame
from roboreward_ros.rewards.remote.service import RewardService
from roboreward_ros.testing.fake_rewards import FollowingSource, registry_name
from roboreward_ros.testing.network import Network, Quality
from roboreward_ros.testing.noise_episodes import TASK, write_noise
from roboreward_ros.testing.papers import Papers, papers_in
from roboreward_ros.types import (
    ImageU8,
    LabelRecord,
    RewardFailure,
    RewardSpec,
    Score,
)

LIMIT_S = 60.0
STEPS = 20
DEAD_S = 4.0


def until(holds: Callable[[], object], what: str) -> None:
    clock = SystemClock()
    end_ns = clock.steady_ns() + round(LIMIT_S * 1e9)
    while not holds():
        assert clock.steady_ns() < end_ns, f"in vain: {what}"
        clock.sleep(0.01)


@dataclass
class Ears:
    """Hears what the desk tells."""

    records: list[LabelRecord] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def recorded(self, record: LabelRecord) -> None:
        self.records.append(record)

    def step_scored(self, episode_id: str, step: int, value: float, spec: RewardSpec) -> None: ...

    def progress(self, episode_ids: Sequence[str], done: int, total: int) -> None: ...

    def problem(self, episode_id: str, why: str) -> None:
        self.problems.append(why)

    def note(self, text: str) -> None: ...


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    return papers_in(tmp_path_factory.mktemp("papers"), "10.77.0.2")


@pytest.fixture
def net() -> Iterator[Network]:
    with Network() as found:
        yield found


@contextmanager
def serving(net: Network, papers: Papers, port: int = 0) -> Iterator[tuple[Door, RewardService]]:
    config = DoorConfig(
        "0.0.0.0", port, papers.certificate, papers.key, token_file=papers.token, dead_s=DEAD_S
    )
    service = RewardService(registry_name(FollowingSource))
    try:
        with net.gpu.inside():
            door = Door(config, service)
        with door:
            yield door, service
    finally:
        service.close()


@contextmanager
def scoring(
    net: Network, papers: Papers, run: Path, port: int, patience_s: float
) -> Iterator[tuple[ScoringDesk, Ears]]:
    options = {
        "url": f"wss://10.77.0.2:{port}",
        "ca_file": papers.certificate,
        "token_file": papers.token,
        "timeout_s": patience_s,
        "dead_s": DEAD_S,
    }
    ears = Ears()
    config = DeskConfig("remote", options, retry=RetryConfig(0.05, 0.2, 0.4))  # type: ignore[arg-type]

    def encode(image: ImageU8) -> bytes:
        raise NotImplementedError(image.shape)

    with net.robot.inside():
        desk = ScoringDesk(run, config, encode, ears)
    try:
        yield desk, ears
    finally:
        desk.close()


def labels(run: Path) -> Counter[str]:
    """How often each episode has a score on disk."""
    found = Ledger(run, "r").records()
    return Counter(r.episode_id for r in found if isinstance(r.outcome, Score))


def test_a_wire_that_loses_doubles_and_reorders_changes_no_reward(
    net: Network, papers: Papers, tmp_path: Path
) -> None:
    store = EpisodeStore(tmp_path, "w")
    for index in range(3):
        write_noise(store, index, STEPS)
    net.change(Quality(delay_s=0.002, jitter_s=0.003, loss=0.01, duplicate=0.05))
    with (
        serving(net, papers) as (door, service),
        scoring(net, papers, tmp_path, door.port, LIMIT_S) as (desk, ears),
    ):
        desk.start()
        until(lambda: len(labels(tmp_path)) == 3, "all are labelled")
        assert service.desk.computed == 3
    assert labels(tmp_path) == {f"ep_{index:06d}": 1 for index in range(3)}
    outcomes = [record.outcome for record in ears.records]
    assert all(isinstance(outcome, Score) and outcome.value == 3.0 for outcome in outcomes)


def test_an_episode_that_a_cut_hits_is_unlabelled_then_labelled_once_and_nothing_goes_twice(
    net: Network, papers: Papers, tmp_path: Path
) -> None:
    store = EpisodeStore(tmp_path, "w")
    frames = write_noise(store, 0, STEPS)
    size = sum(len(frame) for frame in frames)
    with (
        serving(net, papers) as (door, service),
        scoring(net, papers, tmp_path, door.port, 1.0) as (desk, ears),
    ):
        for step, jpeg in enumerate(frames):
            if step == STEPS // 2:
                until(lambda: service.shelf.size > 0.4 * size, "the first half is there")
                net.cut()
            desk.host.push(LiveFrame("ep_000000", TASK, 5.0, step, jpeg))
        desk.start()
        until(lambda: ears.problems, "the cut is noticed")
        assert "no answer from 10.77.0.2" in ears.problems[0]
        assert not labels(tmp_path)
        until(lambda: ears.records, "it is on disk")
        assert all(isinstance(record.outcome, RewardFailure) for record in ears.records)
        net.mend()
        until(lambda: labels(tmp_path), "it is labelled")
        assert desk.host.child is not None
        assert desk.host.child.restarts == 0
        assert service.desk.computed == 1
    assert labels(tmp_path) == {"ep_000000": 1}
    assert net.carried[0] < 1.5 * size  # names, handshakes and what was on its way when it was cut

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A run is mirrored on another host, over a wire that delays, loses, doubles and breaks."""

import contextlib
import filecmp
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from test_network import DEAD_S, STEPS, net, papers, until

from roboreward_ros.dsrl.fleet_desk import FleetDesk, FleetService
from roboreward_ros.dsrl.fleet_wire import SERVICE, Arm, RemoteMirror
from roboreward_ros.episodes.shipping import Shipper
from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.episodes.verify import verify_episode
from roboreward_ros.errors import LinkError
from roboreward_ros.remote.door import Door
from roboreward_ros.remote.door_config import DoorConfig
from roboreward_ros.remote.endpoint import Endpoint
from roboreward_ros.remote.link import Link
from roboreward_ros.testing.network import Network, Quality
from roboreward_ros.testing.noise_episodes import write_noise
from roboreward_ros.testing.papers import Papers

__all__ = ["net", "papers"]
RUN = "0123456789abcdef" * 2
PIECE = 8000


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A robot's run with two episodes."""
    monkeypatch.setattr(os, "fsync", lambda _: None)  # what a power cut takes is tested elsewhere
    store = EpisodeStore(tmp_path / "run", "w")
    for index in range(2):
        write_noise(store, index, STEPS)
    store.discard("ep_000001")
    yield tmp_path / "run"
    store.close()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[FleetDesk]:
    made = FleetDesk(tmp_path / "learner", lambda: None)
    yield made
    made.close()


@pytest.fixture
def shipper(net: Network, papers: Papers, run: Path, desk: FleetDesk) -> Iterator[Shipper]:
    config = DoorConfig(
        "0.0.0.0", 0, papers.certificate, papers.key, token_file=papers.token, dead_s=DEAD_S
    )
    with net.gpu.inside():
        door = Door(config, FleetService(desk))
    with door:
        place = Endpoint(
            f"wss://10.77.0.2:{door.port}",
            papers.certificate,
            token_file=papers.token,
            dead_s=DEAD_S,
        )
        link = Link(place, SERVICE, Arm("arm", RUN, 1).hello())
        yield Shipper(run, RemoteMirror(link, 2.0), PIECE)
        link.close()


def ship(net: Network, shipper: Shipper) -> int:
    """Ship everything; how often the host was given up for a while."""
    given_up = 0

    def whole() -> bool:
        nonlocal given_up
        try:
            return not shipper.step()
        except LinkError:
            given_up += 1
            return False

    with net.robot.inside():
        until(whole, "the mirror is whole")
    return given_up


def same(run: Path, mirror: Path) -> None:
    assert list(EpisodeStore(mirror).ids()) == ["ep_000000", "ep_000001"]
    for episode in EpisodeStore(mirror):
        assert verify_episode(episode.folder) == []
    assert EpisodeStore(mirror).open("ep_000001").summary.discarded
    assert filecmp.cmp(run / "episodes/marks.jsonl", mirror / "episodes/marks.jsonl", False)


def test_a_bad_wire_costs_time_alone(net: Network, shipper: Shipper, run: Path, desk: FleetDesk):
    net.change(Quality(delay_s=0.003, jitter_s=0.003, loss=0.03, duplicate=0.05))
    ship(net, shipper)
    same(run, desk.root / "arms" / "arm")


def test_a_cut_in_the_middle_of_an_episode_costs_the_piece_on_its_way(
    net: Network, shipper: Shipper, run: Path, desk: FleetDesk
):
    parts = desk.root / "arms" / "arm" / "episodes" / ".incoming"

    def half() -> bool:
        with contextlib.suppress(LinkError):  # of a machine that is too slow for the patience
            shipper.step()
        return parts.is_dir() and any(p.stat().st_size > 2 * PIECE for p in parts.iterdir())

    with net.robot.inside():
        until(half, "half an episode")
        net.cut()
        with pytest.raises(LinkError, match="no answer"):
            shipper.step()
        arrived = shipper.sent_bytes
        net.mend()
    ship(net, shipper)
    same(run, desk.root / "arms" / "arm")
    files = [p for p in run.rglob("*") if p.is_file() and "ep_0" in str(p)]
    assert arrived > 2 * PIECE
    assert shipper.sent_bytes < sum(p.stat().st_size for p in files) + 2 * PIECE

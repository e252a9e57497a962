# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A policy behind a door on this machine."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from roboreward_ros.errors import CheckpointError, ConfigError, LinkError
from roboreward_ros.policies.loading import find_layout, load_any_policy
from roboreward_ros.policies.remote.dialect import Coding
from roboreward_ros.policies.remote.folder import (
    FILE,
    RemotePolicyConfig,
    read_folder,
    write_folder,
)
from roboreward_ros.policies.remote.policy import RemotePolicy, fetch_spec
from roboreward_ros.policies.remote.service import PolicyService
from roboreward_ros.protocols import Policy
from roboreward_ros.remote.door import Door
from roboreward_ros.remote.door_config import DoorConfig
from roboreward_ros.testing.conformance_policy import PolicyConformance
from roboreward_ros.testing.fake_policy import FakePolicy
from roboreward_ros.testing.papers import papers_in


@contextmanager
def served(policy: Policy, port: int = 0) -> Iterator[Door]:
    with Door(DoorConfig(port=port), PolicyService(policy)) as door:
        yield door


def connected(door: Door, folder: Path, **changes: object) -> RemotePolicy:
    given = {"timeout_s": 60.0, **changes}
    config = RemotePolicyConfig(f"ws://127.0.0.1:{door.port}", **given)  # type: ignore[arg-type]
    write_folder(folder, config, fetch_spec(config))
    return RemotePolicy(folder)


def observation(rows: int = 2):
    rng = np.random.default_rng(5)
    images = [rng.integers(0, 256, (48, 64, 3), dtype=np.uint8) for _ in range(rows)]
    return images, rng.standard_normal((rows, 7)), ["open the drawer"] * rows


class TestRemotePolicyConforms(PolicyConformance):
    @pytest.fixture
    def policy(self, tmp_path: Path) -> Iterator[Policy]:
        with served(FakePolicy(tasks=("open the drawer",))) as door:
            remote = connected(door, tmp_path)
            yield remote
            remote.close()


@pytest.mark.parametrize("coding", [Coding.PNG, Coding.RAW])
def test_over_the_network_it_is_the_same_policy_bit_for_bit(coding: Coding, tmp_path: Path) -> None:
    local = FakePolicy(feature_dim=40)
    noise = np.random.default_rng(1).standard_normal((2, 4, 7)).astype(np.float32)
    with served(local) as door:
        remote = connected(door, tmp_path, coding=coding)
        assert remote.spec == local.spec
        features = remote.encode(*observation())
        np.testing.assert_array_equal(features, local.encode(*observation()))
        np.testing.assert_array_equal(remote.decode(features, noise), local.decode(features, noise))
        remote.close()


def test_a_history_of_images_arrives_as_one(tmp_path: Path) -> None:
    seen = []

    class Historian(FakePolicy):
        def encode(self, images, proprio, tasks):
            seen.append((images[0].copy(), proprio.shape))
            return super().encode([image[-1] for image in images], proprio[:, -1], tasks)

    history = np.random.default_rng(2).integers(0, 256, (3, 24, 32, 3), dtype=np.uint8)
    with served(Historian()) as door:
        remote = connected(door, tmp_path)
        remote.encode([history], np.zeros((1, 3, 7)), ["t"])
        remote.close()
    np.testing.assert_array_equal(seen[0][0], history)
    assert seen[0][1] == (1, 3, 7)


def test_jpeg_is_smaller_and_nearly_the_same(tmp_path: Path) -> None:
    rows = np.linspace(0, 255, 96).astype(np.uint8)
    image = np.ascontiguousarray(np.broadcast_to(rows[:, None, None], (96, 96, 3)))
    local = FakePolicy()
    with served(local) as door:
        sizes = {}
        for coding in (Coding.RAW, Coding.JPEG):
            remote = connected(door, tmp_path, coding=coding)
            before = remote.link.sent_bytes
            features = remote.encode([image], np.zeros((1, 7)), ["t"])
            sizes[coding] = remote.link.sent_bytes - before
            remote.close()
        np.testing.assert_allclose(
            features, local.encode([image], np.zeros((1, 7)), ["t"]), atol=1.0
        )
    assert sizes[Coding.JPEG] < sizes[Coding.RAW] / 5


def test_features_that_came_from_there_do_not_go_back_unless_they_are_gone(tmp_path: Path) -> None:
    local = FakePolicy(feature_dim=20_000)
    noise = np.zeros((2, 4, 7), dtype=np.float32)
    with served(local) as door:
        port = door.port
        remote = connected(door, tmp_path)
        features = remote.encode(*observation())
        before = remote.link.sent_bytes
        actions = remote.decode(features, noise)
        assert remote.link.sent_bytes - before < 2000
    with served(local, port):
        before = remote.link.sent_bytes
        np.testing.assert_array_equal(remote.decode(features, noise), actions)
        assert remote.link.sent_bytes - before > features.nbytes
        assert remote.link.connections == 2
        remote.close()


def test_a_late_answer_is_none_and_is_not_taken_for_the_next_one(tmp_path: Path) -> None:
    release = threading.Event()

    class Slow(FakePolicy):
        def decode(self, features, noise):
            if not release.is_set():
                release.wait(60)
                return np.full_like(noise, 9.0)
            return super().decode(features, noise)

    noise = np.zeros((2, 4, 7), dtype=np.float32)
    with served(Slow()) as door:
        remote = connected(door, tmp_path, timeout_s=1.0)
        features = Slow().encode(*observation())
        with pytest.raises(LinkError, match="silent"):
            remote.decode(features, noise)
        assert not remote.link.connected
        release.set()
        actions = connected(door, tmp_path).decode(features, noise)
        assert np.abs(actions).max() < 9.0
        remote.close()


def test_a_host_that_serves_another_policy_is_refused(tmp_path: Path) -> None:
    with served(FakePolicy()) as door:
        remote = connected(door, tmp_path)
        port = door.port
    with served(FakePolicy(scale=0.02), port) as door:
        with pytest.raises(CheckpointError, match="serves another policy"):
            remote.encode(*observation())
        with pytest.raises(CheckpointError, match="stands for another policy"):
            connected(door, tmp_path)
        remote.close()


def test_a_folder_is_a_policy_to_everyone_who_loads_one(tmp_path: Path) -> None:
    papers = papers_in(tmp_path / "papers", "127.0.0.1")
    local = FakePolicy(tasks=("open the drawer",))
    config = DoorConfig(
        port=0, cert_file=papers.certificate, key_file=papers.key, token_file=papers.token
    )
    folder = tmp_path / "policy"
    with Door(config, PolicyService(local)) as door:
        there = RemotePolicyConfig(
            f"wss://127.0.0.1:{door.port}", papers.certificate, token_file="../papers/token"
        )
        write_folder(folder, there, local.spec)
        layout = find_layout(folder)
        assert layout is not None
        assert layout.describe(folder) == local.spec  # without asking the host
        policy = load_any_policy(folder)
        assert isinstance(policy, RemotePolicy)
        np.testing.assert_array_equal(policy.encode(*observation()), local.encode(*observation()))
        policy.close()
    assert Path(papers.token).read_text().strip() not in (folder / FILE).read_text()


def test_a_damaged_folder_says_how_to_make_it_again(tmp_path: Path) -> None:
    write_folder(tmp_path, RemotePolicyConfig("ws://127.0.0.1:1"), FakePolicy().spec)
    assert read_folder(tmp_path)[1] == FakePolicy().spec
    text = (tmp_path / FILE).read_text()
    for damage in ("", "[]", text.replace('"format":1', '"format":2'), text.replace("ws:", "ftp:")):
        (tmp_path / FILE).write_text(damage)
        with pytest.raises(CheckpointError, match="policy connect"):
            read_folder(tmp_path)


def test_what_cannot_be_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="timeout_s"):
        RemotePolicyConfig("ws://127.0.0.1:1", timeout_s=0.0)
    with pytest.raises(ConfigError, match="unencrypted"):
        RemotePolicyConfig("ws://gpu.lab:8651")

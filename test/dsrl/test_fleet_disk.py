# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The disk of a learner's host: full, and full again; the robots keep theirs and are told why."""

import errno
import shutil

import pytest
from fleet_toy import make, settle, turns
from toy_run import weights

from roboreward_ros.dsrl.actor_files import ActorFiles
from roboreward_ros.dsrl.fleet_disk import FleetDisk, FleetDiskConfig
from roboreward_ros.episodes.pictures import PICTURES
from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.episodes.verify import verify_episode
from roboreward_ros.errors import ConfigError

pytestmark = pytest.mark.usefixtures("no_waiting")


def until(host, arms, wanted, what):
    for _ in turns(lambda: (what, [arm.duty.bulletin() for arm in arms])):
        host.fleet.advance()
        for arm in arms:
            arm.duty.advance(20)
        if wanted():
            return


def test_without_room_no_episode_is_taken_in_robots_are_told_and_it_goes_on_by_itself(
    stack, tmp_path, monkeypatch
):
    host, (a, b) = make(stack, tmp_path)
    for arm in (a, b):
        arm.episode()
    settle(host, a, b)
    real = shutil.disk_usage

    def full(path):
        usage = real(path)
        return usage._replace(free=1000) if str(path).startswith(str(host.root)) else usage

    with monkeypatch.context() as patched:
        patched.setattr(shutil, "disk_usage", full)
        a.episode()
        b.episode()
        until(host, [a, b], lambda: "refuses" in a.duty.bulletin().trouble, "refused by name")
        assert "the learner's disk is full: 1e-06 GB are free" in a.duty.bulletin().trouble
        until(host, [b], lambda: "disk is full" in b.duty.bulletin().trouble, "so is the other")
        assert len(a.duty.shipper.shipped) == 1
        assert a.duty.shipper.waiting() == 1
    until(host, [a, b], lambda: not any(it.duty.bulletin().trouble for it in (a, b)), "room")
    settle(host, a, b)
    mirror = EpisodeStore(host.root / "arms" / "arm-a")
    assert list(mirror.ids()) == list(EpisodeStore(a.path).ids())
    assert a.duty.bulletin().warning == ""
    host.gone()


def test_an_actor_that_the_disk_does_not_take_is_published_when_it_does(
    stack, tmp_path, monkeypatch
):
    host, (a, b) = make(stack, tmp_path)
    for arm in (a, b):
        arm.episode()
    settle(host, a, b)
    before = a.told("policy_version")

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(ActorFiles, "write", full)
        a.episode()
        until(host, [a, b], lambda: "No space" in b.duty.bulletin().warning, "told to all")
        assert "the learner waits: " in a.duty.bulletin().warning
        assert a.told("policy_version") == before
    settle(host, a, b)
    until(host, [a, b], lambda: not b.duty.bulletin().warning, "all is well")
    assert a.told("policy_version") == before + 1
    assert weights(a.path, before + 1) == weights(host.root, before + 1)
    host.gone()


def test_mirrors_keep_a_budget_and_lose_pictures_that_were_learned_from_alone(stack, tmp_path):
    host, (a, b) = make(stack, tmp_path)
    for arm in (a, b, a):
        arm.episode()
    settle(host, a, b)
    host.fleet._disk = FleetDisk(host.root, FleetDiskConfig(0, 2))
    mirrors = [host.root / "arms" / name for name in ("arm-a", "arm-b")]

    def left():
        return [(it.folder / PICTURES).exists() for m in mirrors for it in EpisodeStore(m)]

    host.fleet._disk.keep(host.fleet.desk.arms(), {})
    assert left() == [True] * 3, "no checkpoint holds them yet"
    host.fleet._save()
    assert left() == [False] * 3
    assert not any(verify_episode(it.folder) for it in EpisodeStore(mirrors[0]))
    until(
        host,
        [a, b],
        lambda: "over the disk budget" in a.duty.bulletin().warning,
        "a byte is little",
    )
    a.episode()
    settle_version = a.told("policy_version")
    until(host, [a, b], lambda: a.told("policy_version") > settle_version, "it learns on")
    assert left() == [False, False, True, False]
    assert a.duty.shipper.waiting() == 0, "what lost its pictures there is not sent again"
    host.gone()


def test_an_episode_that_teaches_nothing_is_not_said_to_be_learned_from(stack, tmp_path):
    host, (a, b) = make(stack, tmp_path)
    for arm in (a, b):
        arm.episode()
    settle(host, a, b)
    a.score(a.commit(a.count + 100, policy_id="another"))
    a.count += 1
    settle(host, a, b)
    host.fleet._save()
    saved = host.fleet._saved["arm-a"]
    assert [*host.fleet._duty.follower.refused] == [
        f"arm-a/{name}" for name in EpisodeStore(a.path).ids() if name not in saved
    ]
    assert len(saved) == 1
    host.gone()


def test_sizes_of_a_disk_are_not_negative():
    with pytest.raises(ConfigError, match="0 or more"):
        FleetDiskConfig(-1)

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""An actor comes over a wire that is cut, slow or damages bytes: whole, or the old one acts on."""

import hashlib

import pytest
from fleet_toy import turns
from toy_run import CONFIG, TOY

from roboreward_ros.dsrl import fleet_desk
from roboreward_ros.dsrl.actor import load_actor
from roboreward_ros.dsrl.actor_files import ActorFiles
from roboreward_ros.dsrl.figures import Bulletin
from roboreward_ros.dsrl.fleet_desk import FleetDesk, FleetService
from roboreward_ros.dsrl.learner import Learner
from roboreward_ros.dsrl.remote_duty import RemoteConfig, RemoteDuty
from roboreward_ros.remote.door import Door
from roboreward_ros.remote.door_config import DoorConfig
from roboreward_ros.remote.endpoint import Endpoint
from roboreward_ros.testing.relay import Relay, Wire

pytestmark = pytest.mark.usefixtures("no_waiting")


class Download:
    """A learner's host that gives out actors, a wire to it, and the robot that asks."""

    def __init__(self, stack, root, deadline_s=1.0):
        self.wire = Wire()
        self.desk = FleetDesk(root / "learner", lambda: None)
        self.files = ActorFiles(root / "learner")
        self.policies = root / "run" / "policies"
        self.asked = []
        self._give, self.desk.actor = self.desk.actor, self.give
        door = stack.enter_context(Door(DoorConfig(port=0), FleetService(self.desk)))
        relay = stack.enter_context(Relay("127.0.0.1", door.port, lambda: self.wire))
        place = Endpoint(f"ws://{relay.address}")
        config = RemoteConfig(root / "run", place, "arm", deadline_s=deadline_s)
        self.duty = RemoteDuty(config, lambda: 0.0)
        stack.callback(self.duty.close)
        stack.callback(self.desk.close)

    def give(self, version, offset):
        self.asked.append(offset)
        return self.meddle(self._give(version, offset))

    def meddle(self, piece):
        return piece

    def publish(self, version):
        actor = Learner(CONFIG, TOY.spec, version).sac.snapshot(version, TOY.spec.policy_id)
        published = self.files.write(actor, version)
        self.desk.post("arm", Bulletin({"message": ""}, {}, published))
        return published

    def here(self):
        """Versions on the robot's disk; each is whole."""
        paths = sorted(self.policies.glob("*")) if self.policies.is_dir() else []
        return [load_actor(path, policy_id="toy").version for path in paths]

    def until(self, published):
        """Advance until the robot acts by it."""
        for _ in turns(self.duty.bulletin):
            self.duty.advance(1)
            actor = self.duty.bulletin().actor
            if actor is not None and actor.version == published.version:
                have = hashlib.sha256(actor.path.read_bytes()).hexdigest()
                assert have == actor.sha256 == published.sha256
                return


def test_a_cut_in_the_middle_costs_the_piece_on_its_way(stack, tmp_path, monkeypatch):
    monkeypatch.setattr(fleet_desk, "ACTOR_PIECE", 1000)
    it = Download(stack, tmp_path)
    it.until(it.publish(1))
    it.asked.clear()

    def cut_at_the_third(piece):
        if len(it.asked) == 3:
            it.wire = Wire(cut=True)
        return piece

    it.meddle = cut_at_the_third
    second = it.publish(2)
    for _ in turns(lambda: it.asked):
        it.duty.advance(1)
        if it.wire.cut and "no answer" in it.duty.bulletin().warning:
            break
    assert it.here() == [1], "no half of an actor"
    assert it.duty.bulletin().actor.version == 1, "the robot goes on with the one that it has"
    it.meddle = lambda piece: piece
    it.wire = Wire()
    it.until(second)
    assert it.here() == [1, 2]
    assert it.asked[:3] == [0, 1000, 2000]
    assert min(it.asked[3:]) == 2000, "what had arrived was not asked for again"
    assert it.asked[-1] < second.path.stat().st_size


@pytest.mark.parametrize("what", ["a flipped bit", "an end too soon"])
def test_what_arrives_damaged_is_thrown_away_and_fetched_anew(stack, tmp_path, monkeypatch, what):
    monkeypatch.setattr(fleet_desk, "ACTOR_PIECE", 1000)
    it = Download(stack, tmp_path)
    it.until(it.publish(1))

    def damage(piece):
        if what == "a flipped bit":
            return bytes([piece[0] ^ 1]) + piece[1:]
        return b"" if len(it.asked) > 2 else piece

    it.asked.clear()
    it.meddle = damage
    second = it.publish(2)
    for _ in turns(it.duty.bulletin):
        it.duty.advance(1)
        if "actor 2 arrived damaged" in it.duty.bulletin().trouble:
            break
    assert it.here() == [1]
    assert it.duty.bulletin().actor.version == 1
    it.meddle = lambda piece: piece
    it.asked.clear()
    it.until(second)
    assert it.asked[0] == 0
    assert not it.duty.bulletin().trouble


def test_a_slow_wire_brings_it_although_the_whole_takes_longer_than_a_question_may(
    stack, tmp_path, monkeypatch
):
    monkeypatch.setattr(fleet_desk, "ACTOR_PIECE", 500)
    it = Download(stack, tmp_path, deadline_s=2.0)
    published, late_s = it.publish(1), 0.15
    pieces = -(-published.path.stat().st_size // 500)
    assert 2 * late_s * pieces > 2.0
    it.wire = Wire(late_s=late_s)
    it.until(published)
    assert it.here() == [1]
    assert it.asked == sorted(it.asked), "it never began anew"

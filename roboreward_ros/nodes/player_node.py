# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A recorded run as arm, cameras and operator, for rehearsals of everything else.

Usage::

    python -m roboreward_ros.nodes.player_node --ros-args -p recording:=runs/monday

Speaks sim_node's topics and services; the arm goes where it went, whatever it is told. Plays the
fault file, presses the script's keys on session_node, and writes what happened to
``run_dir/rehearsal.jsonl``; faults of processes are carried out by ``roboreward rehearse``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import roboreward_ros.msg as msg
from roboreward_ros.clock import Clock
from roboreward_ros.errors import ConfigError, RobotError
from roboreward_ros.protocols import Robot
from roboreward_ros.rehearsal.bag import BagOptions
from roboreward_ros.rehearsal.board import FaultBoard
from roboreward_ros.rehearsal.effects import Effects
from roboreward_ros.rehearsal.faults import HITS, FaultKind, load_faults
from roboreward_ros.rehearsal.latency import Latencies, decision_latency
from roboreward_ros.rehearsal.notes import Note, NoteBook, NoteKind, NoteReader, await_struck
from roboreward_ros.rehearsal.opening import open_recording, script_for
from roboreward_ros.rehearsal.operator import ScriptedOperator
from roboreward_ros.rehearsal.player import Deck, RecordedCamera, RecordedRobot
from roboreward_ros.ros.arm_beat import ArmLoopConfig
from roboreward_ros.ros.arm_server import ArmServer, StatePublisher
from roboreward_ros.ros.convert import truth_to_msg
from roboreward_ros.ros.diagnostics import Diagnostics
from roboreward_ros.ros.gated_arm import GatedLoop
from roboreward_ros.ros.lifecycle import HostNode
from roboreward_ros.ros.params import HostConfig, option
from roboreward_ros.ros.picture_publisher import FurtherCameras, PicturePublisher
from roboreward_ros.ros.qos import EVENT
from roboreward_ros.ros.scripted_seat import ScriptedSeat
from roboreward_ros.ros.spin import run
from roboreward_ros.types import Beat, RobotState

SPEEDS = ("realtime", "max")
START_TIMEOUT_S = 60.0
RESET_TIMEOUT_S = 60.0
STRUCK_S = 10.0  # for the command, which hits processes; without it the node goes on after that


@dataclass(frozen=True, slots=True)
class PlayerNodeConfig(HostConfig):
    """Parameters of player_node; help texts are the fields' metadata."""

    recording: str = option("", "folder of a run, or an MCAP bag")
    episodes: int = option(0, "play no more than so many of its first episodes; 0: all")
    script: str = option("", "YAML of the operator's keys; empty: as recorded")
    faults: str = option("", "YAML of what goes wrong; empty: nothing")
    task: str = option("", "sentence of a bag that does not name it")
    image_topic: str = option("", "policy's pictures of a bag; empty: image, or the first by name")
    joint_topic: str = option("", "joint states of a bag of another session; empty: likewise")
    robot: str = option("wx250s", "profile of a bag's arm")
    control_hz: float = option(5.0, "control rate of a bag of another session")
    speed: str = option("max", "realtime: as fast as it was; max: lock-step")
    latencies: str = option("own", "recorded: no decision comes sooner than in the recording")
    action_timeout_s: float = option(10.0, "an episode without an action for so long is a fault")

    def __post_init__(self) -> None:
        HostConfig.__post_init__(self)
        if self.speed not in SPEEDS:
            raise ConfigError("speed is not one of its values", got=self.speed, allowed=SPEEDS)
        if self.latencies not in tuple(Latencies):
            raise ConfigError("latencies", got=self.latencies, allowed=tuple(Latencies))
        self.bag()

    def bag(self) -> BagOptions:
        """What a bag does not say itself."""
        topics = (self.image_topic, self.joint_topic)
        return BagOptions(self.task, *topics, self.robot, self.control_hz)


class PlayerNode(HostNode[PlayerNodeConfig]):
    """See the module's text."""

    def __init__(self, **arguments: object) -> None:
        super().__init__("player_node", PlayerNodeConfig, **arguments)  # type: ignore[arg-type]
        self._loop: GatedLoop | None = None
        self._server: ArmServer | None = None
        self._notes: NoteBook | None = None

    def _setup(self) -> None:
        config = self.config
        recording = open_recording(config.recording, config.episodes, config.bag())
        self._faults = load_faults(Path(config.faults)) if config.faults else ()
        first = recording.episode(0)
        self._operator = ScriptedOperator(
            script_for(recording, config.script), len(recording.names)
        )
        self._notes = NoteBook(Path(config.run_dir))
        board = FaultBoard(Path(config.run_dir))
        self._effects = Effects(self._faults, self.clock, self._fault_begins, board)
        self._deck = Deck(recording, self.clock, real_time=config.speed == "realtime")
        self._camera = RecordedCamera(self._deck)
        self._camera.open()
        self._states = StatePublisher(self)
        self._pictures = PicturePublisher(self)
        further = {name: RecordedCamera(self._deck, name) for name in recording.cameras}
        self._further = FurtherCameras(self, further)
        self._truths = None
        if first.truth:
            self._truths = self.create_publisher(msg.GroundTruth, "ground_truth", EVENT)
        changing = {fault.node for fault in self._faults if fault.parameter}
        self._seat = ScriptedSeat(self, self._operator, self, self._open_gate, changing)
        loop = ArmLoopConfig(
            first.control_hz,
            lock_step=config.speed == "max",
            action_timeout_s=config.action_timeout_s,
        )
        self._loop = GatedLoop(self._make_arm, self, loop, self.clock, self.get_logger().warning)
        self._loop.start(START_TIMEOUT_S)
        self._server = ArmServer(self, self._loop, RESET_TIMEOUT_S)
        Diagnostics(self, {"recording": self._server.health}, hardware_id=config.recording)

    def _stop(self, reason: str) -> None:
        del reason
        if self._server is not None:
            self._server.resets.end_all()
        if self._loop is not None:
            self._loop.stop()

    def _teardown(self) -> None:
        if self._server is not None:
            self._server.resets.close()
        if self._loop is not None:
            self._loop.stop()
        if self._notes is not None:
            self._notes.close()
        self._loop = self._server = self._notes = None

    # On the arm's thread.

    def _make_arm(self, clock: Clock) -> Robot:
        del clock  # the deck has the node's: nothing ends its waits early
        return RecordedRobot(self._deck, self._before_step)

    def _before_step(self, step: int) -> None:
        place = self._deck.position
        self._deck.offset_ns = self._effects.offset_ns(place, step + 1)
        try:
            self._effects.before_step(place, step)
        except RobotError as error:
            # Diagnostics are heard once a second: in lock-step the arm may be well again by then.
            self._note(NoteKind.PART, f"arm: {error}")
            raise

    def publish(self, beat: Beat) -> None:
        """Pictures, truth and state of one step, all with one stamp; the state goes last."""
        deck, place = self._deck, self._deck.position
        if beat.step == 0:
            self._note(NoteKind.BEGUN, beat.episode_id)
        requests = [] if beat.last else self._operator.at_step(place, beat.step)
        assert self._loop is not None
        if requests and not deck.real_time:
            self._loop.shut()
        self._effects.elsewhere(place, beat.step)
        if beat.last:
            self._loop.open()
        least_s = self._effects.answer_late_s(place, beat.step)
        if self.config.latencies == Latencies.RECORDED:
            least_s = max(least_s, decision_latency(deck.episode, beat.step))
        self._loop.answer_after(least_s)
        late_s = self._effects.late_s(place, beat.step)
        if late_s:
            self._states.publish(beat)
            self.clock.sleep(late_s)
        for frame in self._effects.pictures(place, beat.step, self._camera.read(0.0)):
            self._pictures.publish(frame.image, frame.stamp_ns)
        self._further.publish()
        if self._truths is not None and deck.episode.truth:
            truth = deck.episode.truth[deck.index]
            stamp_ns = beat.state.stamp_ns
            self._truths.publish(truth_to_msg(truth, beat.episode_id, beat.step, stamp_ns))
        if not late_s:
            self._states.publish(beat)
        if requests:
            self.post(lambda: self._seat.press(requests))

    def idle(self, state: RobotState) -> None:
        """Between episodes the last picture stays."""
        if self._pictures.shown:
            self._pictures.show(self._camera.read(0.0).image, state.stamp_ns)
        self._further.show(state.stamp_ns)
        self._states.idle(state)

    def _fault_begins(self, number: int) -> None:
        fault = self._faults[number]
        kind = NoteKind.HIT if fault.fault in HITS else NoteKind.FAULT
        self._note(kind, fault.text, number)
        self.get_logger().warning(f"fault: {fault.text}")
        if kind is NoteKind.HIT and not self._deck.real_time:
            # In lock-step an episode may be over before a process dies.
            reader = NoteReader(Path(self.config.run_dir))
            if not await_struck(reader, number, self.clock, STRUCK_S):
                self.get_logger().warning(f"nobody carried out: {fault.text}")
        if fault.fault is FaultKind.PARAMETER:
            if self._loop is not None and not self._deck.real_time:
                self._loop.shut()
            self.post(lambda: self._seat.set_parameter(fault.node, *fault.setting))

    # What the seat hears.

    def pressed(self, text: str) -> None:
        self._note(NoteKind.VERB, text)

    def refused(self, text: str) -> None:
        self._note(NoteKind.REFUSED, text)

    def phase(self, text: str) -> None:
        self._note(NoteKind.PHASE, text)

    def over(self, episode: int) -> None:
        self._note(NoteKind.OVER, self._deck.recording.names[episode], episode)

    def part(self, text: str) -> None:
        self._note(NoteKind.PART, text)

    def _open_gate(self) -> None:
        if self._loop is not None:
            self._loop.open()

    def _note(self, kind: NoteKind, text: str, number: int = -1) -> None:
        """From any thread; a line is written at once."""
        if self._notes is None:
            return
        deck, step = self._deck, -1
        if self._loop is not None and self._loop.status.episode_id:
            step = deck.step
        self._notes.add(Note(kind, self.clock.now_ns(), deck.position, step, text, number))


CONFIG = PlayerNodeConfig


def main() -> int:
    return run(PlayerNode)


if __name__ == "__main__":
    raise SystemExit(main())

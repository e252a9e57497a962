# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Records whole episodes: everything of one, or nothing.

Usage::

    python -m roboreward_ros.nodes.recorder_node --ros-args -p run_dir:=runs/first

Serves ``record_episode``; listens to ``image``, ``state``, ``chunk`` and, from the twin,
``ground_truth``; announces on ``episode``. Callbacks only enqueue; the goal's worker encodes,
writes the journal, and makes the episode visible by one rename.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from sensor_msgs.msg import Image

from roboreward_ros import msg
from roboreward_ros.action import RecordEpisode
from roboreward_ros.dsrl.learned import housekeeper
from roboreward_ros.episodes.assembly import Beat, EpisodeAssembler
from roboreward_ros.episodes.housekeeping import Housekeeper
from roboreward_ros.episodes.intake import Ending, Intake, Job, Patience
from roboreward_ros.episodes.store import EpisodeStore, open_uri
from roboreward_ros.errors import ConfigError, StoreError
from roboreward_ros.ros import convert
from roboreward_ros.ros.diagnostics import Diagnostics, Health, Level
from roboreward_ros.ros.disk_budget import DiskBudgetConfig, disk_health
from roboreward_ros.ros.lifecycle import HostNode
from roboreward_ros.ros.params import option
from roboreward_ros.ros.qos import EVENT, SENSOR
from roboreward_ros.ros.sources import SourceWatch
from roboreward_ros.ros.spin import run
from roboreward_ros.ros.work import Goal, WorkServer
from roboreward_ros.types import EndCause, EpisodeMeta, ImageU8

FEEDBACK_S = 0.5
SLOW = 100  # messages, three seconds of a camera
WAITS = ("match_s", "start_s", "stall_s", "settle_s", "closing_s")
BLIND_S = 0.3  # a camera's pictures come far more often
Result: TypeAlias = RecordEpisode.Result


@dataclass(frozen=True, slots=True)
class RecorderConfig(DiskBudgetConfig):
    """Parameters of recorder_node; help texts are the fields' metadata."""

    jpeg_quality: int = option(95, "quality of the stored frames, 1..100")
    robot: str = option("wx250s", "profile name noted in each episode")
    control_hz: float = option(5.0, "control rate noted in each episode, Hz")
    reliable_images: bool = option(
        True, "lose no image; false for cameras that publish best effort"
    )
    max_skew_s: float = option(0.15, "oldest image that a state may be paired with, s")
    match_s: float = option(20.0, "wait for the publishers of image, state and chunk, s")
    start_s: float = option(150.0, "wait for the first state after ready, s")
    stall_s: float = option(25.0, "silence in a running episode that drops it, s")
    settle_s: float = option(3.0, "wait for what is still missing after the last state, s")
    closing_s: float = option(0.3, "wait of a whole episode for the policy's closing decision, s")

    def __post_init__(self) -> None:
        DiskBudgetConfig.__post_init__(self)
        if not 1 <= self.jpeg_quality <= 100:
            raise ConfigError("jpeg_quality", got=self.jpeg_quality, allowed="1..100")
        for name in ("control_hz", "max_skew_s", *WAITS):
            if getattr(self, name) <= 0:
                raise ConfigError(name, got=getattr(self, name), allowed="above 0")


class RecorderNode(HostNode[RecorderConfig]):
    """See the module's text."""

    def __init__(self, **arguments: object) -> None:
        super().__init__("recorder_node", RecorderConfig, **arguments)  # type: ignore[arg-type]
        self._store: EpisodeStore | None = None
        self._keeper: Housekeeper | None = None
        self._server: WorkServer[RecordEpisode.Goal, Result] | None = None
        self._recording: Intake | None = None
        self._created_ns = 0
        self._committed = 0
        self._problem = ""

    def _setup(self) -> None:
        self._store = EpisodeStore(self.config.run_dir, "w")
        self._committed = len(self._store)
        self._keeper = housekeeper(self._store, self.config)
        images = EVENT if self.config.reliable_images else SENSOR
        self._sources = (
            self.create_subscription(Image, "image", self._on_image, images),
            self.create_subscription(msg.RobotState, "state", self._on_state, EVENT),
            self.create_subscription(msg.ActionChunk, "chunk", self._on_chunk, EVENT),
        )
        self._truth = self.create_subscription(
            msg.GroundTruth, "ground_truth", self._on_truth, EVENT
        )
        self._events = self.create_publisher(msg.EpisodeEvent, "episode", EVENT)
        self._server = WorkServer(self, RecordEpisode, "record_episode", self._record)
        disk = partial(disk_health, self._keeper.report)
        Diagnostics(self, {"recorder": self._health, "disk": disk})

    def _stop(self, reason: str) -> None:
        del reason
        if self._server is not None:
            self._server.end_all()

    def _teardown(self) -> None:
        for part in (self._server, self._keeper, self._store):
            if part is not None:
                part.close()
        self._server = self._store = self._keeper = None

    # In the executor's thread: enqueue only.

    def _put(self, episode_id: str | None, job: Job) -> None:
        recording = self._recording
        if recording is not None and episode_id in (None, recording.episode_id):
            recording.put(job)

    def _on_image(self, message: Image) -> None:
        stamp_ns = convert.stamp_from_msg(message.header.stamp)
        self._put(None, lambda a: a.add_image(stamp_ns, convert.image_from_msg(message).image))

    def _on_state(self, message: msg.RobotState) -> None:
        def add(assembler: EpisodeAssembler) -> None:
            beat = convert.beat_from_msg(message)
            cause = beat.end_cause or EndCause.TIME
            assembler.add_beat(Beat(beat.step, beat.state, beat.report, beat.last, cause))

        self._put(message.episode_id, add)

    def _on_chunk(self, message: msg.ActionChunk) -> None:
        def add(assembler: EpisodeAssembler) -> None:
            decision = convert.decision_from_msg(message)
            self._created_ns = self._created_ns or decision.stamp_ns
            assembler.add_chunk(decision.policy_id, decision.chunk_size, decision.chunk)

        self._put(message.episode_id, add)

    def _on_truth(self, message: msg.GroundTruth) -> None:
        step = int(message.step)
        self._put(message.episode_id, lambda a: a.add_truth(step, convert.truth_from_msg(message)))

    # In the goal's worker thread.

    def _record(self, goal: Goal[RecordEpisode.Goal]) -> Result:
        request, store = goal.request, self._store
        assert store is not None
        if request.episode_id in store.ids():
            return _failure(Result.EXISTS, f"episode {request.episode_id} is in the store already")
        free_mb = shutil.disk_usage(store.root).free >> 20
        if free_mb < self.config.min_free_mb:
            self._problem = f"{free_mb} MB free in {store.root}"
            return _failure(Result.DISK, f"{self._problem}; free space or choose another run_dir")
        assembler = EpisodeAssembler(
            lambda policy_id, size: store.create(self._meta(request, policy_id, size)),
            self._encode,
            expects_truth=self._truth.get_publisher_count() > 0,
            max_skew_s=self.config.max_skew_s,
        )
        self._created_ns = 0
        patience = Patience(**{name: getattr(self.config, name) for name in WAITS})
        self._recording = Intake(request.episode_id, patience, self.clock)
        try:
            result = self._follow(goal, assembler, self._recording)
        except StoreError as error:
            result = _failure(Result.DISK, str(error))
        finally:
            self._recording = None
            assembler.abort()  # of what was not committed, whatever happened, nothing stays
        self._problem = result.error_msg
        if result.error_code:
            self._announce(msg.EpisodeEvent.ABORTED, request, result)
            return goal.canceled(result) if goal.cancel_reason else result
        self._committed += 1
        if self._keeper is not None:
            self._keeper.nudge()
        self._announce(msg.EpisodeEvent.COMMITTED, request, result)
        return result

    def _follow(
        self, goal: Goal[RecordEpisode.Goal], assembler: EpisodeAssembler, intake: Intake
    ) -> Result:
        """Listen until the end, then make the episode visible."""
        spoke_ns = 0

        def tick(ready: bool) -> None:
            nonlocal spoke_ns
            now_ns = self.clock.steady_ns()
            if ready and now_ns - spoke_ns > FEEDBACK_S * 1e9:
                if not spoke_ns:
                    self._announce(msg.EpisodeEvent.OPENED, goal.request, Result())
                spoke_ns = now_ns
                goal.feedback(RecordEpisode.Feedback(ready=True, steps=assembler.steps))

        watch = SourceWatch(self, self._sources)
        ending = intake.follow(assembler, watch.matched, lambda: goal.cancel_reason, tick)
        problems = {
            Ending.DROPPED: (Result.ABORTED, f"dropped: {goal.cancel_reason}"),
            Ending.UNMATCHED: (Result.STALLED, f"nobody publishes {', '.join(watch.silent())}"),
            Ending.SILENT: (Result.STALLED, f"nothing came after step {assembler.steps}"),
        }
        lost = ", ".join(watch.lost()) or ("everything" if ending is Ending.SILENT else "")
        lost = lost or ("the camera" if assembler.blind_s > BLIND_S else "")
        if ending in problems and not (lost and assembler.end_short(f"lost: {lost}")):
            return _failure(*problems[ending])
        try:
            uri = assembler.commit()
        except ConfigError as error:
            return _failure(Result.STALLED, str(error))
        return convert.summary_to_recording(open_uri(uri).summary, uri)

    def _meta(self, request: RecordEpisode.Goal, policy_id: str, chunk_size: int) -> EpisodeMeta:
        robot, hz, begun_ns = self.config.robot, self.config.control_hz, self._created_ns
        return convert.recording_to_meta(request, policy_id, chunk_size, begun_ns, robot, hz)

    def _encode(self, image: ImageU8) -> bytes:
        compressed = convert.image_to_compressed(image, 0, quality=self.config.jpeg_quality)
        return bytes(compressed.data)

    def _announce(self, event: int, request: RecordEpisode.Goal, result: Result) -> None:
        now_ns = self.clock.now_ns()
        self._events.publish(convert.recording_to_event(event, request, result, now_ns))

    def _health(self) -> Health:
        recording = self._recording
        doing = f"recording {recording.episode_id}" if recording else "idle"
        waiting = recording.waiting if recording else 0
        slow = f"the disk is slow: {waiting} messages wait" if waiting > SLOW else ""
        trouble, values = self._problem or slow, {"waiting_messages": waiting}
        level = Level.WARN if trouble else Level.OK
        return Health(level, trouble or doing, {"committed": self._committed, **values})


def _failure(code: int, message: str) -> Result:
    return Result(error_code=code, error_msg=message)


def main() -> int:
    return run(RecorderNode)


if __name__ == "__main__":
    raise SystemExit(main())

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Carries one reset, episode or score through the other nodes; every wait has an end.

Lives on one :class:`Loop`: requests are made and the listener is told on that thread. Each request
is answered exactly once, also when a node dies on the way.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from rclpy.action import ActionClient
from std_srvs.srv import SetBool

from roboreward_ros import msg
from roboreward_ros.action import RecordEpisode, ResetRobot, RunPolicy, ScoreEpisode
from roboreward_ros.errors import FormatError, SessionError, StoreError
from roboreward_ros.ros.calls import ActionCall, OnMessage, OnResult, call_service, ignore
from roboreward_ros.ros.convert import end_cause_from_code, end_cause_to_code
from roboreward_ros.ros.driver_seams import DriverConfig, Episode, Facts, Listener
from roboreward_ros.ros.lifecycle import HostNode
from roboreward_ros.ros.loop import Loop
from roboreward_ros.ros.peers import Peer
from roboreward_ros.srv import BeginEpisode, EndEpisode
from roboreward_ros.types import EndCause


@dataclass(slots=True)
class _Attempt:
    """The one reset or episode that is on its way."""

    order: Episode
    recording: bool = False  # else a reset
    max_steps: int = 0
    calls: list[ActionCall] = field(default_factory=list)
    ready: set[str] = field(default_factory=set)
    begin_asked: bool = False
    ending: bool = False
    aborting: bool = False
    failure: tuple[str, str] | None = None  # part, message
    commit: tuple[EndCause, str] | None = None  # end cause, uri
    waits: int = 0  # answers still to come besides those of ``calls``


class EpisodeDriver:
    """See the module's text.

    Args:
        node: makes the clients; relative names.
        loop: where everything happens.
        listener: who is told.
        facts: what it does not know itself.
        config: limits of the waits.
    """

    def __init__(
        self,
        node: HostNode,  # type: ignore[type-arg]
        loop: Loop,
        listener: Listener,
        facts: Facts,
        config: DriverConfig | None = None,
    ) -> None:
        self._node = node
        self._loop = loop
        self._tell = listener
        self._facts = facts
        self._config = config or DriverConfig()
        self._reset = ActionClient(node, ResetRobot, "reset_robot")
        self._record = ActionClient(node, RecordEpisode, "record_episode")
        self._policy = ActionClient(node, RunPolicy, "run_policy")
        self._score = ActionClient(node, ScoreEpisode, "score_episode")
        self._begin = node.create_client(BeginEpisode, "begin_episode")
        self._end = node.create_client(EndEpisode, "end_episode")
        self._take_over = node.create_client(SetBool, "take_over")
        self._attempt: _Attempt | None = None
        self._scores: dict[str, ActionCall] = {}

    def peers(self, owner: str) -> dict[str, Peer]:
        """How the nodes that serve episodes are recognised; ``owner`` names the arm's."""

        def arm_ready() -> bool:
            return bool(self._reset.server_is_ready() and self._begin.service_is_ready())

        return {
            owner: Peer("reset_robot/_action/status", arm_ready),
            "recorder_node": Peer("record_episode/_action/status", self._record.server_is_ready),
            "policy_node": Peer("run_policy/_action/status", self._policy.server_is_ready),
            "reward_node": Peer("score_episode/_action/status", self._score.server_is_ready),
        }

    def reset(self, order: Episode) -> None:
        """Start pose and scene; answers reset_done, failed or aborted."""
        attempt = self._start(order)
        goal = ResetRobot.Goal(task=order.task, seed=order.seed)

        def result(status: str, answer: ResetRobot.Result) -> None:
            if status == "succeeded" and answer.error_code == 0:
                attempt.ready.add("robot")
                self._finish(attempt)
            else:
                self._fail(attempt, "robot", answer.error_msg or f"reset {status}")

        self._call(attempt, self._reset, goal, "robot", self._config.reset_s, result)

    def begin(self, order: Episode) -> None:
        """Arm recorder and policy, then step 0; answers begun, then committed; or failed."""
        attempt = self._start(order)
        attempt.recording = True
        attempt.max_steps = max_steps = self._facts.max_steps(order.task)
        record_goal = RecordEpisode.Goal(
            episode_id=order.episode_id,
            index=order.index,
            task=order.task,
            seed=order.seed,
            max_steps=max_steps,
            canary=order.canary,
        )
        policy_goal = RunPolicy.Goal(
            episode_id=order.episode_id,
            task=order.task,
            max_steps=max_steps,
            seed=order.seed,
            min_policy_version=self._facts.min_policy_version(),
            canary=order.canary,
        )

        def recorded(status: str, answer: RecordEpisode.Result) -> None:
            if status == "succeeded" and answer.error_code == 0:
                attempt.commit = (end_cause_from_code(int(answer.end_cause)), answer.uri)
                policy.renew(self._config.abort_s)
                self._finish(attempt)
            else:
                self._fail(attempt, "record", answer.error_msg or f"recording {status}")

        def ran(status: str, answer: RunPolicy.Result) -> None:
            if status == "succeeded" and answer.error_code == 0:
                self._finish(attempt)
            else:
                self._fail(attempt, "policy", answer.error_msg or f"policy {status}")

        def progress(feedback: RecordEpisode.Feedback) -> None:
            if feedback.ready and "record" not in attempt.ready:
                self._armed(attempt, "record")
            if "begun" in attempt.ready:
                record.renew(self._config.silence_s)
                policy.renew(self._config.silence_s)
                self._tell.step(order.episode_id, int(feedback.steps))

        arm_s = self._config.arm_s
        record = self._call(attempt, self._record, record_goal, "record", arm_s, recorded, progress)
        policy = self._call(
            attempt,
            self._policy,
            policy_goal,
            "policy",
            arm_s,
            ran,
            lambda _: self._armed(attempt, "policy"),
        )

    def end(self, episode_id: str, end_cause: EndCause) -> None:
        """The arm holds now and the recorder commits what there is."""
        if self._attempt is not None and self._attempt.order.episode_id == episode_id:
            self._end_motion(self._attempt, end_cause)

    def hand_over(self, episode_id: str, to_person: bool) -> None:
        """Who moves the arm in the running episode; answers handed."""

        def answered(problem: str) -> None:
            self._tell.handed(episode_id, to_person != bool(problem), problem)

        call_service(
            self._loop,
            self._take_over,
            SetBool.Request(data=to_person),
            self._config.service_s,
            lambda answer: answered("" if answer.success else answer.message),
            answered,
        )

    def abort(self, episode_id: str) -> None:
        """Drop reset or episode; answers aborted, or committed when it was too late."""
        attempt = self._attempt
        if attempt is None or attempt.order.episode_id != episode_id:
            self._loop.post(lambda: self._tell.aborted(episode_id))
            return
        attempt.aborting = True
        self._tear_down(attempt, EndCause.OPERATOR)

    def score(self, episode_id: str) -> None:
        """Ask for the reward; answers scored. Asking again replaces the first request."""
        if (older := self._scores.pop(episode_id, None)) is not None:
            older.drop()

        def answered(labelled: bool, message: str) -> None:
            self._scores.pop(episode_id, None)
            self._tell.scored(episode_id, labelled, message)

        def result(status: str, answer: ScoreEpisode.Result) -> None:
            if status != "succeeded" or answer.error_code:
                answered(False, answer.error_msg or f"scoring {status}")
            else:
                labelled = answer.reward.outcome == msg.Reward.SCORE
                answered(labelled, "" if labelled else answer.reward.reason)

        self._scores[episode_id] = ActionCall(
            self._node,
            self._loop,
            self._score,
            ScoreEpisode.Goal(uri=self._facts.stored(episode_id).uri),
            self._config.score_s,
            result,
            lambda reason: answered(False, reason),
        )

    def _start(self, order: Episode) -> _Attempt:
        if self._attempt is not None:
            raise SessionError("an episode is still on its way", got=self._attempt.order.episode_id)
        self._attempt = _Attempt(order)
        return self._attempt

    def _call(
        self,
        attempt: _Attempt,
        client: ActionClient,
        goal: object,
        part: str,
        timeout_s: float,
        on_result: OnResult,
        on_feedback: OnMessage = ignore,
    ) -> ActionCall:
        call = ActionCall(
            self._node,
            self._loop,
            client,
            goal,
            timeout_s,
            on_result,
            lambda reason: self._fail(attempt, part, reason),
            on_feedback,
        )
        attempt.calls.append(call)
        return call

    def _armed(self, attempt: _Attempt, part: str) -> None:
        attempt.ready.add(part)
        if not {"record", "policy"} <= attempt.ready or attempt.begin_asked or attempt.ending:
            return
        attempt.begin_asked = True
        order = attempt.order

        def answered(answer: BeginEpisode.Response) -> None:
            if answer.error_code:
                self._fail(attempt, "robot", answer.error_msg)
            elif not attempt.ending:
                attempt.ready.add("begun")
                for call in attempt.calls:
                    call.renew(self._config.silence_s)
                self._tell.begun_episode(order.episode_id)

        call_service(
            self._loop,
            self._begin,
            BeginEpisode.Request(episode_id=order.episode_id, max_steps=attempt.max_steps),
            self._config.service_s,
            answered,
            lambda reason: self._fail(attempt, "robot", reason),
        )

    def _fail(self, attempt: _Attempt, part: str, message: str) -> None:
        if attempt.commit is None and attempt.failure is None:
            attempt.failure = (part, message)
        if not attempt.ending:
            self._tear_down(attempt, EndCause.FAULT)
        self._finish(attempt)

    def _tear_down(self, attempt: _Attempt, end_cause: EndCause) -> None:
        """Stop everybody; the arm's end waits until the recorder knows, so it cannot commit."""
        attempt.ending = True
        told = False

        def end_motion() -> None:
            nonlocal told
            if not told:
                told = True
                attempt.waits -= 1
                if attempt.begin_asked:
                    self._end_motion(attempt, end_cause)
                self._finish(attempt)

        attempt.waits += 1
        for k, call in enumerate(attempt.calls):
            call.renew(self._config.abort_s)
            call.cancel(end_motion if k == 0 else None)
        if not attempt.calls or not attempt.calls[0].open:
            end_motion()
        self._loop.after(self._config.told_s, end_motion)

    def _end_motion(self, attempt: _Attempt, end_cause: EndCause) -> None:
        attempt.waits += 1

        def answered(problem: str) -> None:
            attempt.waits -= 1
            if problem and not attempt.ending:
                self._fail(attempt, "robot", problem)
            self._finish(attempt)

        call_service(
            self._loop,
            self._end,
            EndEpisode.Request(
                episode_id=attempt.order.episode_id, end_cause=end_cause_to_code(end_cause)
            ),
            self._config.service_s,
            lambda answer: answered(answer.error_msg if answer.error_code else ""),
            answered,
        )

    def _finish(self, attempt: _Attempt) -> None:
        """Tell the end once nobody works for the attempt any more."""
        if self._attempt is not attempt or attempt.waits or any(c.open for c in attempt.calls):
            return
        self._attempt = None
        episode_id = attempt.order.episode_id
        if attempt.commit is None and attempt.recording:
            attempt.commit = self._found(episode_id)
        if attempt.commit is not None:
            self._tell.committed(episode_id, *attempt.commit)
        elif attempt.aborting:
            self._tell.aborted(episode_id)
        elif attempt.failure is not None:
            self._tell.failed(episode_id, *attempt.failure)
        elif "robot" in attempt.ready:
            self._tell.reset_done(episode_id)
        else:
            self._tell.failed(episode_id, "record", "the recorder ended without an episode")

    def _found(self, episode_id: str) -> tuple[EndCause, str] | None:
        """End and uri of an episode that is on disk although its recorder did not say so.

        It was killed, or given up, between the rename and its answer; run again, the episode would
        be refused for ever.
        """
        try:
            stored = self._facts.stored(episode_id)
        except (StoreError, FormatError):
            return None
        return stored.summary.end_cause, stored.uri

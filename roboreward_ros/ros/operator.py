# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The operator's services and the session's own action; the desk behind them lives on one loop."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from std_srvs.srv import Trigger

from roboreward_ros.action import RunEpisode
from roboreward_ros.errors import ConfigError, RoboRewardError, SessionError, StoreError
from roboreward_ros.ros.loop import Loop
from roboreward_ros.ros.work import Goal, WorkServer
from roboreward_ros.srv import Discard, Label, Verb
from roboreward_ros.types import VerbAnswer, VerbRequest

if TYPE_CHECKING:
    from roboreward_ros.ros.lifecycle import HostNode

FEEDBACK_S = 0.2


@dataclass(frozen=True, slots=True)
class EpisodeReport:
    """How the episode that was asked for ended.

    Attributes:
        part: what failed: robot, policy, record; "" when the episode is on disk.
        message: of the failure.
        end_cause: of the stored episode.
        uri: of the stored episode.
        outcome: 0 score, 1 abstain, 2 error as in Reward; None while nothing scored it.
        value: the score.
    """

    part: str = ""
    message: str = ""
    end_cause: str = ""
    uri: str = ""
    outcome: int | None = None
    value: float = math.nan


class Desk(Protocol):
    """What the operator may ask for; on the loop, raising RoboRewardError where it cannot be."""

    def ask(self, request: VerbRequest) -> VerbAnswer: ...

    def halt(self) -> None: ...

    def run_one(self, task: str, seed: int, canary: bool) -> None: ...

    def progress(self) -> tuple[str, int, bool]:
        """Phase, step, and whether the session has come to rest."""


TRIGGERS = ("start", "stop", "confirm_reset", "hold", "undo", "quit")
"""Verbs that need no words, for the command line and for tools that call services only."""

_FAILED = {
    "robot": RunEpisode.Result.ROBOT_FAILED,
    "policy": RunEpisode.Result.POLICY_FAILED,
    "record": RunEpisode.Result.RECORD_FAILED,
}


class OperatorServices:
    """``~/verb``, a service for each of its verbs, and ``run_episode``.

    Consoles use ``~/verb``: it carries what their person saw. The others act on the present state.

    Args:
        node: host; services answer as soon as the loop has decided.
        loop: of the desk.
        desk: who decides.
        report: how the last episode ended; called on the loop.
    """

    def __init__(
        self,
        node: HostNode,  # type: ignore[type-arg]
        loop: Loop,
        desk: Desk,
        report: Callable[[], EpisodeReport],
    ) -> None:
        self._report = report
        self._loop = loop
        self._desk = desk
        self._wake = threading.Event()
        for name in TRIGGERS:
            node.create_service(Trigger, f"~/{name}", self._trigger(name))
        node.create_service(Label, "~/label", self._label)
        node.create_service(Discard, "~/discard", self._discard)
        node.create_service(Verb, "~/verb", self._verb)
        self.server: WorkServer[RunEpisode.Goal, RunEpisode.Result] = WorkServer(
            node, RunEpisode, "run_episode", self._run
        )

    def _ask(self, verb: str, text: str = "", episode_id: str = "", **seen: str) -> VerbAnswer:
        request = VerbRequest(verb, text, episode_id, **seen)
        return self._loop.ask(lambda: self._desk.ask(request))

    def _trigger(
        self, verb: str
    ) -> Callable[[Trigger.Request, Trigger.Response], Trigger.Response]:
        def answer(request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
            del request
            try:
                response.message = self._ask(verb).message
                response.success = True
            except RoboRewardError as error:
                response.success, response.message = False, str(error)
            return response

        return answer

    def _verb(self, request: Verb.Request, response: Verb.Response) -> Verb.Response:
        try:
            answer = self._ask(
                request.verb,
                request.text,
                request.episode_id,
                phase=request.phase,
                operator=request.operator_name,
            )
            response.message, response.seq = answer.message, int(answer.seq)
        except RoboRewardError as error:
            response.error_msg = str(error)
            response.error_code = Verb.Response.NOT_NOW
            if isinstance(error, StoreError):
                response.error_code = Verb.Response.NO_EPISODE
            elif isinstance(error, ConfigError):
                response.error_code = Verb.Response.BAD_KEY
        return response

    def _label(self, request: Label.Request, response: Label.Response) -> Label.Response:
        undo = request.key == "u"
        verb, key = ("undo", "") if undo else ("label", request.key)
        try:
            answer = self._ask(verb, key, request.episode_id, operator=request.operator_name)
            response.seq = int(answer.seq)
        except ConfigError as error:
            response.error_code, response.error_msg = Label.Response.BAD_KEY, str(error)
        except RoboRewardError as error:
            none, nothing = Label.Response.NO_EPISODE, Label.Response.NOTHING_TO_UNDO
            response.error_code = nothing if undo and isinstance(error, SessionError) else none
            response.error_msg = str(error)
        return response

    def _discard(self, request: Discard.Request, response: Discard.Response) -> Discard.Response:
        try:
            self._ask("discard", request.reason, request.episode_id)
        except RoboRewardError as error:
            response.error_code, response.error_msg = Discard.Response.NO_EPISODE, str(error)
        return response

    def _run(self, goal: Goal[RunEpisode.Goal]) -> RunEpisode.Result:
        """In the goal's worker thread: one episode from reset to label."""
        request, result = goal.request, RunEpisode.Result(outcome=RunEpisode.Result.UNLABELED)
        try:
            self._loop.ask(
                lambda: self._desk.run_one(request.task, int(request.seed), bool(request.canary))
            )
        except SessionError as error:
            result.error_code, result.error_msg = RunEpisode.Result.NOT_READY, str(error)
            return result
        stopped = False
        while not (progress := self._loop.ask(self._desk.progress))[2]:
            goal.feedback(RunEpisode.Feedback(phase=progress[0], step=int(progress[1])))
            if goal.wait_cancel(FEEDBACK_S) and not stopped:
                stopped = True
                self._loop.ask(self._desk.halt)
            elif stopped:
                self._wake.wait(FEEDBACK_S)
        report = self._loop.ask(self._report)
        result.termination_reason, result.uri = report.end_cause, report.uri
        if stopped and not report.uri:
            result.termination_reason = "canceled"
            return goal.canceled(result)
        if report.part:
            result.error_code, result.error_msg = _FAILED[report.part], report.message
        elif report.outcome is not None:
            result.outcome, result.value = int(report.outcome), float(report.value)
        return result

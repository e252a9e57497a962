# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""``~/set_reward_source``, ``~/promote_shadow`` and the parameter ``source``: one swap, three ways.

A swap takes as long as a model loads; it runs in a thread of its own while the node goes on.
"""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from rclpy.parameter import Parameter
from std_srvs.srv import Trigger

from roboreward_ros.ros.loop import until
from roboreward_ros.ros.work import UNEXPECTED
from roboreward_ros.srv import SetRewardSource

if TYPE_CHECKING:
    from roboreward_ros.ros.lifecycle import HostNode


class SourceDesk(Protocol):
    """What changes the source, as the services see it. All may take minutes."""

    @property
    def source(self) -> str:
        """Name of the source in force."""

    def swap(self, source: str, options_json: str, *, shadow: bool) -> tuple[int, str]:
        """Error code of the service, 0 for none, and the reason."""

    def promote_shadow(self) -> str:
        """Let the shadow take over; the reason where it did not, else ""."""


class SourceServices:
    """The services and the parameter of one node.

    Args:
        node: host; has a parameter ``source``.
        desk: changes the source.
        changed: called in the executor's thread when another source may be in force.

    Attributes:
        following: the parameter is being set to what is in force already.
    """

    def __init__(
        self,
        node: HostNode,  # type: ignore[type-arg]
        desk: SourceDesk,
        changed: Callable[[], None],
    ) -> None:
        self._node = node
        self._desk = desk
        self._changed = changed
        self._shadow = ""  # as it was asked for
        self.following = False
        node.create_service(SetRewardSource, "~/set_reward_source", self._set)
        node.create_service(Trigger, "~/promote_shadow", self._promote)

    async def _set(
        self, request: SetRewardSource.Request, response: SetRewardSource.Response
    ) -> SetRewardSource.Response:
        def work() -> None:
            response.error_code, response.error_msg = self._swap(
                request.source, request.options_json, shadow=bool(request.shadow)
            )
            if response.error_code == 0 and request.shadow:
                self._shadow = request.source
            elif response.error_code == 0:
                self._node.post(lambda: self.show(request.source))

        await self._in_thread(work)
        response.active = self._desk.source
        return response

    async def _promote(
        self, request: Trigger.Request, response: Trigger.Response
    ) -> Trigger.Response:
        del request
        reasons: list[str] = []

        def work() -> None:
            try:
                reasons.append(self._desk.promote_shadow())
            except Exception as error:
                reasons.append(self._unexpected(error))

        await self._in_thread(work)
        why = reasons[0]
        response.success = not why
        response.message = why or f"{self._desk.source} is in force"
        if not why:
            self.show(self._shadow)
        return response

    def _swap(self, source: str, options_json: str, *, shadow: bool) -> tuple[int, str]:
        """Never raises: its thread has nobody who would hear of it."""
        try:
            return self._desk.swap(source, options_json, shadow=shadow)
        except Exception as error:
            return UNEXPECTED, self._unexpected(error)

    def _unexpected(self, error: Exception) -> str:
        self._node.get_logger().error(f"change of the reward source: {traceback.format_exc()}")
        return f"{type(error).__name__}: {error}"

    async def _in_thread(self, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, name="swap worker", daemon=True)
        thread.start()
        await until(lambda: not thread.is_alive())

    def parameter_set(self, old: str, new: str) -> None:
        """The parameter was set to ``new``: the same swap; it goes back where that fails."""

        def work() -> None:
            failed = self._swap(new, "", shadow=False)[0]
            self._node.post(lambda: self.show(old if failed else new))

        threading.Thread(target=work, name="swap worker", daemon=True).start()

    def show(self, source: str) -> None:
        """Let the parameter say what is in force."""
        self._changed()
        if self._node.config.source != source:
            self.following = True
            self._node.set_parameters([Parameter("source", value=source)])
            self.following = False

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Base of all nodes: a lifecycle node that brings itself up and never leaves anything half done.

Subclasses write ``_setup`` (create entities and parts; may raise), ``_start`` (take work),
``_stop`` (no more work; hold last) and ``_teardown`` (close parts; idempotent). The constructor
only declares parameters. Entities that ``_setup`` made on the node are destroyed by the base.
All hooks run in the executor's thread.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Generic

from rclpy.action import ActionClient, ActionServer
from rclpy.callback_groups import CallbackGroup
from rclpy.clock import Clock as RosClock
from rclpy.clock import ClockType
from rclpy.context import Context
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter
from rclpy.timer import Timer

from roboreward_ros import memory
from roboreward_ros.clock import Clock, SystemClock
from roboreward_ros.errors import ConfigError, RoboRewardError
from roboreward_ros.ros.params import ConfigT, Parameters
from roboreward_ros.ros.stop import StopSignal

SUCCESS = TransitionCallbackReturn.SUCCESS
FAILURE = TransitionCallbackReturn.FAILURE


class HostNode(LifecycleNode, Generic[ConfigT]):  # type: ignore[misc]
    """See the module's text.

    Args:
        name: node name.
        config_type: dataclass of the parameters, see ``ros.params``.
        context: of rclpy; None takes the process's own.
        parameters: overrides beside those of the command line, for tests.
        namespace: "" or "/arm1", for tests.

    Attributes:
        clock: steady and wall time; the core's Clock, not ROS time.
        stop: set it to end the process, ``ros.spin`` looks at it.
        failure: what made the last configure or activate fail; None after a success.
    """

    def __init__(
        self,
        name: str,
        config_type: type[ConfigT],
        *,
        context: Context | None = None,
        parameters: dict[str, bool | int | float | str | list[str] | list[float]] | None = None,
        namespace: str = "",
    ) -> None:
        super().__init__(
            name,
            context=context,
            namespace=namespace,
            parameter_overrides=[Parameter(k, value=v) for k, v in (parameters or {}).items()],
        )
        self.clock: Clock = SystemClock()
        self.stop = StopSignal()
        self.failure: Exception | None = None
        try:
            self._configuration = Parameters(self, config_type, self._parameters_changed)
        except ConfigError:
            self.destroy_node()
            raise
        self._base_entities = set(self._entities())
        self._active = False

    @property
    def config(self) -> ConfigT:
        """The parameters in force."""
        return self._configuration.config

    @property
    def active(self) -> bool:
        """Whether the node takes work."""
        return self._active

    # What subclasses write.

    def _setup(self) -> None:
        """Create entities and parts; an exception undoes everything."""

    def _start(self) -> None:
        """Begin to take work."""

    def _stop(self, reason: str) -> None:
        """Refuse new work, end the present, hold last; bounded time."""

    def _teardown(self) -> None:
        """Close what ``_setup`` opened, as far as it came; idempotent."""

    def _parameters_changed(self, old: ConfigT, new: ConfigT) -> None:
        """A runtime change is wished; raise a RoboRewardError to refuse it."""

    def create_timer(
        self,
        timer_period_sec: float,
        callback: Callable[[], None],
        callback_group: CallbackGroup | None = None,
        clock: RosClock | None = None,
        autostart: bool = True,
    ) -> Timer:
        """As rclpy's, by the steady clock.

        By ROS time it would rest for as long as a wall clock was set back, and under
        ``use_sim_time`` for good.
        """
        clock = clock or RosClock(clock_type=ClockType.STEADY_TIME)
        return super().create_timer(timer_period_sec, callback, callback_group, clock, autostart)

    # What front ends call.

    def bring_up(self) -> bool:
        """Configure and activate; False when either failed (the reason is logged)."""
        if self.trigger_configure() != SUCCESS:
            return False
        return bool(self.trigger_activate() == SUCCESS)

    def wind_down(self, reason: str) -> None:
        """Stop and clean up from any state; never raises."""
        if self._active:
            self._guarded("stop", lambda: self._stop(reason))
            self._active = False
        self._clean()

    def post(self, work: Callable[[], None]) -> None:
        """Run ``work`` in the executor's thread soon; for worker threads. Dropped when not spun."""
        executor = self.executor
        if executor is not None:
            executor.create_task(self._guarded, "posted call", work)

    # Transitions.

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        del state
        self.failure = None
        if self._guarded("configure", self._setup):
            return SUCCESS
        self._clean()
        return FAILURE

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        result = super().on_activate(state)
        if result == SUCCESS and self._guarded("activate", self._start):
            self._active = True
            self.get_logger().info("ready")
            return SUCCESS
        return FAILURE

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._active = False
        self._guarded("stop", lambda: self._stop("deactivated"))
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        del state
        self._clean()
        return SUCCESS

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        del state
        self.wind_down("shut down")
        return SUCCESS

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        del state
        self.wind_down("error")
        return SUCCESS

    def _clean(self) -> None:
        self._guarded("teardown", self._teardown)
        for entity in self._entities():
            if entity not in self._base_entities:
                self._guarded("teardown", lambda entity=entity: self._destroy(entity))  # type: ignore[misc]

    def _guarded(self, doing: str, work: Callable[[], None]) -> bool:
        """Exceptions of transitions are swallowed by rclpy: log them here, with traceback."""
        try:
            work()
        except Exception as error:
            self.failure = error
            self.get_logger().error(f"{doing} failed: {memory.explained(error)}")
            if not isinstance(error, RoboRewardError):  # nobody expected it: say where it was
                self.get_logger().error(traceback.format_exc())
            return False
        return True

    def _entities(self) -> list[object]:
        return [
            *self.publishers,
            *self.subscriptions,
            *self.clients,
            *self.services,
            *self.timers,
            *self.guards,
            *self.waitables,
        ]

    def _destroy(self, entity: object) -> None:
        if isinstance(entity, (ActionServer, ActionClient)):
            entity.destroy()
            return
        for kind in ("publisher", "subscription", "client", "service", "timer"):
            if entity in getattr(self, f"{kind}s"):
                getattr(self, f"destroy_{kind}")(entity)
                return
        if entity in self.guards:
            self.destroy_guard_condition(entity)

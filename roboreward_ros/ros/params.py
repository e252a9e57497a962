# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""ROS parameters from a frozen dataclass and back: the dataclass is the one description.

A field's metadata may hold ``help`` (shown by ``ros2 param describe``) and ``runtime: True``
(changeable while the node runs; all others are read-only). ``__post_init__`` is the validator of
YAML, command line and runtime changes alike.
"""

from __future__ import annotations

import dataclasses
import difflib
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar, get_args, get_origin, get_type_hints

from rcl_interfaces.msg import ParameterDescriptor, SetParametersResult
from rclpy.parameter import Parameter

from roboreward_ros.errors import ConfigError, RoboRewardError

if TYPE_CHECKING:
    from rclpy.node import Node

Value = bool | int | float | str | tuple[str, ...] | tuple[float, ...] | tuple[int, ...]

_FOREIGN_PREFIXES = ("qos_overrides.", "use_sim_time", "start_type_description_service")


@dataclass(frozen=True, slots=True)
class HostConfig:
    """Parameters of every node.

    Attributes:
        autostart: configure and activate without being asked.
        run_dir: folder of the run.
        exit_with_launcher: stop cleanly when the process that started this one is gone.
    """

    autostart: bool = dataclasses.field(
        default=True, metadata={"help": "configure and activate without being asked"}
    )
    run_dir: str = dataclasses.field(
        default="runs/dsrl_widowx", metadata={"help": "folder of the run"}
    )
    exit_with_launcher: bool = dataclasses.field(
        default=False, metadata={"help": "stop when the process that started this one is gone"}
    )

    def __post_init__(self) -> None:
        if not self.run_dir:
            raise ConfigError("run_dir is empty", allowed="a folder, such as runs/first")


OptionT = TypeVar("OptionT")


def option(default: OptionT, text: str, *, runtime: bool = False) -> OptionT:
    """A documented field of a node's configuration; annotate the field with its type."""
    value: OptionT = dataclasses.field(default=default, metadata={"help": text, "runtime": runtime})
    return value


ConfigT = TypeVar("ConfigT", bound=HostConfig)
OnChange = Callable[[ConfigT, ConfigT], None]


class Parameters(Generic[ConfigT]):
    """The parameters of one node, always a valid configuration.

    Args:
        node: whose parameters.
        config_type: frozen dataclass of scalars and tuples of scalars, all with defaults.
        on_change: gets (old, new) before a runtime change is taken over; may refuse it by
            raising a RoboRewardError; must have no side effect other than noting the wish.

    Raises:
        ConfigError: a value or a name in the node's parameter files is not acceptable.
    """

    def __init__(
        self, node: Node, config_type: type[ConfigT], on_change: OnChange[ConfigT] | None = None
    ) -> None:
        self._node = node
        self._type = config_type
        self._on_change = on_change
        self._lock = threading.Lock()
        self._kinds = get_type_hints(config_type)
        self._fields = {field.name: field for field in dataclasses.fields(config_type)}
        _refuse_unknown(node, self._fields)
        given = {name: self._declare(field) for name, field in self._fields.items()}
        self._config = config_type(**given)  # type: ignore[arg-type]
        node.add_on_set_parameters_callback(self._on_set)

    @property
    def config(self) -> ConfigT:
        """The configuration in force."""
        with self._lock:
            return self._config

    def _declare(self, field: dataclasses.Field[Value]) -> Value:
        descriptor = ParameterDescriptor(
            description=str(field.metadata.get("help", "")),
            read_only=not field.metadata.get("runtime", False),
            # Our own check accepts "5" for 5.0 and says what is allowed; rclpy's does neither.
            dynamic_typing=True,
        )
        default = field.default
        assert default is not dataclasses.MISSING, f"{field.name} needs a default"
        start = list(default) if isinstance(default, tuple) else default
        value = self._node.declare_parameter(field.name, start, descriptor).value
        return self._converted(field.name, value)

    def _converted(self, name: str, value: object) -> Value:
        kind = self._kinds[name]
        if get_origin(kind) is tuple:
            item = get_args(kind)[0]
            if isinstance(value, (str, bytes)) or not isinstance(value, Sequence):
                raise ConfigError(
                    f"parameter {name} has the wrong type",
                    got=value,
                    allowed=f"a list of {item.__name__}",
                )
            return tuple(_scalar(name, one, item) for one in value)  # type: ignore[return-value]
        return _scalar(name, value, kind)

    def _on_set(self, changes: list[Parameter]) -> SetParametersResult:
        ours = [change for change in changes if change.name in self._fields]
        if not ours:
            return SetParametersResult(successful=True)
        try:
            values = {change.name: self._converted(change.name, change.value) for change in ours}
            old = self.config
            new = dataclasses.replace(old, **values)  # type: ignore[arg-type]
            if self._on_change is not None:
                self._on_change(old, new)
        except RoboRewardError as error:
            return SetParametersResult(successful=False, reason=str(error))
        with self._lock:
            self._config = new
        return SetParametersResult(successful=True)


def _scalar(name: str, value: object, kind: type) -> bool | int | float | str:
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if kind in (bool, int, float, str) and type(value) is kind:
        return value
    raise ConfigError(
        f"parameter {name} has the wrong type",
        got=f"{value!r} ({type(value).__name__})",
        allowed=kind.__name__,
    )


def _refuse_unknown(node: Node, fields: dict[str, dataclasses.Field[Value]]) -> None:
    """A misspelt key of a parameter file would otherwise be silently inert."""
    overrides: dict[str, Parameter] = getattr(node, "_parameter_overrides", {})
    for name in sorted(overrides):
        if name in fields or name.startswith(_FOREIGN_PREFIXES):
            continue
        close = difflib.get_close_matches(name, fields, n=1)
        raise ConfigError(
            f"unknown parameter of {node.get_name()}",
            got=name,
            allowed=sorted(fields),
            next_step=f"Did you mean {close[0]}?" if close else None,
        )

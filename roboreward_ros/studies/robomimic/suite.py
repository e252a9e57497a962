# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""robosuite's environments as a bench of studies: states out, actions in, the truth beside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

import numpy as np

from roboreward_ros.errors import ConfigError, FormatError, SimulationError
from roboreward_ros.studies.robomimic.data import EnvKwargs, SuiteData
from roboreward_ros.studies.robomimic.tasks import CONTROL_HZ, STATE_KEYS, SuiteTask, judge
from roboreward_ros.types import FloatArray, GroundTruth

if TYPE_CHECKING:
    import robosuite

_LIFT_M = 0.04  # robosuite's Lift succeeds so high over the table
_CUBE_M = 0.021  # half of its side, on the mean
_SAME = 1e-3
_QUIET = {
    "has_renderer": False,
    "has_offscreen_renderer": False,
    "use_camera_obs": False,
    "use_object_obs": True,
    "ignore_done": True,
    "reward_shaping": False,
}


class World(Protocol):
    """What lanes need of an environment."""

    def reset(self, seed: int) -> FloatArray:
        """Lay the scene out; returns the state ``[S]``."""

    def step(self, action: FloatArray) -> FloatArray:
        """One control period of an action ``[7]``; returns the state ``[S]``."""

    def truth(self) -> GroundTruth:
        """What the present state is worth."""

    def close(self) -> None:
        """Free it; idempotent."""


class Suite:
    """One robosuite environment.

    Args:
        task: which.
        env_kwargs: of the data, so that controller and rate are those of the demonstrations.

    Raises:
        ConfigError: robosuite is not installed, or cannot make this environment.
    """

    def __init__(self, task: SuiteTask, env_kwargs: EnvKwargs) -> None:
        self.task = task
        self._env = _make(task, env_kwargs)
        observed = self._env.reset()
        missing = [key for key in (*_live_keys(), task.thing) if key not in observed]
        if missing:
            raise ConfigError("robosuite does not observe what is needed", got=missing)
        self.place = _find(self._state(observed), np.asarray(observed[task.thing]))
        self.goal = self._goal()
        self._start = np.zeros(3)
        self._now = np.zeros(3)

    def reset(self, seed: int) -> FloatArray:
        """See ``World``."""
        # The samplers of places hold this very generator.
        self._env.rng.bit_generator.state = np.random.default_rng(seed).bit_generator.state
        state = self._state(self._env.reset())
        self._now = state[self.place]
        self._start = self.resting(self._now)
        return state

    def step(self, action: FloatArray) -> FloatArray:
        """See ``World``.

        Raises:
            SimulationError: the physics diverged.
        """
        state = self._state(self._env.step(np.clip(action, -1.0, 1.0))[0])
        if not np.isfinite(state).all():
            raise SimulationError("robosuite's physics diverged", got=self.task.spec.key)
        self._now = state[self.place]
        return state

    def truth(self) -> GroundTruth:
        """See ``World``."""
        return judge(self._start, self._now, self.goal, bool(self._env._check_success()))

    def resting(self, place: FloatArray) -> FloatArray:
        """Where a thing comes to lie that robosuite laid at ``place``: the cube drops a little."""
        if self.task.env_name != "Lift":
            return place
        return np.array([*place[:2], self.goal[2] - _LIFT_M + _CUBE_M])

    def close(self) -> None:
        """See ``World``."""
        self._env.close()

    def check(self, data: SuiteData) -> None:
        """Whether this robosuite observes what the data's robosuite observed.

        Raises:
            FormatError: not the same numbers for the same simulator state.
        """
        demo = data.demos[0]
        advice = "Take the robosuite of the data, or extract its observations again with yours."
        try:
            self._env.sim.set_state_from_flattened(demo.simulator)
        except (ValueError, AssertionError) as error:
            raise FormatError(
                "the data's simulator is another one", got=f"{data.path}: {error}", next_step=advice
            ) from error
        self._env.sim.forward()
        state = self._state(self._env._get_observations(force_update=True))
        if state.shape != demo.states[0].shape:
            raise FormatError(
                "states of another length",
                got=f"{data.path}: {len(demo.states[0])}",
                allowed=str(len(state)),
                next_step=advice,
            )
        apart = np.abs(state - demo.states[0])
        if float(apart.max()) > _SAME:
            raise FormatError(
                "the same simulator state is observed differently here",
                got=f"{data.path}: numbers {np.flatnonzero(apart > _SAME).tolist()} of a state",
                next_step=advice,
            )

    def _state(self, observed: Mapping[str, FloatArray]) -> FloatArray:
        parts = [np.asarray(observed[key], dtype=np.float64) for key in _live_keys()]
        return np.concatenate(parts)

    def _goal(self) -> FloatArray:
        env, free = self._env, np.nan
        if self.task.env_name == "Lift":
            return np.array([free, free, env.model.mujoco_arena.table_offset[2] + _LIFT_M])
        if self.task.env_name == "PickPlaceCan":
            bin_xy = env.target_bin_placements[env.object_to_id["can"]][:2]
            return np.array([*bin_xy, free])
        return np.array([*env.sim.data.body_xpos[env.peg1_body_id][:2], free])


def _live_keys() -> tuple[str, ...]:
    """Robomimic calls robosuite's ``object-state`` ``object``."""
    return tuple("object-state" if key == "object" else key for key in STATE_KEYS)


def _find(state: FloatArray, part: FloatArray) -> slice:
    """Where ``part`` stands in ``state``."""
    for k in range(len(state) - len(part), -1, -1):
        if np.array_equal(state[k : k + len(part)], part):
            return slice(k, k + len(part))
    raise ConfigError("the thing's place is not part of robosuite's object state", got=part)


def _make(task: SuiteTask, env_kwargs: EnvKwargs) -> robosuite.environments.base.MujocoEnv:
    try:
        import robosuite
        from robosuite.controllers.composite import composite_controller_factory as factory
    except ImportError as error:
        raise ConfigError(
            "robosuite is not installed here",
            got=str(error),
            next_step='pip install "robosuite>=1.5" "mujoco<3.4" into an environment of its own; '
            "the twin's tasks need nothing.",
        ) from error
    kwargs = {**env_kwargs, **_QUIET}
    for name in ("camera_names", "camera_heights", "camera_widths", "camera_depths"):
        kwargs.pop(name, None)
    robots = kwargs.get("robots", "Panda")
    robot = robots[0] if isinstance(robots, list) else robots
    controller = kwargs.get("controller_configs")
    if isinstance(controller, dict):  # the form before robosuite 1.5 has no parts
        kwargs["controller_configs"] = factory.refactor_composite_controller_config(
            controller, robot, ["right"]
        )
    if kwargs.setdefault("control_freq", int(CONTROL_HZ)) != CONTROL_HZ:
        raise ConfigError("another control rate", got=kwargs["control_freq"], allowed=CONTROL_HZ)
    try:
        return robosuite.make(task.env_name, **kwargs)
    except (TypeError, ValueError, AssertionError, KeyError) as error:
        raise ConfigError(
            "robosuite cannot make the data's environment",
            got=f"{task.env_name}: {type(error).__name__} {error}",
            next_step="robosuite 1.5 wants mujoco below 3.4.",
        ) from error

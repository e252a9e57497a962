# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Fine-tunes reward models on request: serves ``train_reward_model``, one goal at a time.

Usage::

    python -m roboreward_ros.nodes.reward_trainer_node --ros-args -p data:=DIR -p model:=FOLDER

A goal names a recipe and a folder. The training itself is ``roboreward reward train`` in a process
of its own (with ``accelerate_config``, in several), so that nothing of it takes the node along. A
cancelled, stopped or killed training goes on when a goal with the same folder comes. With
``train_at_start`` the parameters are the first goal, and the node ends with it.
"""

from __future__ import annotations

import dataclasses
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from rclpy.action import ActionClient
from rclpy.task import Future

from roboreward_ros.action import TrainRewardModel
from roboreward_ros.errors import ConfigError, FormatError
from roboreward_ros.files import config_folders
from roboreward_ros.reward_training.finetune.child import Report, Request, Training
from roboreward_ros.reward_training.finetune.material import read_tables
from roboreward_ros.reward_training.finetune.recipe import FinetuneConfig, load_finetune
from roboreward_ros.ros.diagnostics import Diagnostics, Health, Level
from roboreward_ros.ros.lifecycle import HostNode
from roboreward_ros.ros.params import HostConfig, option
from roboreward_ros.ros.spin import run
from roboreward_ros.ros.work import Goal, WorkServer

STOP_S = 130.0
"""A stopping node waits so long for a training to end its step and save."""
Result: TypeAlias = TrainRewardModel.Result


@dataclass(frozen=True, slots=True)
class RewardTrainerConfig(HostConfig):
    """Parameters of reward_trainer_node; help texts are the fields' metadata."""

    run_dir: str = option("runs/rewards/tuned", "folder of a training whose goal names none")
    recipe: str = option("tune_small", "recipe of a goal that names none: file or name")
    model: str = option("", "model to begin with, over the recipe's: folder or Hub id")
    revision: str = option("", "full commit hash of a Hub id")
    data: str = option("", "labelled videos, over the recipe's: folder with train and val")
    accelerate_config: str = option("", "several processes: configuration of accelerate")
    keep_going: bool = option(False, "leave bad rows and videos out, by name")
    train_at_start: bool = option(False, "train by these parameters, then end")


class RewardTrainerNode(HostNode[RewardTrainerConfig]):
    """See the module's text."""

    def __init__(self, **arguments: object) -> None:
        super().__init__("reward_trainer_node", RewardTrainerConfig, **arguments)  # type: ignore[arg-type]
        self._server: WorkServer[TrainRewardModel.Goal, Result] | None = None
        self._lock = threading.Lock()
        self._training: Training | None = None
        self._report = Report()

    def _setup(self) -> None:
        self._server = WorkServer(
            self,
            TrainRewardModel,
            "train_reward_model",
            self._train,
            on_cancel=lambda _: self._end(),
        )
        self._client = ActionClient(self, TrainRewardModel, "train_reward_model")
        Diagnostics(self, {"training": self._health})

    def _start(self) -> None:
        if self.config.train_at_start:
            # Behind the transition: goals are refused until the node is active.
            self._timer = self.create_timer(0.1, self._begin)

    def _stop(self, reason: str) -> None:
        del reason
        if self._server is not None:
            self._server.end_all(timeout_s=STOP_S)

    def _teardown(self) -> None:
        if self._server is not None:
            self._server.close(STOP_S)
        self._server = None

    def _begin(self) -> None:
        if not self._client.server_is_ready():
            return
        self._timer.cancel()
        sent = self._client.send_goal_async(TrainRewardModel.Goal())
        sent.add_done_callback(self._begun)

    def _begun(self, sent: Future) -> None:
        handle = sent.result()
        if not handle.accepted:
            self.stop.set("the training was refused", code=1)
            return
        handle.get_result_async().add_done_callback(self._ended)

    def _ended(self, answer: Future) -> None:
        result = answer.result().result
        if result.error_code:
            self.stop.set(result.error_msg, code=1)
        else:
            self.stop.set(f"the reward model is in {result.checkpoint}")

    # In the worker's thread.

    def _train(self, goal: Goal[TrainRewardModel.Goal]) -> Result:
        config = self.config
        recipe = goal.request.config or config.recipe
        out = Path(goal.request.output_dir or config.run_dir)
        try:
            path = _recipe_path(recipe)
            _check(load_finetune(path), config)
        except ConfigError as error:
            return Result(error_code=Result.BAD_CONFIG, error_msg=str(error))
        except _NoDataError as error:
            return Result(error_code=Result.NO_DATA, error_msg=str(error))
        request = Request(
            str(path),
            out,
            config.model,
            config.revision,
            config.data,
            config.accelerate_config,
            config.keep_going,
        )
        training = Training(request, lambda report: self._heard(goal, report))
        with self._lock:
            self._training = training
        if goal.cancel_reason:
            training.stop()
        try:
            last = training.run()
        finally:
            with self._lock:
                self._training, self._report = None, Report()
        result = Result(
            checkpoint=last.checkpoint,
            best_validation_mae=float(last.best),
            optimizer_steps=last.done,
        )
        if last.checkpoint:
            self.get_logger().info(f"reward model in {last.checkpoint}, MAE {last.best:.3f}")
            return result
        result.error_msg = f"stopped at step {last.done}; the same goal goes on from there"
        return goal.canceled(result)

    def _heard(self, goal: Goal[TrainRewardModel.Goal], report: Report) -> None:
        with self._lock:
            self._report = report
        steps = report.stage in ("training", "done")
        goal.feedback(
            TrainRewardModel.Feedback(
                optimizer_step=report.done if steps else 0,
                total_steps=report.total if steps else 0,
                loss=float(report.loss),
                validation_mae=float(report.best),
            )
        )

    def _end(self) -> None:
        with self._lock:
            if self._training is not None:
                self._training.stop()

    def _health(self) -> Health:
        with self._lock:
            report, busy = self._report, self._training is not None
        if not busy:
            return Health(Level.OK, "idle")
        values = {"done": report.done, "total": report.total, "loss": report.loss}
        return Health(Level.OK, report.stage or "starting", values)


class _NoDataError(FormatError):
    """There is nothing to learn from."""


def _recipe_path(name: str) -> Path:
    if name.endswith((".yaml", ".yml")):
        return Path(name)
    places = [folder / f"{name}.yaml" for folder in config_folders("reward_training")]
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        raise ConfigError("unknown recipe", got=name, allowed="a file, or a shipped name")
    return found


def _check(recipe: FinetuneConfig, config: RewardTrainerConfig) -> None:
    """What can be said before a process is started.

    Raises:
        ConfigError: there is no model.
        _NoDataError: there are no labelled videos, or bad rows.
    """
    if not (config.model or recipe.model):
        raise ConfigError("there is no model to begin with", next_step="Set model.")
    data = config.data or recipe.data
    if not data:
        raise _NoDataError("there are no labelled videos to learn from", next_step="Set data.")
    try:
        read_tables(dataclasses.replace(recipe, data=data), keep_going=config.keep_going)
    except (ConfigError, FormatError) as error:
        raise _NoDataError(str(error)) from None


def main() -> int:
    return run(RewardTrainerNode)


if __name__ == "__main__":
    raise SystemExit(main())

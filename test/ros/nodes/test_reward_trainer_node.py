# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""reward_trainer_node: progress, cancel, resume, refusals; the training is a real one in small."""

import json
from pathlib import Path

import pytest
from action_msgs.msg import GoalStatus
from rclpy.action import ActionClient
from roboreward_ros.action import TrainRewardModel

from roboreward_ros.nodes.reward_trainer_node import RewardTrainerNode
from roboreward_ros.testing.grey_video import write_video
from roboreward_ros.testing.tiny_vlm import TinySize, make_tiny_vlm

pytestmark = [pytest.mark.ros, pytest.mark.timeout(400)]
DEADLINE_S = 150.0  # a process that loads torch and transformers on a busy machine
RECIPE = """
optimisation: {{lr: 1.0e-3, batch: 1, epochs: 0, steps: {steps}}}
options: {{frame_pixels: 1024, max_frames: 4}}
watch: {{validate_every: {every}, save_every: 100000, tracker: none}}
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for split in ("train", "val"):
        folder = tmp_path / "data" / split
        folder.mkdir(parents=True)
        write_video(folder / "a.mp4", 20 if split == "train" else 24)
        row = {"file_name": "a.mp4", "task": "open the drawer", "reward": 4}
        (folder / "metadata.jsonl").write_text(json.dumps(row) + "\n")
    return tmp_path / "data"


def recipe(folder: Path, name: str, steps: int, every: int) -> str:
    path = folder / f"{name}.yaml"
    path.write_text(RECIPE.format(steps=steps, every=every))
    return str(path)


def test_a_training_reports_is_cancelled_and_goes_on(ros, tmp_path, data):
    size = TinySize(hidden=32, layers=1, vision_layers=1)
    model = make_tiny_vlm(tmp_path / "base", size=size)
    parameters = {"model": str(model), "data": str(data), "run_dir": str(tmp_path / "unused")}
    node = ros.add(RewardTrainerNode(context=ros.context, parameters=parameters))
    assert node.bring_up(), node.failure
    client = ActionClient(ros.node(), TrainRewardModel, "train_reward_model")
    heard = []
    out = tmp_path / "out"
    # Endless, so that the cancel comes in its middle whatever the machine's load.
    goal = TrainRewardModel.Goal(
        config=recipe(tmp_path, "long", 1_000_000, 1_000_000), output_dir=str(out)
    )
    handle = ros.send(client, goal, lambda message: heard.append(message.feedback))
    ros.spin_until(lambda: any(f.optimizer_step >= 2 for f in heard), "steps", DEADLINE_S)
    assert heard[-1].total_steps == 1_000_000
    assert heard[-1].loss > 0
    ros.spin_future(handle.cancel_goal_async())
    waiting = handle.get_result_async()
    ros.spin_until(waiting.done, "the cancelled result", DEADLINE_S)
    answer = waiting.result()
    assert answer.status == GoalStatus.STATUS_CANCELED
    reached = answer.result.optimizer_steps
    assert reached >= 2
    assert "goes on" in answer.result.error_msg
    assert (out / "training" / "state.pt").is_file()
    log = [json.loads(line) for line in (out / "training" / "log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in log] == list(range(1, reached + 1))
    # The same goal goes on behind the last step; cancelled again at once it keeps what it has.
    heard.clear()
    handle = ros.send(client, goal, lambda message: heard.append(message.feedback))
    ros.spin_until(lambda: any(f.optimizer_step for f in heard), "steps", DEADLINE_S)
    assert next(f.optimizer_step for f in heard if f.optimizer_step) > reached
    ros.spin_future(handle.cancel_goal_async())
    waiting = handle.get_result_async()
    ros.spin_until(waiting.done, "the cancelled result", DEADLINE_S)
    assert waiting.result().result.optimizer_steps > reached


def test_what_cannot_be_trained_is_refused_with_a_reason(ros, tmp_path, data):
    node = ros.add(RewardTrainerNode(context=ros.context, parameters={"model": "anything"}))
    assert node.bring_up(), node.failure
    client = ActionClient(ros.node(), TrainRewardModel, "train_reward_model")

    def ask(config: str) -> TrainRewardModel.Result:
        goal = TrainRewardModel.Goal(config=config, output_dir=str(tmp_path / "out"))
        return ros.result(ros.send(client, goal)).result

    wrong = ask(str(tmp_path / "nothing.yaml"))
    assert wrong.error_code == TrainRewardModel.Result.BAD_CONFIG
    unknown = ask("no_such_recipe")
    assert unknown.error_code == TrainRewardModel.Result.BAD_CONFIG
    empty = ask(recipe(tmp_path, "empty", 1, 1))
    assert empty.error_code == TrainRewardModel.Result.NO_DATA
    assert "labelled videos" in empty.error_msg


def test_by_parameters_it_trains_publishes_and_ends(ros, tmp_path, data):
    size = TinySize(hidden=32, layers=1, vision_layers=1)
    model = make_tiny_vlm(tmp_path / "base", size=size)
    parameters = {
        "model": str(model),
        "data": str(data),
        "run_dir": str(tmp_path / "tuned"),
        "recipe": recipe(tmp_path, "short", 2, 1),
        "train_at_start": True,
    }
    node = ros.add(RewardTrainerNode(context=ros.context, parameters=parameters))
    assert node.bring_up(), node.failure
    ros.spin_until(lambda: bool(node.stop), "the end", DEADLINE_S)
    assert node.stop.code == 0, node.stop.reason
    assert (tmp_path / "tuned" / "model" / "training.json").is_file()

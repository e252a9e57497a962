# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From launch arguments to command lines: the front end only translates."""

import importlib
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml

from roboreward_ros.cli import preflight as checks
from roboreward_ros.cli.launch import child_of, run_dir_lock, write_parameters
from roboreward_ros.cli.main import main
from roboreward_ros.cli.preflight import preflight
from roboreward_ros.dsrl.config import load_profile
from roboreward_ros.dsrl.noise_record import FormResult, Place, keep_results, untrained_actor
from roboreward_ros.errors import ConfigError, FormatError, StackError, StoreError
from roboreward_ros.sim.tasks import TASKS
from roboreward_ros.stack import StackArguments, describe


def describe_policy(
    folder: Path, policy_id: str = "p1", tasks: Sequence[str] = [t.sentence for t in TASKS]
) -> None:
    description = {"tasks": list(tasks), "network": {"prediction_horizon": 4}}
    content = {"policy_id": policy_id, "description": description}
    (folder / "policy.json").write_text(json.dumps(content))


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    folder = tmp_path / "policy"
    folder.mkdir()
    describe_policy(folder)
    (folder / "policy.safetensors").write_bytes(b"")
    return folder


@pytest.fixture
def given(tmp_path: Path, policy: Path) -> dict[str, str]:
    return {"sim": "true", "run_dir": str(tmp_path / "run"), "policy": str(policy)}


def test_a_nodes_process_carries_its_name_namespace_and_parameters(tmp_path: Path) -> None:
    stack = describe(StackArguments(sim=True, namespace="arm1", episodes=3), 'say: "no"')
    node = stack.node("session_node")
    parameters = write_parameters(node, tmp_path)
    command = child_of(node, parameters).command
    assert command[:3] == (sys.executable, "-m", "roboreward_ros.nodes.session_node")
    assert "__ns:=/arm1" in command
    assert command[-1] == str(parameters)
    content = yaml.safe_load(parameters.read_text())
    assert content == {"/**": {"ros__parameters": dict(node.parameters)}}
    assert content["/**"]["ros__parameters"]["task"] == 'say: "no"'


@pytest.mark.ros
def test_every_node_that_is_started_exists_and_takes_its_parameters() -> None:
    from roboreward_ros.ros.params import HostConfig

    arm = StackArguments(task="t", policy="p", reward="human", camera="film.mp4")
    for arguments in (StackArguments(sim=True, episodes=3), arm):
        for process in describe(arguments, "t").nodes:
            found = vars(importlib.import_module(process.module)).values()
            kinds = [kind for kind in found if isinstance(kind, type)]
            own = {kind for kind in kinds if kind.__module__ == process.module}
            (config,) = (kind for kind in own if issubclass(kind, HostConfig))
            config(**process.parameters)


def test_a_run_that_passes_is_described_and_noted(given: dict[str, str], tmp_path: Path) -> None:
    stack = preflight(given, probe_domain=False)
    assert stack.arguments.task == TASKS[0].sentence
    assert Path(stack.arguments.run_dir).is_absolute()
    noted = json.loads((tmp_path / "run" / "run.json").read_text())["config"]
    assert noted["task"] == TASKS[0].sentence
    assert noted["sim"] is True


def test_a_tasks_key_stands_for_its_sentence(given: dict[str, str]) -> None:
    stack = preflight({**given, "task": TASKS[1].key}, probe_domain=False)
    assert stack.arguments.task == TASKS[1].sentence


def test_a_resume_keeps_what_is_not_given_anew(given: dict[str, str]) -> None:
    task = TASKS[1].sentence
    preflight({**given, "task": task, "episodes": "5", "seed": "4"}, probe_domain=False)
    again = preflight({"run_dir": given["run_dir"], "episodes": "9"}, probe_domain=False)
    assert again.arguments.sim
    assert (again.arguments.task, again.arguments.seed) == (task, 4)
    assert again.arguments.episodes == 9


def test_a_profile_of_progress_needs_a_value_for_every_step(given: dict[str, str]) -> None:
    asked = {**given, "reward": "ground_truth", "profile": "progress"}
    with pytest.raises(StackError, match="source 'ground_truth' gives no value for every step"):
        preflight(asked, probe_domain=False)
    preflight({**asked, "reward_options": '{"form": "progress"}'}, probe_domain=False)


def test_another_reward_on_a_resume_drops_the_first_ones_options(given: dict[str, str]) -> None:
    own = {k: v for k, v in given.items() if k != "reward"}
    first = preflight(own, probe_domain=False).arguments
    assert "twin_small" in first.reward_options
    assert preflight(own, probe_domain=False).arguments == first
    again = preflight({**own, "reward": "ground_truth"}, probe_domain=False).arguments
    assert (again.reward, again.reward_options) == ("ground_truth", "")


def test_a_lock_step_run_of_the_twin_says_what_keeps_it_from_the_arm(given: dict[str, str]) -> None:
    preflight({**given, "speed": "max"}, probe_domain=False)
    preflight({"run_dir": given["run_dir"], "speed": "max"}, probe_domain=False)
    with pytest.raises(ConfigError, match="do not mix"):
        preflight({"run_dir": given["run_dir"], "sim": "false"}, probe_domain=False)


@pytest.mark.parametrize("change", [{"task": TASKS[1].sentence}, {"sim": "false"}, {"seed": "3"}])
def test_a_resume_refuses_to_become_another_run(
    given: dict[str, str], change: dict[str, str]
) -> None:
    preflight(given, probe_domain=False)
    with pytest.raises((ConfigError, StackError), match=next(iter(change))):
        preflight({**given, **change}, probe_domain=False)


def test_a_resume_refuses_a_retrained_policy_of_the_same_name(
    given: dict[str, str], policy: Path
) -> None:
    preflight(given, probe_domain=False)
    describe_policy(policy, policy_id="p2")
    with pytest.raises(ConfigError, match="another policy"):
        preflight(given, probe_domain=False)
    describe_policy(policy)
    preflight(given, probe_domain=False)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"task": "fly to the moon"}, TASKS[0].sentence),
        ({"reward": "horoscope"}, "ground_truth"),
        ({"policy": "/nowhere"}, "policy.json"),
        ({"profile": "nonsense"}, "widowx"),
        ({"robot": "nonsense"}, "wx250s"),
        ({"demonstrations": "/nope"}, "there is no such run"),
        ({"demonstrations": "."}, "the one that holds episodes/"),
        ({"console_address": "0.0.0.0"}, "console_token:=FILE"),
        ({"console_token": "/nope"}, "the console's token cannot be read"),
        ({"device": "cuda:1"}, "cpu, cuda:0"),
    ],
)
def test_what_is_missing_is_named_with_what_is_allowed(
    given: dict[str, str],
    change: dict[str, str],
    named: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one_gpu = tmp_path / "python"
    one_gpu.write_text("#!/bin/sh\necho 2.13.0+cu130 1\n")
    one_gpu.chmod(0o755)
    monkeypatch.setattr(checks.sys, "executable", str(one_gpu))
    with pytest.raises(StackError) as missing:
        preflight({**given, **change}, probe_domain=False)
    assert next(iter(change)).partition("_")[0] in str(missing.value)
    assert named in str(missing.value)
    assert not Path(given["run_dir"]).exists(), "nothing is left behind"


def test_a_profile_that_is_another_policy_from_the_start_must_be_measured(
    given: dict[str, str], policy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    name = "reference_pi0_real"
    wanted = {**given, "profile": name}
    with pytest.raises(StackError, match=r"profile: noise 'repeat'.*roboreward study noise"):
        preflight(wanted, probe_domain=False)
    assert not Path(given["run_dir"]).exists(), "nothing is left behind"
    actor = untrained_actor(load_profile(name), "p1", 4)
    task = TASKS[0].sentence
    for won, words in ((0, "kills"), (18, "")):
        mine = FormResult.of(actor, task, Place.TWIN, (won, 20), (18, 20))
        keep_results(str(policy), [mine])
        if words:
            with pytest.raises(StackError, match=words):
                preflight(wanted, probe_domain=False)
    preflight(wanted, probe_domain=False)
    with pytest.raises(StackError, match="nobody measured"):
        preflight({**wanted, "task": TASKS[1].sentence}, probe_domain=False)


def test_without_a_page_nobody_asks_for_its_token(given: dict[str, str]) -> None:
    preflight({**given, "console": "false", "console_address": "0.0.0.0"}, probe_domain=False)


def test_a_resume_that_is_refused_leaves_the_run_as_it_was(given: dict[str, str]) -> None:
    preflight(given, probe_domain=False)
    stored = (Path(given["run_dir"]) / "run.json").read_bytes()
    with pytest.raises(StackError, match="demonstrations"):
        preflight({**given, "demonstrations": "/nope"}, probe_domain=False)
    assert (Path(given["run_dir"]) / "run.json").read_bytes() == stored
    preflight(given, probe_domain=False)


def test_everything_that_is_missing_is_listed_at_once(given: dict[str, str]) -> None:
    with pytest.raises(StackError, match="4 things are missing") as missing:
        preflight(
            {**given, "task": "fly", "reward": "horoscope", "profile": "none"}, probe_domain=False
        )
    assert [line.split(":")[0].strip() for line in str(missing.value).splitlines()[1:]] == [
        "1. task", "2. reward", "3. policy", "4. profile",
    ]  # fmt: skip


def test_the_real_arm_lists_driver_camera_policy_and_weights(tmp_path: Path) -> None:
    with pytest.raises(StackError) as missing:
        preflight({"run_dir": str(tmp_path), "camera": "/dev/video77"}, probe_domain=False)
    for part in ("driver:", "camera:", "policy:", "weights:"):
        assert part in str(missing.value)


def test_a_policy_that_was_not_trained_on_the_task_is_refused(
    given: dict[str, str], policy: Path
) -> None:
    describe_policy(policy, tasks=["something else"])
    with pytest.raises(StackError, match="not trained on"):
        preflight(given, probe_domain=False)


def test_an_unreadable_run_dir_is_refused(given: dict[str, str], tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.write_text("a file")
    with pytest.raises(StoreError, match="not a folder"):
        preflight(given, probe_domain=False)
    run.unlink()
    run.mkdir()
    (run / "run.json").write_text("{")
    with pytest.raises(FormatError, match=r"run\.json is damaged.*delete it, and launch"):
        preflight(given, probe_domain=False)
    (run / "run.json").unlink()
    (run / "thesis.tex").write_text("years of work")
    with pytest.raises(StoreError, match=r"thesis\.tex"):
        preflight(given, probe_domain=False)
    assert (run / "thesis.tex").read_text() == "years of work"


def test_an_occupied_domain_is_refused(
    given: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def taken(wanted: set[str], environment: object = None) -> set[str]:
        return {"/session_node", "/somebody_else"}

    monkeypatch.setattr(checks, "nodes_in_domain", taken)
    with pytest.raises(StackError, match="occupied by /session_node;"):
        preflight(given)
    preflight({**given, "namespace": "arm2"})


@pytest.mark.parametrize("domain", ["kitchen", "200", "-1"])
def test_a_domain_that_is_none_is_refused(
    given: dict[str, str], monkeypatch: pytest.MonkeyPatch, domain: str
) -> None:
    monkeypatch.setenv("ROS_DOMAIN_ID", domain)
    with pytest.raises(StackError, match=r"ROS_DOMAIN_ID .* allowed: 0\.\.101"):
        preflight(given)


@pytest.mark.parametrize("device", ["tpu", "cuda:", "cuda:x", "CPU"])
def test_a_device_that_torch_does_not_know_is_refused(device: str) -> None:
    with pytest.raises(ConfigError, match=r"device .* allowed: cpu, cuda"):
        StackArguments(device=device)


def test_a_run_that_is_being_made_keeps_its_arguments(given: dict[str, str]) -> None:
    preflight(given, probe_domain=False)
    stored = (Path(given["run_dir"]) / "run.json").read_bytes()
    with (
        run_dir_lock(Path(given["run_dir"])),
        pytest.raises(StackError, match=f"process {os.getpid()} runs the stack"),
    ):
        preflight({**given, "episodes": "77"}, probe_domain=False)
    assert (Path(given["run_dir"]) / "run.json").read_bytes() == stored


def test_two_launches_do_not_share_a_run_dir(tmp_path: Path) -> None:
    with (
        run_dir_lock(tmp_path),
        pytest.raises(StackError, match="another launch is using"),
        run_dir_lock(tmp_path),
    ):
        pass
    with run_dir_lock(tmp_path):
        pass


@pytest.mark.parametrize("words", [["sim=true"], ["epsiodes:=3"], ["sim:=perhaps"]])
def test_bad_arguments_end_with_code_2(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["launch", "dsrl_widowx", *words]) == 2
    assert capsys.readouterr().err.startswith("roboreward launch: ")

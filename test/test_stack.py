# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The stack as plain data: arguments, nodes, restarts."""

import dataclasses

import pytest

from roboreward_ros.errors import ConfigError
from roboreward_ros.restarts import RestartPolicy
from roboreward_ros.stack import (
    TWIN_REWARD_OPTIONS,
    ParameterValue,
    StackArguments,
    describe,
    parse_assignments,
)

PROMISED = {
    "sim": False,
    "robot": "wx250s",
    "task": "",
    "reward": "",
    "policy": "",
    "speed": "realtime",
    "console": True,
    "console_port": 8642,
    "namespace": "",
}
TASK = "open the drawer"


def twin(**given: str) -> StackArguments:
    return StackArguments.from_strings({"sim": "true", **given})


def test_promised_arguments_have_their_promised_defaults() -> None:
    defaults = StackArguments()
    assert {name: getattr(defaults, name) for name in PROMISED} == PROMISED
    assert {"run_dir", "episodes", "seed"} <= set(StackArguments.names())


def test_every_argument_is_documented() -> None:
    assert all(item.metadata["help"] for item in dataclasses.fields(StackArguments))


def test_arguments_are_read_from_text() -> None:
    words = ["sim:=true", "episodes:=12", "run_dir:=/tmp/a:=b", "speed:=max"]
    arguments = StackArguments.from_strings(parse_assignments(words))
    assert arguments == StackArguments(sim=True, episodes=12, run_dir="/tmp/a:=b", speed="max")


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"epsiodes": "3"}, "episodes"),
        ({"sim": "perhaps"}, "true, false"),
        ({"episodes": "many"}, "episodes"),
        ({"episodes": "-1"}, "episodes"),
        ({"sim": "true", "speed": "fast"}, "realtime, max"),
        ({"speed": "max"}, "twin"),
        ({"namespace": "arm one"}, "namespace"),
        ({"console_port": "0"}, "console_port"),
        ({"run_dir": ""}, "run_dir"),
        ({"canary_every": "-2"}, "canary_every .* 0 [(]none[)]"),
        ({"driver": "magic"}, "xs_sdk, interbotix_api, fake"),
    ],
)
def test_a_bad_argument_is_refused_by_name(given: dict[str, str], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        StackArguments.from_strings(given)


@pytest.mark.parametrize("words", [["sim=true"], [":=true"], ["sim:=true", "sim:=false"]])
def test_a_malformed_assignment_is_refused(words: list[str]) -> None:
    with pytest.raises(ConfigError, match=r"sim|name:=value"):
        parse_assignments(words)


def test_the_twin_is_one_process_and_the_arm_two() -> None:
    names = {node.name for node in describe(twin(), TASK).nodes}
    rest = {"recorder_node", "policy_node", "reward_node", "learner_node", "session_node"}
    rest |= {"console_node", "health_node"}
    assert names == rest | {"sim_node"}
    arm = describe(StackArguments(task=TASK, policy="p", reward="human"))
    assert {node.name for node in arm.nodes} == rest | {"robot_node", "camera_node"}


def test_a_run_in_lock_step_is_watched_where_there_is_a_page_to_show_it() -> None:
    def watched(console: str) -> bool:
        nodes = describe(twin(speed="max", console=console), TASK).nodes
        return "health_node" in {node.name for node in nodes}

    assert watched("true")
    assert not watched("false")


def test_arguments_reach_the_nodes_they_are_for() -> None:
    stack = describe(
        twin(speed="max", episodes="7", seed="3", run_dir="/r", namespace="arm1"), TASK
    )
    assert all(node.parameters["run_dir"] == "/r" for node in stack.nodes)
    assert all(node.parameters["exit_with_launcher"] is True for node in stack.nodes)
    assert {node.namespace for node in stack.nodes} == {"/arm1"}
    assert stack.node("sim_node").parameters["speed"] == "max"
    session = stack.node("session_node").parameters
    wanted: dict[str, ParameterValue] = {
        "task": TASK,
        "episodes": 7,
        "seed": 3,
        "wait_for_learner": True,
        "stop_when_done": True,
        "exit_on_fault": True,
    }
    assert {name: session[name] for name in wanted} == wanted
    assert stack.node("policy_node").parameters["policy"] == "demo"


def test_a_realtime_session_never_waits_for_the_learner() -> None:
    session = describe(twin(), TASK).node("session_node").parameters
    assert session["wait_for_learner"] is False
    adapts = {
        speed: describe(twin(speed=speed), TASK).node("learner_node").parameters["adapt_updates"]
        for speed in ("realtime", "max")
    }
    assert adapts == {"realtime": True, "max": False}, "at max a run must not depend on time"
    assert session["stop_when_done"] is False
    assert session["exit_on_fault"] is False, "a person can mend it"


def test_the_twin_is_judged_by_the_shipped_model_and_says_so() -> None:
    stack = describe(twin(), TASK)
    reward = stack.node("reward_node").parameters
    assert (reward["source"], reward["source_options"]) == ("roboreward", TWIN_REWARD_OPTIONS)
    assert any("shipped" in note and "ground_truth" in note for note in stack.notes)


def test_the_shipped_reward_model_is_for_the_twin_only() -> None:
    arm = describe(StackArguments())
    assert (arm.arguments.reward, arm.arguments.reward_options) == ("roboreward", "")
    assert arm.node("reward_node").parameters["source_options"] == "{}"


def test_a_named_source_gets_the_options_that_were_given() -> None:
    plain = describe(twin(reward="human"), TASK)
    assert plain.node("reward_node").parameters["source_options"] == "{}"
    assert not any("shipped" in note for note in plain.notes)
    own = describe(twin(reward="roboreward", reward_options='{"model": "m"}'), TASK)
    assert own.node("reward_node").parameters["source_options"] == '{"model": "m"}'


def test_the_arm_has_no_default_policy_and_people_reset_it() -> None:
    arm = describe(StackArguments())
    assert arm.arguments.policy == ""
    assert arm.node("session_node").parameters["auto_reset"] is False


@pytest.mark.parametrize(
    ("given", "every"),
    [
        ({"sim": "true"}, 0),
        ({"sim": "true", "speed": "max"}, 0),
        ({"sim": "true", "canary_every": "3"}, 3),
        ({"sim": "false"}, 5),
        ({"sim": "false", "driver": "fake"}, 5),
        ({"sim": "false", "canary_every": "0"}, 0),
        ({"sim": "false", "canary_every": "8"}, 8),
    ],
)
def test_an_arm_compares_with_the_base_policy_unless_it_is_told_not_to(
    given: dict[str, str], every: int
) -> None:
    stack = describe(StackArguments.from_strings(given), TASK)
    assert stack.node("session_node").parameters["canary_every"] == every
    assert stack.arguments.canary_every == every, "what a resume finds in run.json"


def test_only_the_session_ends_the_stack_and_the_arms_owner_stops_last() -> None:
    for arguments in (twin(), StackArguments()):
        nodes = describe(arguments, TASK).nodes
        assert [n.name for n in nodes if n.shutdown_on_exit_zero] == ["session_node"]
        last = max(node.stop_stage for node in nodes)
        owners = {n.name for n in nodes if n.stop_stage == last}
        assert owners in ({"sim_node"}, {"robot_node"})


def test_restarts_back_off_and_end_after_three_in_a_minute() -> None:
    policy = RestartPolicy()
    restarts: list[float] = []
    waits = []
    for now_s in (0.0, 1.0, 2.0):
        wait_s = policy.wait_s(restarts, now_s)
        assert wait_s is not None
        waits.append(wait_s)
        restarts.append(now_s)
    assert waits == sorted(waits)
    assert waits[0] < waits[-1]
    assert policy.wait_s(restarts, 3.0) is None
    assert policy.wait_s(restarts, 60.5) == waits[-1], "the first restart has left the window"
    assert policy.wait_s(restarts, 200.0) == waits[0]

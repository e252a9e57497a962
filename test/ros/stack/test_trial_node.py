# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A blinded comparison over the graph: fake arm and policy, a real recorder, a scripted person."""

import pytest
from ros_fakes import FakeArm, FakePolicy

from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.errors import PersonLeftError
from roboreward_ros.evaluation.arm_trials.book import TrialBook
from roboreward_ros.evaluation.arm_trials.plan import TrialPlan, assign, load_plan, save_plan
from roboreward_ros.evaluation.arm_trials.report import make_report
from roboreward_ros.evaluation.success import Arm
from roboreward_ros.nodes.recorder_node import RecorderNode
from roboreward_ros.nodes.trial_node import TrialNode
from roboreward_ros.ros.dialogue import LEFT_EXIT_CODE
from roboreward_ros.ros.stop import StopSignal

SCENES = ("toy left", "toy right")
VERSION = 4


class Typist:
    """Types the answers; Enter where the arm is to run and s where it is to be judged after that.

    Attributes:
        before_run: called with the number of runs so far.
    """

    def __init__(self, runs=100):
        self.heard = []
        self.runs = runs
        self.ran = 0
        self.before_run = lambda count: None

    def say(self, line):
        self.heard.append(line)

    def ask(self, question):
        self.heard.append(question)
        if "success" in question:
            return "s"
        if self.ran == self.runs:
            raise PersonLeftError
        self.before_run(self.ran)
        self.ran += 1
        return ""


@pytest.fixture
def folder(tmp_path):
    plan = TrialPlan("t", 8, "fake", VERSION, "a" * 64, SCENES, assign(SCENES, 2, 1), 1)
    save_plan(tmp_path, plan)
    return tmp_path


@pytest.fixture
def world(ros, folder):
    """Arm, policy and recorder; starts trial nodes beside them."""
    arm, policy = ros.add(FakeArm(ros.context)), ros.add(FakePolicy(ros.context))
    recorder = RecorderNode(context=ros.context, parameters={"run_dir": str(folder)})
    for node in (arm, policy, ros.add(recorder)):
        assert node.bring_up(), node.failure

    def start(typist):
        node = TrialNode(
            terminal=typist,
            context=ros.context,
            parameters={"run_dir": str(folder), "judge": "ada"},
        )
        node.stop = StopSignal()
        assert ros.add(node).bring_up(), node.failure
        return node

    yield arm, policy, start
    for node in ros.nodes:
        if hasattr(node, "wind_down"):
            node.wind_down("end of test")


def finish(ros, node):
    ros.spin_until(lambda: node.stop, "the end of the comparison")
    node.wind_down("done")
    return node.stop.code


def test_a_comparison_runs_both_policies_in_the_planned_order_and_resumes(ros, folder, world):
    _, policy, start = world
    first = Typist(runs=1)
    assert finish(ros, start(first)) == LEFT_EXIT_CODE
    second = Typist()
    assert finish(ros, start(second)) == 0
    assert (first.ran, second.ran) == (1, 3)
    plan = load_plan(folder)
    assert policy.canaries == [trial.arm is Arm.BASE for trial in plan.trials]
    store = EpisodeStore(folder)
    assert [e.summary.meta.seed for e in store] == [trial.seed for trial in plan.trials]
    assert [e.chunks()[0].policy_version for e in store] == [
        0 if trial.arm is Arm.BASE else VERSION for trial in plan.trials
    ]
    report = make_report(TrialBook(folder, plan, write=False))
    assert [(rate.n, rate.successes) for rate in report.rates] == [(2, 2), (2, 2)]
    assert report.judges == ("ada",)
    assert not any("base" in line or "steered" in line for line in second.heard)


def test_what_goes_wrong_is_void_and_runs_again(ros, folder, world):
    arm, _, start = world

    def trouble(count):
        arm.reset_error = "elbow reports overload" if count == 1 else ""

    typist = Typist()
    typist.before_run = trouble
    assert finish(ros, start(typist)) == 0
    assert typist.ran == 5
    plan = load_plan(folder)
    report = make_report(TrialBook(folder, plan, write=False))
    voids = [reason for rate in report.rates for reason in rate.voids]
    assert len(voids) == 1
    assert "elbow reports overload" in voids[0]
    assert [rate.n for rate in report.rates] == [2, 2]


def test_an_end_in_the_middle_of_a_trial_lets_go_of_it(ros, folder, world):
    arm, _, start = world
    arm.mute_at = 5
    node = start(Typist())
    ros.spin_until(lambda: arm.begun, "a running trial")
    node.wind_down("Ctrl-C")
    book = TrialBook(folder, load_plan(folder), write=False)
    assert book.judged == 0
    assert not book.record(load_plan(folder).trials[0]).voids
    ros.spin_until(lambda: arm.ended, "the arm to be told")


def test_a_folder_without_a_plan_is_refused_by_name(ros, tmp_path):
    node = ros.add(TrialNode(context=ros.context, parameters={"run_dir": str(tmp_path / "none")}))
    assert not node.bring_up()
    assert "no comparison" in str(node.failure)

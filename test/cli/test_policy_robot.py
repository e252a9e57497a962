# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""``policy eval --robot --profile``: a profile's noise on the arm, blinded, without the arm."""

import argparse
import dataclasses
import json

import pytest

from roboreward_ros.cli import policy_robot
from roboreward_ros.cli.main import main
from roboreward_ros.cli.policy_checks import described_policy, policy_folder
from roboreward_ros.dsrl.noise_record import FormVerdict, Place, read_results
from roboreward_ros.evaluation.arm_trials.book import TrialBook
from roboreward_ros.evaluation.arm_trials.plan import load_plan
from roboreward_ros.evaluation.success import Arm

PROFILE = "reference_pi0_real"


@pytest.fixture
def judged(tmp_path, monkeypatch):
    """Runs the command with a person who sees plain noise succeed and every other fail."""
    monkeypatch.chdir(tmp_path)
    out = tmp_path / "out"

    def in_front(stack, node, parameters):
        plan = load_plan(out)
        book = TrialBook(out, plan)
        for trial in plan.trials[: in_front.most]:
            book.ran(trial, f"ep_{trial.number:06d}")
            book.judge(trial, trial.arm is Arm.BASE, "ada")
        code = 0 if book.complete else 3
        book.close()
        return code

    in_front.most = None
    monkeypatch.setattr(policy_robot, "in_front", in_front)
    monkeypatch.setattr(policy_robot, "preflight", lambda given: Described())
    words = ["policy", "eval", "--robot", "--out", str(out), "--task", "drawer"]
    return argparse.Namespace(words=words, out=out, person=in_front, record=tmp_path / "runs")


@dataclasses.dataclass(frozen=True)
class Described:
    """What is described and never started."""

    nodes: tuple = ()


def test_a_profiles_noise_is_measured_on_the_arm_and_kept(judged, capsys):
    assert main([*judged.words, "--profile", PROFILE, "--episodes", "12"]) == 0
    assert "latents up to 2.5: kills; kept in" in capsys.readouterr().out
    (found,) = read_results(judged.record / "noise_forms.json")
    policy_id, _ = described_policy(policy_folder("demo"))
    assert (found.policy_id, found.task, found.place) == (policy_id, "open the drawer", Place.ARM)
    assert (found.successes, found.base_successes, found.episodes) == (0, 12, 12)
    assert found.verdict is FormVerdict.KILLS
    assert main([*judged.words[:5], "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["complete"], "the record's line is not in the JSON"


def test_a_comparison_that_was_ended_early_is_no_measurement(judged, capsys):
    judged.person.most = 5
    assert main([*judged.words, "--profile", PROFILE, "--episodes", "12"]) == 3
    assert main([*judged.words[:5], "--unblind"]) == 0
    assert "kept in" not in capsys.readouterr().out
    assert not judged.record.exists()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--profile", "widowx"], "nothing to compare"),
        (["--profile", PROFILE, "--actor", "runs/first"], "a profile before learning"),
        ([], "--actor RUN"),
        (["--profile", PROFILE, "profile:=widowx"], "sets itself"),
    ],
)
def test_what_cannot_be_compared_is_refused(judged, capsys, more, said):
    assert main([*judged.words, *more]) not in (0, 3)
    assert said in capsys.readouterr().err
    assert not judged.out.exists()

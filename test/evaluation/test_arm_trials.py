# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The blinded comparison without an arm: assignment, book, dialogue, report."""

import dataclasses
from itertools import pairwise

import pytest

from roboreward_ros.errors import (
    ConfigError,
    FormatError,
    PersonLeftError,
    SessionError,
    StoreError,
)
from roboreward_ros.evaluation.arm_trials import plan as plans
from roboreward_ros.evaluation.arm_trials.book import TrialBook
from roboreward_ros.evaluation.arm_trials.conduct import (
    Person,
    TrialOutcome,
    conduct,
)
from roboreward_ros.evaluation.arm_trials.plan import TrialPlan, assign, load_plan, save_plan
from roboreward_ros.evaluation.arm_trials.report import make_report, report_json, report_lines
from roboreward_ros.evaluation.success import Arm

SCENES = tuple(f"toy at {k}" for k in range(20))


def make_plan(n=20, seed=3):
    return TrialPlan("t", 50, "p" * 64, 7, "a" * 64, SCENES, assign(SCENES, n, seed), seed)


class FakeStage:
    """Every trial succeeds in running but those whose number is in ``broken``, once each."""

    def __init__(self, broken=()):
        self.ran = []
        self.broken = set(broken)

    def run(self, trial):
        self.ran.append(trial)
        if trial.number in self.broken:
            self.broken.discard(trial.number)
            return TrialOutcome("", "fault: elbow reports overload")
        return TrialOutcome(f"ep_{len(self.ran):06d}")


class Script:
    """A person who answers in turn; leaves when nothing is left to say."""

    def __init__(self, *answers, judge=None):
        self.answers = list(answers)
        self.judge = judge
        self.heard = []

    def person(self, name="ada"):
        return Person(name, self.heard.append, self.ask)

    def ask(self, question):
        self.heard.append(question)
        if self.answers:
            return self.answers.pop(0)
        if self.judge is None:
            raise PersonLeftError
        return self.judge(question) if "success" in question else ""


@pytest.mark.parametrize("seed", range(8))
def test_each_scene_meets_both_arms_in_a_row_and_half_begin_with_the_base(seed):
    trials = assign(SCENES, 20, seed)
    assert [t.number for t in trials] == list(range(1, 41))
    pairs = [trials[k : k + 2] for k in range(0, 40, 2)]
    for k, (first, second) in enumerate(pairs):
        assert first.scene == second.scene == k
        assert first.seed == second.seed
        assert {first.arm, second.arm} == {Arm.BASE, Arm.STEERED}
    assert sum(first.arm is Arm.BASE for first, _ in pairs) == 10
    assert len({t.seed for t in trials}) == 20


def test_the_order_is_a_coin_s_and_not_a_pattern():
    firsts = {tuple(t.arm for t in assign(SCENES, 20, seed)[::2]) for seed in range(20)}
    assert len(firsts) == 20
    assert not any(all(a is not b for a, b in pairwise(order)) for order in firsts)


def test_a_list_that_is_too_short_begins_again_and_none_is_refused():
    assert [t.scene for t in assign(SCENES[:2], 3, 0)] == [0, 0, 1, 1, 0, 0]
    with pytest.raises(ConfigError):
        assign((), 3, 0)


def test_a_plan_survives_and_its_arms_are_in_a_file_of_their_own(tmp_path):
    assert load_plan(tmp_path) is None
    plan = make_plan()
    save_plan(tmp_path, plan)
    assert load_plan(tmp_path) == plan
    told = (tmp_path / plans.NAME).read_text()
    assert "steered" not in told
    assert "base" not in told


def test_a_damaged_or_newer_plan_is_named(tmp_path):
    save_plan(tmp_path, make_plan(2))
    path = tmp_path / plans.HIDDEN
    whole = path.read_text()
    path.write_text(whole.replace('"base"', '"bass"'))
    with pytest.raises(FormatError, match="bass"):
        load_plan(tmp_path)
    path.write_text(whole.replace('"format": 1', '"format": 99'))
    with pytest.raises(FormatError, match="newer"):
        load_plan(tmp_path)


def test_a_whole_comparison_is_run_judged_and_reported(tmp_path):
    book, stage = TrialBook(tmp_path, make_plan()), FakeStage()
    steered_wins = Script(judge=lambda _: "s" if stage.ran[-1].arm is Arm.STEERED else "f")
    with pytest.raises(SessionError, match="0 of 40"):
        make_report(book)
    assert conduct(book, stage, steered_wins.person())
    assert [t.number for t in stage.ran] == list(range(1, 41))
    report = make_report(book)
    base, steered = report.rates
    assert (base.n, base.successes, steered.n, steered.successes) == (20, 0, 20, 20)
    assert base.rate.low == 0.0
    assert base.rate.high == pytest.approx(0.161, abs=1e-3)  # Wilson's, 0 of 20
    assert report.pairs == (0, 0, 20, 0)
    assert report.gain.value == report.gain.low == 1.0
    assert report_json(report)["arms"]["steered"]["successes"] == 20
    assert any("only steered 20" in line for line in report_lines(report))
    book.close()


def test_nothing_that_is_said_depends_on_the_arm(tmp_path):
    heard = []
    for name, swap in (("one", False), ("other", True)):
        plan = make_plan(5)
        if swap:
            other = {Arm.BASE: Arm.STEERED, Arm.STEERED: Arm.BASE}
            trials = tuple(dataclasses.replace(t, arm=other[t.arm]) for t in plan.trials)
            plan = dataclasses.replace(plan, trials=trials)
        (tmp_path / name).mkdir()
        script = Script(judge=lambda _: "s")
        conduct(TrialBook(tmp_path / name, plan), FakeStage(), script.person())
        heard.append(script.heard)
    assert heard[0] == heard[1]
    assert not any(word in line for line in heard[0] for word in ("base", "steered"))


def test_it_goes_on_where_the_person_left(tmp_path):
    plan, stage = make_plan(3), FakeStage()
    book = TrialBook(tmp_path, plan)
    assert not conduct(book, stage, Script("", "s", "", "q").person())
    with pytest.raises(StoreError):
        TrialBook(tmp_path, plan)  # one writer
    book.close()
    book = TrialBook(tmp_path, plan)
    assert (book.judged, len(stage.ran)) == (1, 2)
    assert conduct(book, stage, Script("f", judge=lambda _: "f").person("bob"))
    assert [t.number for t in stage.ran] == [1, 2, 3, 4, 5, 6], "the second was judged, not run"
    assert make_report(book).judges == ("ada", "bob")


def test_a_trial_in_which_something_broke_runs_again_and_is_counted_once(tmp_path):
    plan, stage = make_plan(2), FakeStage(broken={2})
    book = TrialBook(tmp_path, plan)
    script = Script("", "s", "", "", "v", "the toy was on its side", "", judge=lambda _: "s")
    assert conduct(book, stage, script.person())
    assert [t.number for t in stage.ran] == [1, 2, 2, 2, 3, 4]
    report = make_report(book)
    assert [rate.n for rate in report.rates] == [2, 2]
    voids = [reason for rate in report.rates for reason in rate.voids]
    assert voids == ["fault: elbow reports overload", "the toy was on its side"]
    arm = plan.trials[1].arm
    assert next(rate for rate in report.rates if rate.arm is arm).voids == tuple(voids)


def test_a_judgement_can_be_taken_back_and_given_again(tmp_path):
    plan, stage = make_plan(1), FakeStage()
    book = TrialBook(tmp_path, plan)
    assert conduct(book, stage, Script("", "s", "u", "f", "", "what?", "s").person())
    assert [book.record(t).success for t in plan.trials] == [False, True]
    assert len(stage.ran) == 2
    book.close()
    again = TrialBook(tmp_path, plan)
    assert [again.record(t).success for t in plan.trials] == [False, True]
    again.undo()
    assert again.due() == plan.trials[1]


def test_nothing_to_take_back_is_said(tmp_path):
    book, script = TrialBook(tmp_path, make_plan(1)), Script("u", "hm")
    assert not conduct(book, FakeStage(), script.person())
    assert any("no judgement" in line for line in script.heard)
    assert any("'hm' means nothing" in line for line in script.heard)


def test_unblinding_before_the_end_ends_the_comparison(tmp_path):
    plan = make_plan(2)
    book = TrialBook(tmp_path, plan)
    conduct(book, FakeStage(), Script("", "s", "", "f").person())
    book.unblind()
    report = make_report(book)
    assert not report.complete
    assert sum(rate.n for rate in report.rates) == 2
    assert any("before all trials" in line for line in report_lines(report))
    book.close()
    closed = TrialBook(tmp_path, plan)
    with pytest.raises(SessionError, match="blindly"):
        closed.ran(closed.due(), "ep_000009")
    with pytest.raises(SessionError, match="blindly"):
        closed.undo()


def test_a_trial_without_an_episode_cannot_be_judged(tmp_path):
    book = TrialBook(tmp_path, make_plan(1))
    with pytest.raises(SessionError, match="no episode"):
        book.judge(book.due(), success=True, judge="ada")

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the stores say about the steering decides whether new weights may act."""

import dataclasses

import numpy as np
import pytest

from roboreward_ros.dsrl.actor import SteeringActor, load_actor
from roboreward_ros.dsrl.compute import Compute
from roboreward_ros.dsrl.config import ActorForm, DsrlConfig, NoiseForm
from roboreward_ros.dsrl.duty import DutyConfig, LearnerDuty
from roboreward_ros.dsrl.figures import figures
from roboreward_ros.dsrl.follow import FollowStatus, actor_path
from roboreward_ros.dsrl.noise_record import FormResult, Place, keep_results, untrained_actor
from roboreward_ros.dsrl.watch import SteeringWatch
from roboreward_ros.episodes.header import NAME as HEADER
from roboreward_ros.episodes.labels import HUMAN
from roboreward_ros.episodes.ledger import Ledger
from roboreward_ros.episodes.promoted import promote
from roboreward_ros.episodes.store import EpisodeStore
from roboreward_ros.errors import FormatError
from roboreward_ros.policies.noise import prior_noise
from roboreward_ros.session.brakes import AbstainBrakeConfig
from roboreward_ros.session.monitor import MonitorConfig
from roboreward_ros.testing.steering_toy import SteeringToy
from roboreward_ros.types import (
    Abstain,
    AbstainReason,
    LabelRecord,
    Provenance,
    RobotState,
    Score,
    ScoreKind,
    ScoreScale,
    StepFlag,
    StepReport,
)

TOY = SteeringToy(decisions=1)
CONFIG = DsrlConfig(
    hidden=(8,), ensemble=2, batch_size=8, warmup_episodes=2, warmup_updates=2,
    updates_per_episode=2, critic_only_updates=0,
)  # fmt: skip


class WatchedRun:
    """A run whose source is a model, with ground truth in its shadow."""

    def __init__(self, path):
        self.path = path
        self.store = EpisodeStore(path, "w")
        self.ledger = Ledger(path, "w")
        promote(path, "vlm", ScoreScale.RUBRIC)

    def commit(self, index, *, canary=False, version=0, claimed=None, truth=None, actor=None):
        """``actor`` chooses the noise; None takes what nobody published draws."""
        choose = (lambda f, r, s, k: prior_noise(s, k, 4)) if actor is None else actor.steer
        toy = TOY.run(index, choose, version)
        writer = self.store.create(dataclasses.replace(toy.summary.meta, canary=canary))
        arm, proprio, action = np.zeros(6), np.zeros(7), np.zeros(7)
        for step in range(toy.summary.n_steps + 1):
            if step:
                state = RobotState(step, arm, arm, arm, 1.0, np.eye(4), proprio)
                report = StepReport(action, action, np.eye(4), arm, StepFlag.NONE, state)
                writer.add_step(step - 1, report)
            writer.add_observation(step, step, b"\xff\xd8", proprio, arm)
        for chunk in toy.chunks():
            writer.add_chunk(chunk)
        writer.commit(toy.summary.end_cause, ())
        name = toy.summary.meta.episode_id
        if claimed is None:
            declined = Abstain(AbstainReason.ENTROPY, Provenance("vlm"))
            self.ledger.append(LabelRecord(-1, name, declined, 0))
        else:
            self.score(name, "vlm", claimed)
        if truth is not None:
            self.score(name, "ground_truth", truth, shadow=True)

    def score(self, name, source, success, shadow=False):
        value = 5.0 if success else 2.0
        score = Score(value, ScoreScale.RUBRIC, ScoreKind.NONE, Provenance(source))
        self.ledger.append(LabelRecord(-1, name, score, 0, shadow=shadow))

    def close(self):
        self.store.close()
        self.ledger.close()


@pytest.fixture
def run(tmp_path):
    made = WatchedRun(tmp_path)
    yield made
    made.close()


def duty(run, **changes):
    values = {
        "run_dir": run.path, "learner": CONFIG, "seed": 0, "source": "", "policy": "",
        "compute": Compute(), "exact_resume": True, "keep_actors": 0, "adapt": False,
        "monitor": MonitorConfig(audit_share=1.0), "brake": AbstainBrakeConfig(), "board": False,
    }  # fmt: skip
    return LearnerDuty(DutyConfig(**{**values, **changes}))


def work(learner):
    for _ in range(1000):
        if not learner.advance(20):
            return learner.state
    raise AssertionError("it never comes to rest")


def worse_steering(run, start, count=18):
    """A model that is fooled: it praises what ground truth calls a failure."""
    for index in range(start, start + count):
        canary = index % 2 == 0
        version = 0 if canary else 1
        run.commit(index, canary=canary, version=version, claimed=not canary, truth=canary)


def test_episodes_that_wait_for_a_persons_key_hold_nothing_back(run):
    promote(run.path, HUMAN, ScoreScale.RUBRIC)
    for index in range(8):
        run.commit(index)
        waits = Abstain(AbstainReason.PERSON, Provenance(HUMAN), "press s or f")
        run.ledger.append(LabelRecord(-1, f"ep_{index:06d}", waits, 0))
    state = work(duty(run))
    assert not state.watch.alarm


def test_too_many_abstentions_hold_the_weights_and_labels_let_them_go(run):
    learner = duty(run)
    for index in range(5):
        run.commit(index, claimed=None)
    for index in range(5, 8):
        run.commit(index, claimed=True)
    state = work(learner)
    assert state.status.metrics.grad_steps > 0, "training goes on"
    assert state.status.actor is None
    assert "abstained" in state.watch.alarm
    assert "abstained" in state.status.message
    for index in range(5):
        run.score(f"ep_{index:06d}", "vlm", True)
    state = work(learner)
    assert state.watch.alarm == ""
    assert state.status.actor.version == 1


def test_steering_that_ground_truth_calls_worse_gives_way_to_the_base_until_released(run):
    for index in range(3):
        run.commit(index, claimed=True)
    learner = duty(run)
    assert load_actor(work(learner).status.actor.path).weights
    worse_steering(run, 3)
    state = work(learner)
    assert state.watch.base_acts
    assert state.watch.report.audited
    prior = load_actor(state.status.actor.path)
    assert not prior.weights, "the newest actor is the prior"
    assert "worse than the base policy" in state.status.message

    again = duty(run)  # not saved: it learns anew and comes to the same conclusion
    assert work(again).watch.base_acts

    learner.release()
    state = work(learner)
    assert not state.watch.base_acts
    assert load_actor(state.status.actor.path).weights
    assert not work(duty(run)).watch.base_acts, "the release is remembered"


def test_what_the_base_does_in_the_actors_place_is_not_counted_as_steered(run):
    for index in range(3):
        run.commit(index, claimed=True)
    learner = duty(run)
    first = work(learner).status.actor
    for index in range(3, 6):
        run.commit(index, version=1, claimed=True, truth=False, actor=load_actor(first.path))
    worse_steering(run, 6)
    state = work(learner)
    counted = state.watch.report.comparison
    assert state.watch.base_acts
    prior = state.status.actor
    for index in range(24, 30):
        acts = load_actor(prior.path)
        run.commit(index, version=prior.version, claimed=True, truth=True, actor=acts)
    prior.path.unlink()  # pruned: what ran is known from the episodes alone
    for again in (learner, duty(run)):
        now = work(again).watch.report.comparison
        assert (now.steered_n, now.steered_successes) == (counted.steered_n, 0)
        assert (now.base_n, now.worse) == (counted.base_n, counted.worse)


@pytest.mark.parametrize("squash", [0.0, 1.5])
def test_means_at_their_bound_are_seen_in_episodes_whose_noise_is_not(run, squash):
    size = 4 * 7
    mean = 2.3 if squash else 50.0  # before its tanh
    bias = np.r_[np.full(size // 2, mean), np.zeros(size // 2), np.full(size, -2.0)]
    weights = {
        "head.weight": np.zeros((17, 2 * size), np.float32), "head.bias": bias.astype(np.float32),
        "features.mean": np.zeros(16, np.float32), "features.scale": np.ones(16, np.float32),
    }  # fmt: skip
    prior = dataclasses.replace(SteeringActor.prior("toy", 4), version=1, squash=squash)
    pinned = dataclasses.replace(prior, weights=weights, noise_bound=squash or 5.0)
    pinned.save(actor_path(run.path, 1))
    for index in range(3):
        run.commit(index, version=1, claimed=True, actor=pinned)
    config = CONFIG
    if squash:
        config = dataclasses.replace(CONFIG, actor=ActorForm.SQUASHED, magnitude=squash)
    report = SteeringWatch(run.path, config).look(FollowStatus()).report
    assert report.figures["mean_saturation"] == 0.5
    assert report.figures["noise_saturation"] < 0.05
    assert any("means are stuck" in warning for warning in report.warnings)
    actor_path(run.path, 1).unlink()
    blind = SteeringWatch(run.path, config).look(FollowStatus()).report
    assert blind.figures["mean_saturation"] == 0.0, "a pruned actor is not known"


def test_a_source_whose_successes_are_none_holds_the_weights_until_another_takes_over(run):
    for index in range(9):
        run.commit(index, claimed=True, truth=index == 0)
    learner = duty(run)
    state = work(learner)
    assert "8 of 9 audited successes of the reward source are none" in state.watch.alarm
    assert state.watch.claims.evidence > 20
    assert not state.watch.base_acts
    assert state.status.metrics.grad_steps > 0, "training goes on"
    assert state.status.actor is None, "nothing is published"
    for index in range(9):
        run.score(f"ep_{index:06d}", "other", index == 0)
    promote(run.path, "other", ScoreScale.RUBRIC)
    state = work(learner)
    assert state.watch.alarm == ""
    assert (state.watch.claims.n, state.watch.claims.false) == (1, 0)
    assert state.status.actor is not None


def test_a_person_who_releases_false_successes_starts_their_count_anew(run):
    for index in range(9):
        run.commit(index, claimed=True, truth=False)
    learner = duty(run)
    assert "audited successes" in work(learner).watch.alarm
    learner.release()
    assert work(learner).watch.claims.n == 0
    assert learner.state.watch.alarm == ""


def test_a_claim_outside_of_the_draw_counts_for_nobody(run):
    limits = MonitorConfig(audit_share=0.5)
    for index in range(20):
        run.commit(index, claimed=True)
    watch = SteeringWatch(run.path, CONFIG, monitor=limits)
    wanted = watch.look(FollowStatus()).audits
    assert 3 <= len(wanted) <= 17
    others = {f"ep_{index:06d}" for index in range(20)} - set(wanted)
    for name in others:
        run.score(name, "ground_truth", False, shadow=True)
    assert watch.look(FollowStatus()).claims.n == 0
    run.score(wanted[0], "ground_truth", False, shadow=True)
    assert watch.look(FollowStatus()).claims.n == 1


def test_without_auditors_a_source_cannot_decide(run):
    for index in range(18):
        canary = index % 2 == 0
        run.commit(index, canary=canary, version=0 if canary else 1, claimed=canary)
    state = SteeringWatch(run.path, CONFIG).look(FollowStatus())
    assert state.report.comparison.worse > 20
    assert not state.base_acts
    assert not state.report.audited
    assert state.audits, "a person is asked"


def test_every_figure_is_on_the_board(run):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    for index in range(3):
        run.commit(index, claimed=True)
    learner = duty(run, board=True)
    work(learner)
    learner.close()
    events = EventAccumulator(str(run.path / "logs" / "tensorboard"))
    events.Reload()
    tags = set(events.Tags()["scalars"])
    assert {f"update/{f.name}" for f in dataclasses.fields(FollowStatus().metrics.last)} <= tags
    told = {k for k, value in figures(learner.state).items() if isinstance(value, int | float)}
    told -= {"grad_steps"}  # the axis
    shown = {tag.partition("/")[2] for tag in tags}
    renamed = {"episodes_done": "episodes", "episodes_trainable": "trainable",
               "updates_owed": "owed", "holding": "held"}  # fmt: skip
    assert {renamed.get(name, name) for name in told} <= shown, "what LearnerStatus says is plotted"
    assert {f"steering/{name}" for name in learner.state.watch.report.figures} <= tags
    quotients = {"base_success", "steered_success"}  # of figures that are told
    everything = {renamed.get(name, name) for name in figures(learner.state)}
    assert shown - quotients <= everything, "and the other way"


def test_a_damaged_episode_is_left_out_and_the_learner_goes_on(run, caplog):
    for index in range(3):
        run.commit(index, claimed=True)
    (run.path / "episodes" / run.store.ids()[1] / HEADER).write_text("{")
    learner = duty(run)
    assert work(learner).status.trainable == 2
    learner.advance(20)
    left_out = [r for r in caplog.records if "judged without" in r.getMessage()]
    assert len(left_out) == 1
    learner.close()


def test_a_learner_that_was_started_without_a_look_warns_of_noise_nobody_measured(run, monkeypatch):
    monkeypatch.chdir(run.path)
    config = dataclasses.replace(CONFIG, noise=NoiseForm.REPEAT)
    for index in range(3):
        run.commit(index, claimed=True)
    state = work(duty(run, learner=config))
    (warning,) = figures(state)["warnings"]
    assert "noise 'repeat'" in warning
    assert "roboreward study noise" in warning
    actor = untrained_actor(config, "toy", 4)
    keep_results("", [FormResult.of(actor, "toy", Place.ARM, (9, 10), (9, 10))])
    assert figures(work(duty(run, learner=config)))["warnings"] == []
    assert figures(work(duty(run)))["warnings"] == []


def test_a_damaged_note_about_brakes_is_refused_by_name(run):
    (run.path / "brakes.json").write_text("nonsense")
    with pytest.raises(FormatError, match=r"brakes\.json"):
        SteeringWatch(run.path, CONFIG)


def test_idle_time_gives_more_updates_and_the_schedule_stays_the_quota_without(run):
    for index in range(3):
        run.commit(index, claimed=True)
    plain = work(duty(run)).status.metrics.grad_steps
    assert plain == 2 + 2 * 2
    for path in (run.path / "policies").iterdir():
        path.unlink()
    learner = duty(run, adapt=True)
    learner.session(0.0, 1)
    for _ in range(500):
        learner.session(1e4, 3)
        if not learner.advance(1):
            break
    assert plain < learner.state.status.metrics.grad_steps <= 3 * plain
    assert actor_path(run.path, learner.state.status.actor.version).is_file()

# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
import pytest

from roboreward_ros.errors import SessionError
from roboreward_ros.session import events as ev
from roboreward_ros.session.events import KEYS, VERBS, Phase, verb_of_key
from roboreward_ros.session.machine import EVENTS, TABLE, MachineConfig, SessionMachine
from roboreward_ros.session.plan import PlanConfig
from roboreward_ros.types import EndCause

TASK = "put the mushroom on the cloth"
TWIN = MachineConfig()
ARM = MachineConfig(auto_reset=False, wait_for_reward=False, wait_for_learner=False)


def machine(config=TWIN, episodes=2, committed=0, **plan):
    made = SessionMachine(config, PlanConfig(TASK, episodes=episodes, **plan), committed=committed)
    made.learner_done = committed
    return made


def feed(m, *events):
    """Feed all events; return the commands of the last."""
    commands = []
    for event in events:
        commands = m.handle(event)
    return commands


def run_episode(m, episode_id):
    feed(m, ev.ResetDone(episode_id), ev.Begun(episode_id))
    assert m.phase is Phase.RUNNING
    return feed(m, ev.Committed(episode_id))


def running(config=TWIN, **arguments):
    m = machine(config, **arguments)
    feed(m, ev.Start())
    if not config.auto_reset:
        feed(m, ev.ConfirmReset())
    feed(m, ev.ResetDone("ep_000000"), ev.Begun("ep_000000"))
    assert m.phase is Phase.RUNNING
    return m


def test_two_episodes_in_lock_step_reach_done():
    m = machine()
    (reset,) = m.handle(ev.Start())
    assert reset == ev.Reset(PlanConfig(TASK, episodes=2).episode(0))
    (begin,) = m.handle(ev.ResetDone("ep_000000"))
    assert begin.episode == reset.episode
    feed(m, ev.Begun("ep_000000"))
    assert feed(m, ev.Committed("ep_000000")) == [ev.Score("ep_000000")]
    assert m.phase is Phase.SCORING
    feed(m, ev.Scored("ep_000000"))
    assert m.phase is Phase.LEARNING
    (reset,) = m.handle(ev.LearnerProgress(1))
    assert (reset.episode.index, reset.episode.seed) == (1, 1)
    run_episode(m, "ep_000001")
    assert feed(m, ev.Scored("ep_000001"), ev.LearnerProgress(2)) == [ev.Finish()]
    assert m.phase is Phase.DONE


def test_at_realtime_the_next_reset_does_not_wait_for_reward_or_learner():
    config = MachineConfig(wait_for_reward=False, wait_for_learner=False)
    m = machine(config)
    feed(m, ev.Start())
    commands = run_episode(m, "ep_000000")
    assert commands[0] == ev.Score("ep_000000")
    assert isinstance(commands[1], ev.Reset)


def test_at_realtime_every_episode_runs_though_the_learner_is_never_heard_of():
    m = machine(MachineConfig(wait_for_reward=False, wait_for_learner=False), episodes=4)
    feed(m, ev.Start())
    for index in range(4):
        run_episode(m, f"ep_{index:06d}")
    assert m.committed == 4
    assert m.learner_done == 0


def test_done_waits_for_scores_that_are_still_out():
    m = machine(MachineConfig(wait_for_reward=False, wait_for_learner=False), episodes=1)
    feed(m, ev.Start())
    run_episode(m, "ep_000000")
    assert m.phase is Phase.SCORING
    assert feed(m, ev.Scored("ep_000000", labelled=False)) == [ev.Finish()]


def test_an_arm_waits_for_the_operator_before_each_reset():
    m = machine(ARM)
    assert feed(m, ev.Start()) == []
    assert m.phase is Phase.WAIT_RESET
    assert isinstance(feed(m, ev.ConfirmReset())[0], ev.Reset)


def test_a_resumed_session_goes_on_at_the_next_index():
    (reset,) = machine(committed=1).handle(ev.Start())
    assert (reset.episode.episode_id, reset.episode.seed) == ("ep_000001", 1)


def test_a_resumed_session_first_waits_for_the_learner():
    m = machine(episodes=3, committed=2)
    m.learner_done = 0
    assert feed(m, ev.Start()) == []
    assert m.phase is Phase.LEARNING
    assert feed(m, ev.LearnerProgress(1)) == []
    assert isinstance(feed(m, ev.LearnerProgress(2))[0], ev.Reset)


@pytest.mark.parametrize("waits", [True, False])
def test_a_resumed_session_asks_for_scores_that_nobody_asked_for(waits):
    m = machine(MachineConfig(wait_for_reward=waits, wait_for_learner=False), 3, committed=1)
    m.outstanding = ("ep_000000",)
    commands = feed(m, ev.Start())
    assert commands.count(ev.Score("ep_000000")) == 1
    assert (m.phase is Phase.SCORING) is waits


def test_a_reached_target_is_done_at_once():
    assert feed(machine(committed=2), ev.Start()) == [ev.Finish()]


def test_success_ends_the_running_episode_and_labels_it_when_it_is_on_disk():
    m = running()
    assert feed(m, ev.Judge("s")) == [ev.End("ep_000000", EndCause.OPERATOR)]
    assert m.phase is Phase.RUNNING
    commands = feed(m, ev.Committed("ep_000000", EndCause.OPERATOR))
    assert commands[:2] == [ev.WriteLabel("ep_000000", "s", ""), ev.Score("ep_000000")]


def test_a_second_key_before_the_commit_corrects_the_first():
    m = running()
    feed(m, ev.Judge("s"))
    assert feed(m, ev.Judge("f")) == []
    assert ev.WriteLabel("ep_000000", "f", "") in feed(m, ev.Committed("ep_000000"))


def test_a_verdict_on_a_failed_episode_does_not_reach_the_next_one():
    m = running()
    feed(m, ev.Judge("s"), ev.Failed("ep_000000", "record", "disk full"))
    assert m.phase is Phase.FAULT
    feed(m, ev.RetryDue(1))
    commands = run_episode(m, "ep_000000")
    assert not any(isinstance(c, ev.WriteLabel) for c in commands)


def test_judging_while_arming_is_refused():
    m = machine()
    feed(m, ev.Start(), ev.ResetDone("ep_000000"))
    with pytest.raises(SessionError, match="not possible in phase READY"):
        m.handle(ev.Judge("s"))


def test_redo_drops_the_running_episode_and_keeps_index_and_seed():
    m = running()
    assert feed(m, ev.Discard()) == [ev.Abort("ep_000000")]
    (reset,) = feed(m, ev.Aborted("ep_000000"))
    assert (reset.episode.index, reset.episode.seed) == (0, 0)


def test_redo_that_came_too_late_marks_the_committed_episode():
    m = running()
    feed(m, ev.Discard())
    commands = feed(m, ev.Committed("ep_000000"))
    assert any(isinstance(c, ev.MarkDiscarded) for c in commands)
    assert m.committed == 1


def test_discard_between_episodes_marks_the_last_committed():
    m = machine(ARM)
    feed(m, ev.Start(), ev.ConfirmReset())
    run_episode(m, "ep_000000")
    assert feed(m, ev.Discard(reason="object fell")) == [
        ev.MarkDiscarded("ep_000000", "object fell")
    ]


@pytest.mark.parametrize("stage", [Phase.RESETTING, Phase.READY, Phase.RUNNING])
def test_hold_while_moving_drops_and_pauses_then_runs_the_same_episode_again(stage):
    m = machine()
    feed(m, ev.Start())
    answers = [ev.ResetDone("ep_000000"), ev.Begun("ep_000000")]
    while m.phase is not stage:
        feed(m, answers.pop(0))
    assert feed(m, ev.Hold()) == [ev.Abort("ep_000000")]
    assert feed(m, ev.Hold()) == []
    assert feed(m, ev.Aborted("ep_000000")) == []
    assert m.phase is Phase.PAUSED
    (reset,) = feed(m, ev.Hold())
    assert (reset.episode.index, reset.episode.seed) == (0, 0)


def test_quit_beats_hold_and_leaves_after_the_answer():
    m = running()
    feed(m, ev.Hold(), ev.Quit())
    assert feed(m, ev.Aborted("ep_000000")) == [ev.Leave()]
    assert m.phase is Phase.IDLE


def test_stop_while_the_episode_was_being_saved_counts_it():
    m = running()
    feed(m, ev.Stop())
    assert ev.Score("ep_000000") in feed(m, ev.Committed("ep_000000"))
    assert (m.phase, m.committed) == (Phase.IDLE, 1)


def test_a_lost_motion_node_drops_the_episode_and_pauses_until_it_is_back():
    m = running()
    lost = ev.Peers(frozenset({"policy_node"}))
    assert feed(m, lost) == [ev.Abort("ep_000000")]
    feed(m, ev.Aborted("ep_000000"))
    assert m.phase is Phase.PAUSED
    assert "policy_node" in m.message
    (reset,) = feed(m, ev.Peers(frozenset()))
    assert reset.episode.index == 0


def test_a_lost_learner_lets_the_episode_finish():
    m = running()
    assert feed(m, ev.Peers(frozenset({"learner_node"}))) == []
    feed(m, ev.Committed("ep_000000"))
    assert (m.phase, m.committed) == (Phase.PAUSED, 1)
    assert feed(m, ev.Peers(frozenset())) == [ev.Score("ep_000000")]


def test_an_operators_hold_outlives_the_return_of_a_node():
    m = running()
    feed(m, ev.Hold(), ev.Aborted("ep_000000"))
    assert feed(m, ev.Peers(frozenset({"reward_node"})), ev.Peers(frozenset())) == []
    assert m.phase is Phase.PAUSED


def test_failures_are_tried_again_with_growing_waits_then_given_up():
    m = machine()
    feed(m, ev.Start())
    waits = []
    for attempt in range(1, 4):
        (retry,) = feed(m, ev.Failed("ep_000000", "robot", "no link"))
        waits.append(retry.delay_s)
        assert isinstance(feed(m, ev.RetryDue(attempt))[0], ev.Reset)
    assert waits == [1.0, 2.0, 4.0]
    (give_up,) = feed(m, ev.Failed("ep_000000", "robot", "no link"))
    assert isinstance(give_up, ev.GiveUp)
    assert m.phase is Phase.FAULT
    assert isinstance(feed(m, ev.Start())[0], ev.Reset)


def test_an_old_retry_does_not_start_a_second_episode():
    m = machine()
    feed(m, ev.Start(), ev.Failed("ep_000000"))
    feed(m, ev.RetryDue(1), ev.Failed("ep_000000"))
    assert feed(m, ev.RetryDue(1)) == []


def test_an_unscored_episode_is_put_to_the_operator():
    m = machine(MachineConfig(ask_operator=True, wait_for_learner=False))
    feed(m, ev.Start())
    run_episode(m, "ep_000000")
    feed(m, ev.Scored("ep_000000", labelled=False))
    assert m.phase is Phase.ASK
    assert feed(m, ev.Judge("4", operator="ada")) == [ev.WriteLabel("ep_000000", "4", "ada")]
    assert m.phase is Phase.ASK
    assert isinstance(feed(m, ev.Labelled("ep_000000"))[0], ev.Reset)


def test_one_episode_on_request_then_idle():
    m = machine(MachineConfig(wait_for_learner=False))
    (reset,) = feed(m, ev.RunOne(task="open the drawer", seed=77, canary=True))
    assert (reset.episode.index, reset.episode.seed) == (0, 77)
    assert (reset.episode.task, reset.episode.canary) == ("open the drawer", True)
    run_episode(m, "ep_000000")
    assert feed(m, ev.Scored("ep_000000")) == []
    assert m.phase is Phase.IDLE


def test_requests_for_one_episode_are_exclusive():
    m = running()
    with pytest.raises(SessionError, match="run_one"):
        m.handle(ev.RunOne())


def test_one_episode_that_fails_goes_back_to_idle():
    m = machine()
    feed(m, ev.RunOne(), ev.Failed("ep_000000", "policy", "no policy"))
    assert m.phase is Phase.IDLE
    assert "no policy" in m.message


def test_a_new_task_is_for_the_next_episode_only():
    m = running(MachineConfig(wait_for_reward=False, wait_for_learner=False))
    feed(m, ev.SetTask("open the drawer"))
    assert m.episode.task == TASK
    commands = feed(m, ev.Committed("ep_000000"))
    assert commands[-1].episode.task == "open the drawer"


def test_answers_about_another_episode_are_ignored():
    m = running()
    for stale in (ev.Committed("ep_000009"), ev.Failed("ep_000009"), ev.Aborted("ep_000009")):
        assert feed(m, stale) == []
    assert (m.phase, m.committed) == (Phase.RUNNING, 0)


def test_a_refused_verb_says_what_is_allowed_and_changes_nothing():
    m = machine()
    with pytest.raises(SessionError, match="allowed: start, run_one") as error:
        m.handle(ev.ConfirmReset())
    assert "IDLE" in str(error.value)
    assert m == machine()


def test_the_operator_takes_the_arm_and_gives_it_back_in_one_episode():
    m = running()
    assert feed(m, ev.TakeOver()) == [ev.HandOver("ep_000000", True)]
    assert m.phase is Phase.RUNNING  # until the arm's owner says so
    feed(m, ev.Handed("ep_000000", True))
    assert m.phase is Phase.TAKEOVER
    assert "give_back" in m.allowed
    assert "take_over" not in m.allowed
    assert feed(m, ev.GiveBack()) == [ev.HandOver("ep_000000", False)]
    feed(m, ev.Handed("ep_000000", False))
    assert (m.phase, m.episode.episode_id) == (Phase.RUNNING, "ep_000000")


def test_an_arm_that_was_not_handed_over_says_why():
    m = running()
    feed(m, ev.TakeOver(), ev.Handed("ep_000000", False, "no answer in 5 s"))
    assert m.phase is Phase.RUNNING
    assert "no answer in 5 s" in m.message


@pytest.mark.parametrize(
    ("event", "phase"),
    [
        (ev.Committed("ep_000000"), Phase.SCORING),
        (ev.Hold(), Phase.TAKEOVER),
        (ev.Judge("s"), Phase.TAKEOVER),
    ],
)
def test_an_episode_in_the_operators_hands_ends_as_any_other(event, phase):
    m = running()
    feed(m, ev.TakeOver(), ev.Handed("ep_000000", True))
    commands = feed(m, event)
    assert m.phase is phase
    assert commands[0] in (
        ev.Score("ep_000000"),
        ev.Abort("ep_000000"),
        ev.End("ep_000000", EndCause.OPERATOR),
    )
    if phase is Phase.TAKEOVER:
        with pytest.raises(SessionError, match="ending"):
            m.handle(ev.GiveBack())


def test_an_episode_that_is_being_dropped_is_not_taken_over():
    m = running()
    feed(m, ev.Hold())
    with pytest.raises(SessionError, match="ending"):
        m.handle(ev.TakeOver())


def test_every_key_is_a_verb():
    for key in [*KEYS, *"12345"]:
        assert type(verb_of_key(key, Phase.RUNNING, "a task")) in VERBS.values()
    assert verb_of_key("enter", Phase.WAIT_RESET) == ev.ConfirmReset()
    with pytest.raises(SessionError, match="no such key"):
        verb_of_key("x", Phase.IDLE)


def test_the_table_has_every_event_in_every_phase():
    assert set(TABLE) == {(phase, event) for phase in Phase for event in EVENTS}
